//! Plugins and their providers (wire-protocol §2.3).

use crate::JsonMap;
use serde_json::Value;

/// The only plugin protocol version this product speaks.
pub const PLUGIN_VERSION: i64 = 4;

model! {
    /// A command that a provider offers on objects of one type.
    pub struct AvailableAction [] {
        /// Name of the provider; filled by the daemon.
        provider: String = "Provider",
        /// Prefix of the objects it acts on; empty means the `system` set.
        model: String = "Model",
        /// Name of the command.
        command: String = "Command",
        /// Params that must resolve on the object.
        required_params: Vec<String> = "RequiredParams",
        /// Params that are passed when they resolve.
        optional_params: Vec<String> = "OptionalParams",
    }
}

impl AvailableAction {
    /// The command set it belongs to: its model, or `system`.
    #[must_use]
    pub fn command_set(&self) -> &str {
        if self.model.is_empty() { "system" } else { &self.model }
    }
}

model! {
    /// What a plugin executable says about itself (`define`).
    pub struct PluginProvider [M] at "plugin_providers" key name "Name" {
        /// Key; equals the file name of the executable.
        name: String = "Name",
        /// Version of the provider.
        version: String = "Version",
        /// Protocol version, [`PLUGIN_VERSION`].
        plugin_version: i64 = "PluginVersion",
        /// Create a plugin of the same name when none exists.
        auto_start: bool = "AutoStart",
        /// The daemon posts every event to `/publish`.
        has_publish: bool = "HasPublish",
        /// Commands it offers.
        available_actions: Vec<AvailableAction> = "AvailableActions",
        /// Params that must resolve on a plugin of this provider.
        required_params: Vec<String> = "RequiredParams",
        /// Params that are passed when they resolve.
        optional_params: Vec<String> = "OptionalParams",
        /// Object types it wants stored: type name to field table, empty for free-form.
        store_objects: JsonMap = "StoreObjects",
        /// Longer text.
        documentation: String = "Documentation",
        /// A content bundle as YAML or JSON text, or empty.
        content: String = "Content",
    }
}

model! {
    /// A command on its way to a plugin.
    pub struct Action [] {
        /// The full object it acts on.
        model: Value = "Model",
        /// Name of the plugin instance.
        plugin: String = "Plugin",
        /// Name of the command.
        command: String = "Command",
        /// Prefix of the object, or `system`.
        command_set: String = "CommandSet",
        /// Params by name, resolved and decrypted.
        params: JsonMap = "Params",
    }
}

model! {
    /// A configured instance of a provider.
    pub struct Plugin [V A M O B P] at "plugins" key name "Name" {
        /// Key.
        name: String = "Name",
        /// One line for people.
        description: String = "Description",
        /// Longer text.
        documentation: String = "Documentation",
        /// Its params; secure ones are sealed.
        params: JsonMap = "Params",
        /// Name of its provider.
        provider: String = "Provider",
        /// Why it does not run.
        plugin_errors: Vec<String> = "PluginErrors",
    }
}
