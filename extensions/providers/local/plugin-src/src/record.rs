//! What is kept of a server, in `server.json` of its folder.

use crate::firewall::{Forward, Rule};
use crate::image::{Format, Image};
use crate::plan::Plan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How far a server is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Phase {
    /// It is being made; found at start, it is removed.
    Creating,
    Ready,
    /// It is being deleted; found at start, that is carried on.
    Deleting,
}

/// A server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) server_id: String,
    pub(crate) hostname: String,
    pub(crate) plan: Plan,
    pub(crate) os: String,
    /// The image as it was when the server was made.
    pub(crate) image: Image,
    pub(crate) ssh_keys: Vec<String>,
    pub(crate) tags: BTreeMap<String, String>,
    pub(crate) firewall_rules: Vec<Rule>,
    /// Its disk, a file of its folder.
    pub(crate) disk: Option<Format>,
    /// GiB of the disk, as far as they were said.
    pub(crate) disk_gb: Option<u64>,
    pub(crate) mac: String,
    pub(crate) created: String,
    pub(crate) phase: Phase,
    /// Its QEMU, since it was started and until it was stopped.
    pub(crate) run: Option<Run>,
    pub(crate) forwards: Vec<Forward>,
    /// How it last ended.
    pub(crate) ended: Option<String>,
}

/// A QEMU process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) pid: i32,
    /// Start time of the process in clock ticks since boot (`proc(5)`), which with the pid names it for good.
    pub(crate) start: u64,
    /// Boot of the host.
    pub(crate) boot: String,
    /// `kvm` or `tcg`.
    pub(crate) accel: String,
    pub(crate) since: String,
}
