//! A place in the stream of events, with a bounded queue of its own.

use crate::bus::{Lost, Shared};
use crate::pattern::Kinds;
use crate::{Interest, Occurrence};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Bytes of events that may wait for one follower; one event always may.
const QUEUE_BYTES: usize = 32 << 20;

/// What a subscription yields.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The next event.
    Event(Arc<Occurrence>),
    /// Events of these numbers, both included, are lost to the follower: it was too slow, or they are not kept any
    /// more. Nothing outside the range is lost; some within it may not have been meant for the follower.
    Gap {
        /// First lost number.
        from: u64,
        /// Last lost number.
        to: u64,
    },
}

/// What the publisher knows of a subscription.
#[derive(Debug)]
pub(crate) struct Follower {
    capacity: usize,
    waiting: Mutex<Waiting>,
    bell: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    interest: Interest,
    events: VecDeque<Arc<Occurrence>>,
    weight: usize,
    /// What was lost; it lies before all that waits.
    lost: Option<(u64, u64)>,
    closed: bool,
}

impl Follower {
    pub(crate) fn new(interest: Interest, capacity: usize) -> Self {
        let waiting = Waiting { interest, ..Waiting::default() };
        Self { capacity: capacity.max(1), waiting: Mutex::new(waiting), bell: Notify::new() }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an event that the interest lets through, in the place of the oldest when the queue is full. Whether the
    /// follower must be woken.
    pub(crate) fn offer(&self, occurrence: &Arc<Occurrence>, lost: &Lost) -> bool {
        let mut waiting = self.waiting();
        if !waiting.interest.may_want(occurrence) {
            return false;
        }
        let first = waiting.events.is_empty();
        waiting.weight += occurrence.weight();
        waiting.events.push_back(Arc::clone(occurrence));
        while waiting.events.len() > self.capacity
            || (waiting.weight > QUEUE_BYTES && waiting.events.len() > 1)
        {
            let Some(oldest) = waiting.events.pop_front() else { break };
            waiting.weight -= oldest.weight();
            lost.events.fetch_add(1, Ordering::Relaxed);
            if waiting.lost.is_none() {
                lost.gaps.fetch_add(1, Ordering::Relaxed);
            }
            let from = waiting.lost.map_or(oldest.seq, |(from, _)| from);
            waiting.lost = Some((from, oldest.seq));
        }
        first
    }

    pub(crate) fn wake(&self) {
        self.bell.notify_one();
    }

    pub(crate) fn close(&self) {
        self.waiting().closed = true;
        self.bell.notify_one();
    }

    pub(crate) fn kinds(&self) -> Kinds {
        self.waiting().interest.kinds()
    }

    /// Gives back the types of the interest before.
    pub(crate) fn set_interest(&self, interest: Interest) -> Kinds {
        std::mem::replace(&mut self.waiting().interest, interest).kinds()
    }

    pub(crate) fn is_empty(&self) -> bool {
        let waiting = self.waiting();
        waiting.events.is_empty() && waiting.lost.is_none()
    }
}

/// A place in the stream of events.
#[derive(Debug)]
pub struct Subscription {
    shared: Arc<Shared>,
    follower: Arc<Follower>,
    gap: Option<(u64, u64)>,
    replay: VecDeque<Arc<Occurrence>>,
    /// Everything up to this number was yielded or was not meant for this follower.
    position: u64,
}

impl Subscription {
    pub(crate) fn new(
        shared: Arc<Shared>,
        follower: Arc<Follower>,
        position: u64,
        gap: Option<(u64, u64)>,
        replay: VecDeque<Arc<Occurrence>>,
    ) -> Self {
        Self { shared, follower, gap, replay, position }
    }

    /// Wants other events from now on. What waits already still comes.
    pub fn set_interest(&self, interest: Interest) {
        self.shared.refile(&self.follower, interest);
    }

    /// The next event or gap; none when the engine is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        let mut one = Vec::with_capacity(1);
        self.take(1, &mut one).await;
        one.pop()
    }

    /// Waits for something and takes up to `most` of what is there; takes nothing when the engine is gone.
    /// Cancel-safe.
    pub async fn take(&mut self, most: usize, into: &mut Vec<Delivery>) {
        let before = into.len();
        loop {
            let open = self.take_now(most, into);
            if into.len() > before || !open {
                return;
            }
            self.follower.bell.notified().await;
        }
    }

    /// As [`Subscription::take`] without waiting. False when nothing more will come.
    fn take_now(&mut self, most: usize, into: &mut Vec<Delivery>) -> bool {
        let most = into.len() + most.max(1);
        if let Some((from, to)) = self.gap.take() {
            self.position = to;
            into.push(Delivery::Gap { from, to });
        }
        while into.len() < most
            && let Some(kept) = self.replay.pop_front()
        {
            self.position = kept.seq;
            if self.follower.waiting().interest.may_want(&kept) {
                into.push(Delivery::Event(kept));
            }
        }
        if into.len() >= most {
            return true;
        }
        let mut waiting = self.follower.waiting();
        if let Some((from, to)) = waiting.lost.take() {
            self.position = to;
            into.push(Delivery::Gap { from, to });
        }
        while into.len() < most
            && let Some(event) = waiting.events.pop_front()
        {
            waiting.weight -= event.weight();
            self.position = event.seq;
            into.push(Delivery::Event(event));
        }
        // The publisher wakes nobody who has something waiting.
        !waiting.closed || !waiting.events.is_empty()
    }

    /// All events up to this number were yielded, lost in a yielded gap, or not wanted: who begins after it misses
    /// nothing.
    #[must_use]
    pub fn position(&mut self) -> u64 {
        if self.gap.is_none()
            && self.replay.is_empty()
            && let Some(last) = self.shared.caught_up(&self.follower)
        {
            self.position = last;
        }
        self.position
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.shared.leave(&self.follower);
    }
}
