//! A server of the cloud: what it was asked for, and where it is in its life.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::time::Instant;

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wish {
    pub(crate) hostname: String,
    pub(crate) plan: String,
    pub(crate) zone: String,
    #[serde(default = "usual_os")]
    pub(crate) os: String,
    #[serde(default)]
    pub(crate) ssh_keys: Vec<String>,
    #[serde(default)]
    pub(crate) tags: Map<String, Value>,
    #[serde(default)]
    pub(crate) firewall_rules: Vec<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) storage: Option<Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) network: Option<Value>,
}

fn usual_os() -> String {
    "ubuntu-22.04".to_owned()
}

/// Where a server is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Creating,
    Starting,
    Running,
    Stopping,
    Stopped,
    Rebooting,
    Error,
}

impl Status {
    /// Where it gets by itself, after a while.
    fn settles_as(self) -> Self {
        match self {
            Self::Creating | Self::Starting | Self::Rebooting => Self::Running,
            Self::Stopping => Self::Stopped,
            settled => settled,
        }
    }
}

/// A server.
#[derive(Debug, Clone)]
pub(crate) struct Server {
    pub(crate) id: String,
    pub(crate) wish: Wish,
    pub(crate) address: String,
    pub(crate) reboots: u32,
    status: Status,
    until: Instant,
    /// What it becomes instead when that time is over.
    doomed: bool,
}

impl Server {
    pub(crate) fn new(id: String, wish: Wish, address: String, until: Instant, doomed: bool) -> Self {
        Self { id, wish, address, reboots: 0, status: Status::Creating, until, doomed }
    }

    pub(crate) fn status(&self, now: Instant) -> Status {
        match self.status.settles_as() {
            _ if now < self.until => self.status,
            _ if self.doomed => Status::Error,
            settled => settled,
        }
    }

    /// Goes to another status, which lasts until then.
    pub(crate) fn turn(&mut self, status: Status, until: Instant) {
        (self.status, self.until) = (status, until);
    }

    /// As the API shows it.
    pub(crate) fn shown(&self, now: Instant) -> Value {
        let status = self.status(now);
        let mut shown = serde_json::to_value(&self.wish).unwrap_or_default();
        shown["id"] = self.id.clone().into();
        shown["status"] = serde_json::to_value(status).unwrap_or_default();
        shown["reboots"] = self.reboots.into();
        // An address is there once the server has run.
        let there = !matches!(status, Status::Creating | Status::Error);
        shown["ip_addresses"] =
            if there { vec![self.address.clone()].into() } else { Value::Array(Vec::new()) };
        shown
    }
}
