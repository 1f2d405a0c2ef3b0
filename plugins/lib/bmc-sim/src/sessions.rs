//! The BMC's session slots.

use drp_ipmi::Privilege;
use drp_ipmi::codec::crypto::{Exchange, SessionKeys};
use drp_ipmi::codec::window::Window;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// A slot that never gets past the handshake is free again after this time.
const HALF_OPEN: Duration = Duration::from_secs(10);

/// How far a session has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Open Session was answered.
    Opened,
    /// RAKP message 2 was sent; the index is the user's.
    Challenged { user: usize },
    /// RAKP message 4 was sent.
    Active { keys: Box<SessionKeys>, rakp4: Vec<u8> },
}

#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) peer: SocketAddr,
    pub(crate) tag: u8,
    pub(crate) exchange: Exchange,
    pub(crate) stage: Stage,
    /// What the session may become: the lesser of what was asked for and what the user may.
    pub(crate) limit: Privilege,
    pub(crate) privilege: Privilege,
    pub(crate) window: Window,
    pub(crate) sequence: u32,
    last: Instant,
}

impl Slot {
    pub(crate) fn new(peer: SocketAddr, tag: u8, exchange: Exchange, limit: Privilege, now: Instant) -> Self {
        Self {
            peer,
            tag,
            exchange,
            stage: Stage::Opened,
            limit,
            // A session starts at user level (IPMI 2.0 §22.18).
            privilege: Privilege::User,
            window: Window::default(),
            sequence: 0,
            last: now,
        }
    }

    /// Says that the session is alive.
    pub(crate) fn touch(&mut self, now: Instant) {
        self.last = now;
    }
}

/// All slots, by the BMC's session id.
#[derive(Debug, Default)]
pub(crate) struct Sessions {
    slots: HashMap<u32, Slot>,
    next_id: u32,
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn get_mut(&mut self, id: u32) -> Option<&mut Slot> {
        self.slots.get_mut(&id)
    }

    pub(crate) fn remove(&mut self, id: u32) -> Option<Slot> {
        self.slots.remove(&id)
    }

    /// Forgets a slot whose handshake failed; says whether there was one. A session that is logged in stays: the
    /// messages of a handshake prove nothing, and a late repetition of one must not end it.
    pub(crate) fn remove_half_open(&mut self, id: u32) -> bool {
        let half_open = self.slots.get(&id).is_some_and(|s| !matches!(s.stage, Stage::Active { .. }));
        half_open && self.slots.remove(&id).is_some()
    }

    pub(crate) fn clear(&mut self) {
        self.slots.clear();
    }

    /// Sessions that are logged in.
    pub(crate) fn active(&self) -> usize {
        self.slots.values().filter(|s| matches!(s.stage, Stage::Active { .. })).count()
    }

    /// The slot of the same request, seen before: a retransmission does not take a second one.
    pub(crate) fn same_request(&self, peer: SocketAddr, tag: u8, console_id: u32) -> Option<u32> {
        let same = |s: &Slot| s.peer == peer && s.tag == tag && s.exchange.console_id == console_id;
        self.slots.iter().find(|(_, s)| same(s)).map(|(id, _)| *id)
    }

    /// A session id that is free, never 0.
    pub(crate) fn free_id(&mut self) -> u32 {
        loop {
            self.next_id = self.next_id.checked_add(1).unwrap_or(1);
            if !self.slots.contains_key(&self.next_id) {
                return self.next_id;
            }
        }
    }

    pub(crate) fn insert(&mut self, id: u32, slot: Slot) {
        self.slots.insert(id, slot);
    }

    /// Forgets who was silent too long; gives the number of sessions that were logged in.
    pub(crate) fn expire(&mut self, now: Instant, idle: Duration) -> u64 {
        let mut expired = 0;
        self.slots.retain(|_, slot| {
            let active = matches!(slot.stage, Stage::Active { .. });
            let limit = if active { idle } else { idle.min(HALF_OPEN) };
            let keep = now.saturating_duration_since(slot.last) < limit;
            expired += u64::from(!keep && active);
            keep
        });
        expired
    }
}
