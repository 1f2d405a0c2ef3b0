//! What a task service on a machine knows of itself: `/var/lib/drp/taskservs/NAME/state.json` there.

use crate::TaskservError;
use crate::machine::Machine;
use crate::scripts;
use drp_protocol::JsonMap;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It is there, and was well when it was changed last.
    Installed,
    /// A change began and did not end: `previous/` holds what was before.
    Changing,
}

/// The state. It holds the configuration, so the file is for its owner only.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct State {
    pub(crate) phase: Phase,
    pub(crate) version: String,
    /// Version that a change makes.
    #[serde(default)]
    pub(crate) wanted: Option<String>,
    /// Whether there is a `state.json` of before in `previous/`.
    #[serde(default)]
    pub(crate) had_before: bool,
    pub(crate) config: JsonMap,
    /// Programs with their SHA-256.
    #[serde(default)]
    pub(crate) programs: BTreeMap<String, String>,
    /// Everything else that was written.
    #[serde(default)]
    pub(crate) files: Vec<String>,
    /// What a change touches, in the order of `previous/`.
    #[serde(default)]
    pub(crate) touched: Vec<String>,
    /// Folders that were made.
    #[serde(default)]
    pub(crate) made: Vec<String>,
    /// Folders that a change makes.
    #[serde(default)]
    pub(crate) making: Vec<String>,
    /// Its unit.
    #[serde(default)]
    pub(crate) unit: Option<String>,
    /// The unit before the change.
    #[serde(default)]
    pub(crate) unit_before: Option<String>,
    /// Whether that ran.
    #[serde(default)]
    pub(crate) ran: bool,
}

impl State {
    pub(crate) async fn read(machine: &Machine, here: &str) -> Result<Option<Self>, TaskservError> {
        let text = machine.tell(scripts::READ, &[&format!("{here}/state.json")], "reading the state").await?;
        if text.trim().is_empty() {
            return Ok(None);
        }
        // serde's words could hold a part of the configuration.
        serde_json::from_str(&text).map(Some).map_err(|_| {
            TaskservError::machine(
                format!("{here}/state.json on {} cannot be read", machine.ssh.target()),
                "see what changed it; uninstall with force removes what this version of the extension installs",
            )
        })
    }

    pub(crate) async fn write(&self, machine: &Machine, here: &str) -> Result<(), TaskservError> {
        let text = serde_json::to_vec_pretty(self).map_err(|e| TaskservError::Record(e.to_string()))?;
        machine.write(&format!("{here}/state.json"), 0o600, text).await
    }

    /// All files that are there.
    pub(crate) fn paths(&self) -> Vec<String> {
        self.programs.keys().chain(&self.files).cloned().collect()
    }
}
