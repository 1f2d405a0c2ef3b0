//! What the command line asks of the daemon's own code. The `drp` binary supplies it, so that this crate, and what
//! is built from it, needs neither server nor host.

use crate::Failure;
use crate::grammar::Flags;
use drp_extensions::Hosting;
use drp_protocol::JsonMap;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One setting of the daemon with its origin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setting {
    /// Its name.
    pub name: String,
    /// Its value as text.
    pub value: String,
    /// Where the value comes from.
    pub origin: String,
}

/// One action to run on a plugin without a daemon.
#[derive(Debug, Clone)]
pub struct OneAction {
    /// The executable.
    pub binary: PathBuf,
    /// The action.
    pub action: String,
    /// Params of the action.
    pub params: JsonMap,
    /// Params of the plugin.
    pub config: JsonMap,
    /// Names of the params whose values stood on the command line, where others could see them.
    pub seen: Vec<String>,
    /// The machine it acts on, or null.
    pub machine: Value,
    /// Show the plugin's log lines on standard error.
    pub logs: bool,
}

/// The daemon's own code.
pub trait Hooks {
    /// Runs the daemon until it is stopped.
    ///
    /// # Errors
    /// What keeps it from starting.
    fn serve(&self, flags: &Flags) -> Result<(), Failure>;

    /// What the daemon would run with.
    ///
    /// # Errors
    /// Everything that is wrong with the settings.
    fn settings(&self, flags: &Flags) -> Result<Vec<Setting>, Failure>;

    /// Puts a backup in the place of the store.
    ///
    /// # Errors
    /// When the file is not a backup or the store is in use.
    fn restore(&self, flags: &Flags, file: &Path) -> Result<(), Failure>;

    /// Starts a plugin, runs one action and stops it.
    ///
    /// # Errors
    /// The plugin's own error, or why it does not run.
    fn plugin_run(&self, action: &OneAction) -> Result<Value, Failure>;

    /// Runs extensions as the plugins that they become, without a daemon. `logs` shows all their log lines on standard
    /// error, and not only warnings.
    fn hosting(&self, logs: bool) -> Arc<dyn Hosting>;
}
