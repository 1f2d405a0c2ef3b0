//! What can be seen of an instance from outside.

use crate::InstanceState;
use serde::Serialize;
use std::time::Duration;

/// A look at one instance, for diagnosis.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceStatus {
    /// Name of the instance.
    pub name: String,
    /// Name of its provider.
    pub provider: String,
    /// Where it is in its life: one of the words of [`InstanceState::name`].
    #[serde(serialize_with = "state_name")]
    pub state: InstanceState,
    /// Process id while it runs.
    pub pid: Option<u32>,
    /// How long the process runs, in seconds when serialised.
    #[serde(serialize_with = "seconds")]
    pub uptime: Option<Duration>,
    /// How often it was started again after a crash.
    pub restarts: u64,
    /// Calls in flight.
    pub in_flight: usize,
    /// Events that were dropped because its queue was full.
    pub dropped_events: u64,
    /// Log lines that were left out because it wrote too many.
    pub dropped_lines: u64,
    /// Its `PluginErrors`.
    pub errors: Vec<String>,
    /// The last lines of its standard output, oldest first.
    pub stdout: Vec<String>,
    /// The last lines of its standard error, oldest first.
    pub stderr: Vec<String>,
}

fn state_name<S: serde::Serializer>(state: &InstanceState, s: S) -> Result<S::Ok, S::Error> {
    s.serialize_str(state.name())
}

fn seconds<S: serde::Serializer>(time: &Option<Duration>, s: S) -> Result<S::Ok, S::Error> {
    match time {
        Some(time) => s.serialize_some(&time.as_secs_f64()),
        None => s.serialize_none(),
    }
}
