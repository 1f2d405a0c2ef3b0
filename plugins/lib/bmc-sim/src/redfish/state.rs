//! What the service has besides the machine: sessions, tasks, media, the SEL, firmware settings.

use super::profile::Profile;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A session.
#[derive(Debug, Clone)]
pub(crate) struct WebSession {
    pub(crate) id: String,
    pub(crate) token: String,
    pub(crate) user: String,
    last: Instant,
}

/// A task.
#[derive(Debug, Clone)]
pub(crate) struct Task {
    pub(crate) id: u64,
    pub(crate) until: Instant,
    /// `TaskState` at its end.
    pub(crate) ends: String,
    pub(crate) about: String,
}

/// What is in a media slot.
#[derive(Debug, Clone, Default)]
pub(crate) struct Inserted {
    pub(crate) image: String,
    pub(crate) inserted: bool,
    pub(crate) write_protected: bool,
    /// `Oem.Hpe.BootOnNextServerReset`.
    pub(crate) boot_next: bool,
}

/// An entry of the SEL.
#[derive(Debug, Clone)]
pub(crate) struct SelEntry {
    pub(crate) id: u64,
    pub(crate) created: String,
    pub(crate) severity: &'static str,
    pub(crate) text: &'static str,
    pub(crate) sensor: &'static str,
}

/// The whole of it.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) sessions: Vec<WebSession>,
    next_session: u64,
    pub(crate) tasks: Vec<Task>,
    next_task: u64,
    pub(crate) slots: Vec<Inserted>,
    pub(crate) sel: Vec<SelEntry>,
    /// How often the log had been cleared over IPMI or here when `sel` was last in line with it.
    pub(crate) sel_clears: u32,
    pub(crate) bios: Map<String, Value>,
    pub(crate) bios_pending: Map<String, Value>,
    pub(crate) secure_boot: bool,
    /// A boot source that IPMI has no word for.
    pub(crate) other_boot: String,
    /// Settings of the manager's interfaces that were patched, by interface.
    pub(crate) nics: BTreeMap<String, Value>,
    /// Ids of the accounts, in the order of the users.
    pub(crate) accounts: Vec<usize>,
}

/// Tasks kept.
const TASKS: usize = 100;

impl State {
    pub(crate) fn new(profile: Option<&Profile>) -> Self {
        let bios = json!({
            "BootMode": "Uefi", "BootSeqRetry": "Enabled", "ProcVirtualization": "Enabled",
            "LogicalProc": "Enabled", "SriovGlobalEnable": "Disabled", "AssetTag": "",
        });
        let entry = |id, created: &str, severity, text, sensor| SelEntry {
            id,
            created: created.to_owned(),
            severity,
            text,
            sensor,
        };
        Self {
            sessions: Vec::new(),
            next_session: 0,
            tasks: Vec::new(),
            next_task: 0,
            slots: vec![Inserted::default(); profile.map_or(0, |p| p.media.slots.len())],
            sel: vec![
                entry(1, "2026-01-05T08:00:00Z", "OK", "The event log was cleared.", "System Event"),
                entry(2, "2026-01-05T08:00:09Z", "OK", "AC power was restored.", "Power Unit"),
                entry(3, "2026-02-11T17:30:00Z", "Warning", "Fan 2 is below its lower warning limit.", "Fan"),
            ],
            sel_clears: 0,
            bios: bios.as_object().cloned().unwrap_or_default(),
            bios_pending: Map::new(),
            secure_boot: false,
            other_boot: String::new(),
            nics: BTreeMap::new(),
            accounts: Vec::new(),
        }
    }

    /// Forgets sessions that were silent too long; gives their number.
    pub(crate) fn expire(&mut self, now: Instant, idle: Duration) -> u64 {
        let before = self.sessions.len();
        self.sessions.retain(|session| now.saturating_duration_since(session.last) < idle);
        u64::try_from(before - self.sessions.len()).unwrap_or(0)
    }

    pub(crate) fn open_session(&mut self, user: &str, token: String, now: Instant) -> &WebSession {
        self.next_session += 1;
        let id = self.next_session.to_string();
        self.sessions.push(WebSession { id, token, user: user.to_owned(), last: now });
        &self.sessions[self.sessions.len() - 1]
    }

    /// Who the token belongs to; the session is alive.
    pub(crate) fn touch(&mut self, token: &str, now: Instant) -> Option<String> {
        let session = self.sessions.iter_mut().find(|session| session.token == token)?;
        session.last = now;
        Some(session.user.clone())
    }

    pub(crate) fn begin_task(&mut self, about: &str, until: Instant, ends: &str) -> &Task {
        if self.tasks.len() >= TASKS {
            self.tasks.remove(0);
        }
        self.next_task += 1;
        self.tasks.push(Task { id: self.next_task, until, ends: ends.to_owned(), about: about.to_owned() });
        &self.tasks[self.tasks.len() - 1]
    }

    /// Brings the ids of the accounts in line with the users.
    pub(crate) fn number_accounts(&mut self, users: usize, first: usize) {
        self.accounts.truncate(users);
        while self.accounts.len() < users {
            let free = (first..).find(|id| !self.accounts.contains(id)).unwrap_or(first);
            self.accounts.push(free);
        }
    }
}
