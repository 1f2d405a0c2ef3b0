//! What all requests with one key share: a pause the service asked for, and the breaker after a refused key.

use reqwest::header::{HeaderMap, RETRY_AFTER};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::time::Instant;

/// A refused key is tried again after this time: services lock accounts that keep trying.
const BREAK: Duration = Duration::from_secs(300);
/// No pause is longer, whatever a service says.
const LONGEST: Duration = Duration::from_secs(60);

#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    refused: Option<Instant>,
    pause: Option<Instant>,
}

impl Gate {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key was refused.
    pub(super) fn refused(&self) {
        self.state().refused = Some(Instant::now());
    }

    /// The key was taken.
    pub(super) fn taken(&self) {
        self.state().refused = None;
    }

    /// Since when the breaker is open.
    pub(super) fn open_since(&self) -> Option<Duration> {
        self.state().refused.map(|at| at.elapsed()).filter(|since| *since < BREAK)
    }

    /// How long requests shall wait.
    pub(super) fn pause(&self) -> Duration {
        self.state().pause.map(|until| until.saturating_duration_since(Instant::now())).unwrap_or_default()
    }

    /// Nobody sends anything for that long.
    pub(super) fn hold(&self, time: Duration) {
        let until = Instant::now() + time.min(LONGEST);
        let mut state = self.state();
        state.pause = Some(state.pause.map_or(until, |at| at.max(until)));
    }

    /// Notes what an answer says about the allowance: `X-RateLimit-Remaining` and `-Reset`.
    pub(super) fn heed(&self, headers: &HeaderMap) {
        if number(headers, "x-ratelimit-remaining") == Some(0)
            && let Some(reset) = number(headers, "x-ratelimit-reset")
        {
            self.hold(until(reset));
        }
    }
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// `X-RateLimit-Reset` is seconds from now, or seconds since 1970, according to taste.
fn until(reset: u64) -> Duration {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    Duration::from_secs(if reset > 1_000_000_000 { reset.saturating_sub(now) } else { reset })
}

/// `Retry-After` in seconds; its other form, a date, is not used by this API.
pub(super) fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok().map(Duration::from_secs)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reset_is_a_time_or_a_span() {
        assert_eq!(until(7), Duration::from_secs(7));
        assert_eq!(until(1_000_000_001), Duration::ZERO, "it is over");
        let soon = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 20;
        assert!((18..=20).contains(&until(soon).as_secs()));
    }

    #[test]
    fn pauses_are_bounded_and_the_longer_wins() {
        let gate = Gate::default();
        gate.hold(Duration::from_secs(1_000_000));
        gate.hold(Duration::from_secs(1));
        let pause = gate.pause();
        assert!(pause > Duration::from_secs(50) && pause <= LONGEST, "{pause:?}");
        let mut headers = HeaderMap::new();
        headers.insert("x-ratelimit-remaining", "0".parse().unwrap());
        let gate = Gate::default();
        gate.heed(&headers);
        assert_eq!(gate.pause(), Duration::ZERO, "nobody knows until when");
        headers.insert("x-ratelimit-reset", "9".parse().unwrap());
        gate.heed(&headers);
        assert!(gate.pause() > Duration::from_secs(5));
    }

    #[test]
    fn the_breaker_opens_and_closes() {
        let gate = Gate::default();
        assert!(gate.open_since().is_none());
        gate.refused();
        assert!(gate.open_since().is_some());
        gate.taken();
        assert!(gate.open_since().is_none());
    }
}
