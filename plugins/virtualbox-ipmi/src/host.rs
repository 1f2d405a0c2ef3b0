//! One VirtualBox with what the plugin keeps about it: which machines are being changed, and when the next may start.

use crate::answer::Failure;
use drp_plugin_sdk::CancellationToken;
use drp_vbox::Vbox;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// So many starts may wait for their turn.
const WAITING_STARTS: u32 = 60;

/// A VirtualBox.
pub(crate) struct Host {
    pub(crate) vbox: Vbox,
    gap: Duration,
    next_start: Mutex<Option<Instant>>,
    changing: Mutex<HashMap<String, &'static str>>,
    stopping: CancellationToken,
}

/// A machine that is being changed, until this is dropped.
pub(crate) struct Claim {
    host: Arc<Host>,
    uuid: String,
}

impl Host {
    pub(crate) fn new(vbox: Vbox, gap: Duration, stopping: CancellationToken) -> Self {
        Self { vbox, gap, next_start: Mutex::default(), changing: Mutex::default(), stopping }
    }

    /// Claims a machine for a change.
    pub(crate) fn claim(self: &Arc<Self>, uuid: &str, verb: &'static str) -> Result<Claim, Failure> {
        let mut changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(other) = changing.get(uuid) {
            return Err(Failure::Conflict(other));
        }
        changing.insert(uuid.to_owned(), verb);
        Ok(Claim { host: self.clone(), uuid: uuid.to_owned() })
    }

    /// Waits for the turn to start a machine: starts of one host keep a distance, as the reference has it. The turn is
    /// taken at once; no lock is held while waiting.
    pub(crate) async fn start_turn(&self) -> Result<(), Failure> {
        let now = Instant::now();
        let turn = {
            let mut next = self.next_start.lock().unwrap_or_else(PoisonError::into_inner);
            let turn = next.unwrap_or(now).max(now);
            if turn - now > self.gap * WAITING_STARTS {
                let what = format!("{WAITING_STARTS} starts wait already at {}", self.vbox.place());
                return Err(Failure::QueueFull(what));
            }
            *next = Some(turn + self.gap);
            turn
        };
        self.pause(turn - now).await
    }

    /// Waits, unless the plugin stops.
    pub(crate) async fn pause(&self, time: Duration) -> Result<(), Failure> {
        tokio::select! {
            () = self.stopping.cancelled() => Err(Failure::Cancelled),
            () = tokio::time::sleep(time) => Ok(()),
        }
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.host.changing.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.uuid);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use drp_vbox::Place;

    #[tokio::test(start_paused = true)]
    async fn starts_keep_their_distance_and_the_queue_is_bounded() {
        let host =
            Arc::new(Host::new(Vbox::new(Place::Local), Duration::from_secs(1), CancellationToken::new()));
        let began = Instant::now();
        for _ in 0..3 {
            host.start_turn().await.unwrap();
        }
        assert_eq!(began.elapsed().as_secs(), 2);
        let waiting: Vec<_> = (0..70)
            .map(|_| {
                let host = host.clone();
                tokio::spawn(async move { host.start_turn().await.is_ok() })
            })
            .collect();
        let mut served = 0;
        for turn in waiting {
            served += u32::from(turn.await.unwrap());
        }
        assert_eq!(served, WAITING_STARTS, "the others were refused");
    }

    #[tokio::test]
    async fn one_change_at_a_time() {
        let host = Arc::new(Host::new(Vbox::new(Place::Local), Duration::ZERO, CancellationToken::new()));
        let claim = host.claim("a", "poweron").unwrap();
        assert!(matches!(host.claim("a", "poweroff"), Err(Failure::Conflict("poweron"))));
        assert!(host.claim("b", "poweroff").is_ok());
        drop(claim);
        assert!(host.claim("a", "poweroff").is_ok());
    }
}
