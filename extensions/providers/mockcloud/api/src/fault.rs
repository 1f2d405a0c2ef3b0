//! What goes wrong on demand.

use serde::{Deserialize, Serialize};

/// Faults that are due. Each count goes down as its fault strikes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Faults {
    /// So many requests are answered 429 with `Retry-After: 0`.
    pub(crate) rate_limited: u32,
    /// So many requests are answered 503, and nothing is done.
    pub(crate) unavailable: u32,
    /// So many requests are carried out and answered 502, as if the answer had been lost on the way.
    pub(crate) lost_answer: u32,
    /// So many servers end in `error` instead of `running`.
    pub(crate) failed_creation: u32,
    /// So many creations never get further than `creating`.
    pub(crate) stuck_creation: u32,
}

impl Faults {
    /// Whether a fault of this kind strikes now.
    pub(crate) fn strikes(count: &mut u32) -> bool {
        let due = *count > 0;
        *count = count.saturating_sub(1);
        due
    }
}
