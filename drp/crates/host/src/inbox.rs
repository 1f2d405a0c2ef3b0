//! What an instance is asked to do, merged so that it never grows.

use drp_protocol::Plugin;
use std::sync::{Mutex, PoisonError};
use tokio::sync::Notify;

/// The wishes that came since the instance looked last.
#[derive(Debug, Default)]
pub(crate) struct Wishes {
    /// The plugin object as it is now.
    pub(crate) plugin: Option<Plugin>,
    /// Stop and start, whether anything differs or not.
    pub(crate) restart: bool,
    /// Send `/config` again.
    pub(crate) reconfigure: bool,
    /// Stop for good.
    pub(crate) end: bool,
}

/// Wishes on their way to one instance.
#[derive(Debug, Default)]
pub(crate) struct Inbox {
    wishes: Mutex<Wishes>,
    news: Notify,
}

impl Inbox {
    pub(crate) fn wish(&self, change: impl FnOnce(&mut Wishes)) {
        change(&mut self.wishes.lock().unwrap_or_else(PoisonError::into_inner));
        self.news.notify_one();
    }

    pub(crate) fn ending(&self) -> bool {
        self.wishes.lock().unwrap_or_else(PoisonError::into_inner).end
    }

    /// Takes what is there, without waiting. The wish to end stays.
    pub(crate) fn take(&self) -> Wishes {
        let mut wishes = self.wishes.lock().unwrap_or_else(PoisonError::into_inner);
        let end = wishes.end;
        Wishes { end, ..std::mem::replace(&mut *wishes, Wishes { end, ..Wishes::default() }) }
    }

    /// Waits for a wish. May return without one.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }
}
