//! What the host needs from the daemon, and what it tells it.

use bytes::Bytes;
use drp_protocol::{Error, Event, JsonMap, Line, Plugin, PluginProvider, Secret};
use futures_util::future::BoxFuture;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

/// A provider of the catalogue: an executable that defined itself and unpacked its files.
#[derive(Debug, Clone, PartialEq)]
pub struct Provider {
    /// What it says about itself, with the provider's name filled into its actions. `Meta` and `Content`
    /// are as the plugin gave them: deriving `Meta` from the content is the daemon's part.
    pub definition: PluginProvider,
    /// The executable.
    pub path: PathBuf,
    /// SHA-256 of the executable in lower-case hex.
    pub sha256: String,
    /// Where it unpacked its files. The directory exists only when the plugin has files.
    pub unpack_dir: PathBuf,
}

/// What happened to a provider.
#[derive(Debug, Clone)]
pub enum ProviderChange {
    /// It is new. The daemon loads its content layer and, with `AutoStart`, makes its plugin.
    Added(Arc<Provider>),
    /// Its executable was replaced. The host stops and starts its instances after this call.
    Changed(Arc<Provider>),
    /// It is gone. The host stops its instances after this call.
    Removed {
        /// Name of the provider.
        name: String,
        /// Why it is gone.
        why: Removal,
    },
}

/// Why a provider is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Removal {
    /// Its executable was deleted, through the API or beside it.
    Deleted,
    /// One of its instances withdrew it: `/leaving` or `/config` with code 403. It comes back when its
    /// executable changes or the daemon starts again.
    Withdrawn(String),
}

/// Where an instance is in its life (wire-protocol §1.12).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceState {
    /// Known and not started yet.
    Created,
    /// The process runs and is not ready.
    Starting,
    /// Ready; `/config` is under way.
    Configuring,
    /// Actions and events are served.
    Configured,
    /// Finishing its calls, then `/stop`.
    Stopping,
    /// Does not run and is not meant to, or cannot: its `PluginErrors` say why.
    Stopped,
    /// It could not be started or configured. It is tried again when the plugin or its provider changes.
    Failed,
    /// It crashed and is started again after a pause.
    Restarting,
    /// It crashed too often. It is tried again when the plugin or its provider changes.
    Quarantined,
}

impl InstanceState {
    /// The word for people.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Starting => "starting",
            Self::Configuring => "configuring",
            Self::Configured => "configured",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Failed => "failed",
            Self::Restarting => "restarting",
            Self::Quarantined => "quarantined",
        }
    }

    /// The action of the `plugins` event that announces this state, for those states that have one
    /// (wire-protocol §1.12).
    #[must_use]
    pub fn event_action(self) -> Option<&'static str> {
        match self {
            Self::Configured => Some("configed"),
            Self::Stopped | Self::Failed | Self::Restarting | Self::Quarantined => Some("stopped"),
            _ => None,
        }
    }
}

impl fmt::Display for InstanceState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A change of an instance's state.
#[derive(Debug, Clone)]
pub struct InstanceChange {
    /// Name of the instance.
    pub plugin: String,
    /// Where it is now.
    pub state: InstanceState,
    /// What its `PluginErrors` shall be; `None` leaves them as they are.
    pub errors: Option<Vec<String>>,
    /// Whether the `plugins` event of [`InstanceState::event_action`] is due: the instance began or ceased
    /// to serve with this change.
    pub announce: bool,
}

/// The daemon as the host sees it.
///
/// Calls may come from many tasks at once. The host holds no lock while it waits for one, and it makes
/// them in order for one instance.
pub trait Backend: Send + Sync + 'static {
    /// A token for `define` of that executable: claim `* get *`, one hour (wire-protocol §1.2).
    fn define_token(&self, provider: &str) -> BoxFuture<'_, Result<Secret, Error>>;

    /// A token for the life of an instance: claim `* * *`. It must not be empty and must outlive the
    /// process.
    fn run_token(&self, plugin: &str) -> BoxFuture<'_, Result<Secret, Error>>;

    /// The body of `/config`: own params and every required and optional param of the provider by full
    /// lookup, decrypted. The host adds `Name`.
    ///
    /// # Errors
    /// What is wrong, one text each, for instance `Missing required parameter: <p>`. They become the
    /// plugin's `PluginErrors` and it is not started.
    fn config_params<'a>(
        &'a self,
        plugin: &'a Plugin,
        provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<JsonMap, Vec<String>>>;

    /// Registers the types of `StoreObjects` before `/config` is sent.
    fn register_store_objects<'a>(&'a self, provider: &'a PluginProvider)
    -> BoxFuture<'a, Result<(), Error>>;

    /// A plugin publishes an event. `Principal` is already `plugin:<name>`.
    fn publish(&self, plugin: &str, event: Event) -> BoxFuture<'_, Result<(), Error>>;

    /// A log line of a plugin, or of the host about one. Never fails and never waits.
    fn log(&self, line: Line);

    /// All objects under a prefix as a JSON list.
    fn objects(&self, prefix: &str) -> BoxFuture<'_, Result<Bytes, Error>>;

    /// The certificate of the API as PEM, for plugins that pin it.
    fn certificate(&self) -> Option<String>;

    /// The catalogue changed. Returning an error refuses an added or changed provider (bad content, say):
    /// it is then left out of the catalogue.
    fn provider_changed(&self, change: ProviderChange) -> BoxFuture<'_, Result<(), Error>>;

    /// An instance changed its state.
    fn instance_changed(&self, change: InstanceChange) -> BoxFuture<'_, ()>;
}
