//! An action on its way into a plugin.

use crate::{Error, Params, Value};
use serde::de::DeserializeOwned;

/// A command to run on an object (wire-protocol §2.3).
#[derive(Clone)]
pub struct Action {
    /// The object it acts on; its secure params are sealed. See [`Action::object`].
    pub model: Value,
    /// Name of the plugin instance.
    pub plugin: String,
    /// Name of the command.
    pub command: String,
    /// Prefix of the object, `system`, or empty with older daemons.
    pub command_set: String,
    /// Resolved and decrypted params.
    pub params: Params,
}

impl Action {
    /// The params as a struct; see [`Params::decode`].
    ///
    /// # Errors
    /// Code 400 that names the param that is missing or does not fit.
    pub fn params<T: DeserializeOwned>(&self) -> Result<T, Error> {
        self.params.decode()
    }

    /// The object it acts on, for instance a [`Machine`](crate::Machine).
    ///
    /// # Errors
    /// Code 409 when the object is not of that type.
    pub fn object<T: DeserializeOwned>(&self) -> Result<T, Error> {
        T::deserialize(&self.model).map_err(|e| {
            Error::new(
                409,
                "plugin",
                format!("Action {}: the object it acts on does not fit: {e}", self.command),
            )
        })
    }

    /// The answer to a command the plugin does not have: code 404.
    #[must_use]
    pub fn unknown(&self) -> Error {
        Error::new(404, "plugin", format!("Unknown command: {}", self.command))
            .on("plugin", self.plugin.clone())
    }
}

impl From<drp_protocol::Action> for Action {
    fn from(wire: drp_protocol::Action) -> Self {
        let drp_protocol::Action { model, plugin, command, command_set, params } = wire;
        Self { model, plugin, command, command_set, params: params.into() }
    }
}

/// Without the object and the values of params, which may be secret.
impl std::fmt::Debug for Action {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Action { plugin, command, command_set, params, .. } = self;
        f.debug_struct("Action")
            .field("plugin", plugin)
            .field("command", command)
            .field("command_set", command_set)
            .field("params", params)
            .finish_non_exhaustive()
    }
}
