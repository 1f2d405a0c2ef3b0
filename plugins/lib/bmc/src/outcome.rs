//! What a verb answers (plugins §2.1).

use crate::Power;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One thing that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// With which driver.
    pub driver: String,
    /// Why it was not the last one; empty for what succeeded.
    pub error: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

/// The result of a verb.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Outcome {
    /// Power as last read.
    pub state: Power,
    /// What was asked: a power state, a boot device, an identify time; empty for verbs that only read.
    pub requested: String,
    /// What was read back, in the same words.
    pub observed: String,
    /// Name of the driver.
    pub driver: String,
    /// What was tried, in order. The last one has no error.
    pub attempts: Vec<Attempt>,
    /// `observed` was read from the BMC after the change and is what was asked. When false, the command was sent
    /// and accepted, and whether it had its effect cannot be read.
    pub verified: bool,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// One sentence for people.
    pub text: String,
    /// More about it, for verbs that read more than one value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
}
