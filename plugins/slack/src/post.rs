//! Turns: one message after the other in a channel, with Slack's pace and its pauses between them, whoever posts.

use crate::api::Api;
use crate::problem::Failure;
use drp_plugin_sdk::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Channels whose pace is remembered.
const REMEMBERED: usize = 1000;
/// The pace that Slack asks for, "about one message a second": that of actions, and of the last message before the end.
pub(crate) const SLACKS_PACE: Duration = Duration::from_secs(1);

/// When the next message may go into a channel. Whoever holds the lock has the turn.
#[derive(Debug, Default)]
pub(crate) struct Turn {
    last: Option<Instant>,
    /// Slack asked to wait until then.
    pause: Option<Instant>,
}

/// The turns of all channels. They outlive a change of the settings, so that nobody posts faster by it.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<String, Arc<tokio::sync::Mutex<Turn>>>>);

impl Turns {
    /// The turn of a channel; of the webhook's for none.
    pub(crate) fn of(&self, channel: Option<&str>) -> Arc<tokio::sync::Mutex<Turn>> {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if turns.len() >= REMEMBERED {
            // Those that nobody holds have been quiet.
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
        }
        turns.entry(channel.unwrap_or_default().to_owned()).or_default().clone()
    }
}

impl Turn {
    /// How long until a message may go at that pace.
    pub(crate) fn wait(&self, pace: Duration) -> Duration {
        let next = self.last.map(|last| last + pace).max(self.pause);
        next.map_or(Duration::ZERO, |next| next.saturating_duration_since(Instant::now()))
    }

    /// Posts, and notes when the next one may.
    pub(crate) async fn post(
        &mut self,
        api: &Api,
        channel: Option<&str>,
        message: &Value,
    ) -> Result<String, Failure> {
        let outcome = api.post(channel, message).await;
        let now = Instant::now();
        self.last = Some(now);
        if let Err(Failure::Limited(pause)) = &outcome {
            self.pause = Some(now + *pause);
        }
        outcome
    }
}
