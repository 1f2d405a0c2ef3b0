//! What was asked of the BMC, for assertions.

use serde::{Deserialize, Serialize};
use std::collections::VecDeque;

/// Entries kept; older ones are dropped, the counts stay.
const KEPT: usize = 10_000;

/// One packet or HTTP request that was meant for the BMC. Credentials are in none of the fields.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogEntry {
    /// Milliseconds since the start.
    pub at_ms: u64,
    /// Who sent it.
    pub peer: String,
    /// `open`, `rakp1`, `rakp3`, the command's name, or the kind of Redfish request (`redfish-reset`).
    pub what: String,
    /// Redfish: the method.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub method: String,
    /// Redfish: the path.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Request data of a command, in hexadecimal; of Redfish the JSON body, without passwords and tokens.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub data: String,
    /// Request sequence of a command.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<u8>,
    /// Completion code, or status of the handshake; absent when nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<u8>,
    /// Redfish: the status; absent when nothing was answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Redfish: a change was carried out, whatever was answered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub done: bool,
    /// The fault that struck, by its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}

/// What happened so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Datagrams that came in.
    pub datagrams: u64,
    /// Of these, thrown away: damaged, duplicate, of no session.
    pub discarded: u64,
    /// Sessions asked for (Open Session Request).
    pub opens: u64,
    /// Logins that succeeded.
    pub logins: u64,
    /// Logins refused because of user name, password or role.
    pub refused: u64,
    /// Sessions closed by the console.
    pub closes: u64,
    /// Sessions that expired.
    pub expired: u64,
    /// Most sessions at one time.
    pub most_sessions: u64,
    /// Commands carried out.
    pub commands: u64,
    /// Power up commands carried out.
    pub power_ups: u64,
    /// Power down commands carried out.
    pub power_downs: u64,
    /// Power cycles carried out.
    pub cycles: u64,
    /// Hard resets carried out.
    pub resets: u64,
    /// Diagnostic interrupts carried out.
    pub interrupts: u64,
    /// Soft shutdowns carried out.
    pub softs: u64,
    /// Identify commands carried out.
    pub identifies: u64,
    /// Boot flags set.
    pub boot_sets: u64,
    /// Redfish requests that came in.
    pub redfish_requests: u64,
    /// Redfish sessions opened.
    pub redfish_logins: u64,
    /// Redfish sessions closed by the client.
    pub redfish_logouts: u64,
    /// Redfish sessions that expired.
    pub redfish_expired: u64,
    /// Redfish logins and Basic credentials refused.
    pub redfish_refused: u64,
    /// Most Redfish sessions at one time.
    pub redfish_most_sessions: u64,
    /// Images inserted.
    pub inserts: u64,
    /// Images ejected.
    pub ejects: u64,
    /// Restarts of the BMC.
    pub bmc_resets: u64,
    /// Logs cleared over Redfish.
    pub log_clears: u64,
    /// BIOS attributes and secure boot set.
    pub firmware_sets: u64,
    /// Accounts made, changed or deleted over Redfish.
    pub account_changes: u64,
}

/// The last entries.
#[derive(Debug, Default)]
pub(crate) struct Log {
    entries: VecDeque<LogEntry>,
}

impl Log {
    pub(crate) fn push(&mut self, entry: LogEntry) {
        if self.entries.len() == KEPT {
            self.entries.pop_front();
        }
        self.entries.push_back(entry);
    }

    pub(crate) fn all(&self) -> Vec<LogEntry> {
        self.entries.iter().cloned().collect()
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }
}
