//! The event bus: numbers events, keeps the latest, and wakes those whom one concerns (wire-protocol §4).

use crate::events::Happening;
use crate::follower::{Follower, Subscription};
use crate::pattern::Kinds;
use crate::{Interest, Objects, Occurrence};
use bytes::Bytes;
use drp_protocol::Event;
use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

/// How much the bus keeps.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    /// Events that a slow follower may have waiting.
    pub(crate) queue: usize,
    /// Events kept for those who come back.
    pub(crate) history: usize,
    /// The same in bytes.
    pub(crate) history_bytes: usize,
}

/// Publishes events to any number of followers without ever waiting for one.
#[derive(Debug)]
pub struct EventBus {
    shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    bounds: Bounds,
    epoch: String,
    // Numbering, keeping and queueing are one step, so that the order of numbers is the order of arrival.
    state: Mutex<State>,
    lost: Lost,
}

/// What slow followers lost, all together.
#[derive(Debug, Default)]
pub(crate) struct Lost {
    /// Times that one began to lose.
    pub(crate) gaps: AtomicU64,
    /// Events.
    pub(crate) events: AtomicU64,
}

/// Numbers about the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Whoever follows now.
    pub subscribers: usize,
    /// Times that a follower was too slow.
    pub gaps: u64,
    /// Events that those followers lost.
    pub lost: u64,
}

#[derive(Debug, Default)]
struct State {
    last: u64,
    history: VecDeque<Arc<Occurrence>>,
    history_weight: usize,
    /// Followers of some types, by type.
    some: HashMap<String, Vec<Arc<Follower>>>,
    /// Followers of all types.
    all: Vec<Arc<Follower>>,
    followers: usize,
    gone: bool,
}

impl State {
    fn enrol(&mut self, follower: &Arc<Follower>, kinds: &Kinds) {
        match kinds {
            Kinds::All => self.all.push(Arc::clone(follower)),
            Kinds::Some(kinds) => {
                for kind in kinds {
                    self.some.entry(kind.clone()).or_default().push(Arc::clone(follower));
                }
            }
        }
    }

    fn strike(&mut self, follower: &Arc<Follower>, kinds: &Kinds) {
        let others = |known: &Arc<Follower>| !Arc::ptr_eq(known, follower);
        match kinds {
            Kinds::All => self.all.retain(others),
            Kinds::Some(kinds) => {
                for kind in kinds {
                    let Some(followers) = self.some.get_mut(kind) else { continue };
                    followers.retain(others);
                    if followers.is_empty() {
                        self.some.remove(kind);
                    }
                }
            }
        }
    }

    /// Keeps an event; gives back what is dropped for it, for the caller to drop without the lock.
    fn keep(&mut self, occurrence: &Arc<Occurrence>, bounds: &Bounds) -> Vec<Arc<Occurrence>> {
        let mut dropped = Vec::new();
        self.history_weight += occurrence.weight();
        self.history.push_back(Arc::clone(occurrence));
        while self.history.len() > bounds.history || self.history_weight > bounds.history_bytes {
            let Some(oldest) = self.history.pop_front() else { break };
            self.history_weight -= oldest.weight();
            dropped.push(oldest);
        }
        dropped
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes what wakes a follower.
    pub(crate) fn refile(&self, follower: &Arc<Follower>, interest: Interest) {
        let mut state = self.state();
        let kinds = interest.kinds();
        let before = follower.set_interest(interest);
        if before != kinds {
            state.strike(follower, &before);
            state.enrol(follower, &kinds);
        }
    }

    pub(crate) fn leave(&self, follower: &Arc<Follower>) {
        let kinds = follower.kinds();
        let mut state = self.state();
        state.strike(follower, &kinds);
        state.followers = state.followers.saturating_sub(1);
    }

    /// The last number, if nothing waits for the follower.
    pub(crate) fn caught_up(&self, follower: &Follower) -> Option<u64> {
        let state = self.state();
        follower.is_empty().then_some(state.last)
    }
}

impl EventBus {
    pub(crate) fn new(bounds: Bounds) -> Self {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let shared = Shared {
            bounds,
            epoch: format!("{:x}", since.as_micros()),
            state: Mutex::default(),
            lost: Lost::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Names the life of this process: numbers of another epoch say nothing here. Letters and digits only.
    #[must_use]
    pub fn epoch(&self) -> &str {
        &self.shared.epoch
    }

    /// Follows every event published from now on.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        self.follow(Interest::Everything, None)
    }

    /// Follows what somebody is interested in, from now on. Other events cost the follower nothing.
    #[must_use]
    pub fn subscribe_to(&self, interest: Interest) -> Subscription {
        self.follow(interest, None)
    }

    /// Follows what somebody is interested in, beginning with the event after number `after`. What is not kept any more
    /// comes first as a [`crate::Delivery::Gap`]. A number that is not yet given is the same as the last one.
    #[must_use]
    pub fn subscribe_after(&self, interest: Interest, after: u64) -> Subscription {
        self.follow(interest, Some(after))
    }

    fn follow(&self, interest: Interest, after: Option<u64>) -> Subscription {
        let kinds = interest.kinds();
        let mut state = self.shared.state();
        let follower = Arc::new(Follower::new(interest, self.shared.bounds.queue));
        let last = state.last;
        let after = after.unwrap_or(last).min(last);
        let oldest = state.history.front().map_or(last + 1, |kept| kept.seq);
        let gap = (after + 1 < oldest).then_some((after + 1, oldest - 1));
        let skip = usize::try_from((after + 1).saturating_sub(oldest)).unwrap_or(usize::MAX);
        let replay: VecDeque<_> = state.history.iter().skip(skip).cloned().collect();
        state.enrol(&follower, &kinds);
        state.followers += 1;
        if state.gone {
            follower.close();
        }
        Subscription::new(Arc::clone(&self.shared), follower, after, gap, replay)
    }

    /// Publishes an event from outside. An empty `Time` is stamped.
    pub fn publish(&self, event: Event) {
        self.send(Occurrence::from_event(event));
    }

    /// As [`EventBus::publish`], of an object that is JSON text already: nothing is built that nobody asks for.
    pub fn publish_json(&self, kind: &str, action: &str, key: String, principal: String, object: Bytes) {
        let kind = kind.to_owned();
        let happening = Happening { kind, action: "", key, principal, object, original: Bytes::new() };
        self.send(happening.into_occurrence(action));
    }

    pub(crate) fn happened(&self, happening: Happening) {
        let action = happening.action;
        self.send(happening.into_occurrence(action));
    }

    fn send(&self, mut occurrence: Occurrence) {
        let mut sleepers = Vec::new();
        let mut state = self.shared.state();
        state.last += 1;
        occurrence.seq = state.last;
        let occurrence = Arc::new(occurrence);
        let dropped = state.keep(&occurrence, &self.shared.bounds);
        let some = state.some.get(occurrence.kind()).map(Vec::as_slice).unwrap_or_default();
        for follower in state.all.iter().chain(some) {
            if follower.offer(&occurrence, &self.shared.lost) {
                sleepers.push(Arc::clone(follower));
            }
        }
        drop(state);
        drop(dropped);
        sleepers.iter().for_each(|follower| follower.wake());
    }

    /// Numbers about the bus.
    #[must_use]
    pub fn counts(&self) -> EventCounts {
        EventCounts {
            subscribers: self.shared.state().followers,
            gaps: self.shared.lost.gaps.load(Ordering::Relaxed),
            lost: self.shared.lost.events.load(Ordering::Relaxed),
        }
    }

    /// The number of the last event, 0 when there was none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        self.shared.state().last
    }
}

impl Drop for EventBus {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.gone = true;
        let some = state.some.values().flatten();
        state.all.iter().chain(some).for_each(|follower| follower.close());
    }
}

impl Objects {
    /// The event bus.
    #[must_use]
    pub fn events(&self) -> &EventBus {
        &self.inner.events
    }
}

#[cfg(test)]
#[path = "bus_tests.rs"]
mod tests;
