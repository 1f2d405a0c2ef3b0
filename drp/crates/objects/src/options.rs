//! How an engine is opened.

use drp_protocol::Secret;

/// The account made when the user store is empty (wire-protocol §3.2).
#[derive(Debug, Clone)]
pub struct FirstUser {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: Secret<String>,
}

/// Settings of an engine. All have defaults.
#[derive(Debug, Clone)]
pub struct Options {
    /// How many events a slow subscriber may fall behind before it loses the oldest.
    pub event_capacity: usize,
    /// How many events are kept for those who come back, at most [`Options::event_history_bytes`] of them.
    pub event_history: usize,
    /// How many bytes of events are kept for those who come back.
    pub event_history_bytes: usize,
    /// How many log lines are kept.
    pub log_lines: usize,
    /// Largest JSON text of one object, in bytes.
    pub max_object_bytes: usize,
    /// What the daemon can do, in the words that content asks for in `RequiredFeatures`.
    pub features: Vec<String>,
    /// The account to make when there are no users at all; none is made without it.
    pub first_user: Option<FirstUser>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            event_capacity: 8192,
            event_history: 10_000,
            event_history_bytes: 16 << 20,
            log_lines: 1000,
            max_object_bytes: 16 << 20,
            features: Vec::new(),
            first_user: None,
        }
    }
}
