//! Starting, ready, stopping.

use std::time::Duration;
use tokio::sync::{Notify, watch};

/// Where the daemon is in its life, and the wish to stop.
#[derive(Default)]
pub(crate) struct Life {
    phase: watch::Sender<Phase>,
    wish: Notify,
}

/// Where the daemon is in its life.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// The API answers plugins; providers are still being scanned.
    #[default]
    Starting,
    /// Everything is up.
    Ready,
    /// Plugins are being stopped; the API still answers them.
    Stopping,
}

impl Life {
    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    /// Goes on to a phase; never back.
    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.send_if_modified(|now| {
            let later = phase > *now;
            *now = phase.max(*now);
            later
        });
    }

    /// Waits until everything is up, at most that long. Gives whether it is.
    pub(crate) async fn started(&self, within: Duration) -> bool {
        let mut phases = self.phase.subscribe();
        let up = phases.wait_for(|phase| *phase > Phase::Starting);
        tokio::time::timeout(within, up).await.is_ok_and(|phase| phase.is_ok())
    }

    /// Asks the daemon to stop.
    pub(crate) fn ask_to_stop(&self) {
        self.wish.notify_one();
    }

    /// Returns when somebody asked.
    pub(crate) async fn asked_to_stop(&self) {
        self.wish.notified().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_start_is_waited_for_but_not_for_ever() {
        let life = Life::default();
        assert!(!life.started(Duration::from_millis(1)).await);
        life.enter(Phase::Ready);
        assert!(life.started(Duration::ZERO).await);
        life.enter(Phase::Stopping);
        life.enter(Phase::Ready);
        assert_eq!(life.phase(), Phase::Stopping);
    }
}
