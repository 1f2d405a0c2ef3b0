//! Starting, ready, stopping.

use std::sync::atomic::{AtomicU8, Ordering};
use tokio::sync::Notify;

/// Where the daemon is in its life, and the wish to stop.
#[derive(Default)]
pub(crate) struct Life {
    phase: AtomicU8,
    wish: Notify,
}

/// Where the daemon is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The API answers; providers are still being scanned.
    Starting,
    /// Everything is up.
    Ready,
    /// Plugins are being stopped; the API still answers them.
    Stopping,
}

impl Life {
    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Ordering::Acquire) {
            0 => Phase::Starting,
            1 => Phase::Ready,
            _ => Phase::Stopping,
        }
    }

    pub(crate) fn enter(&self, phase: Phase) {
        self.phase.fetch_max(phase as u8, Ordering::AcqRel);
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
