//! The cloud itself: plans, zones, servers.

use crate::fault::Faults;
use crate::server::{Server, Status, Wish};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Longest time that a stuck creation lasts: longer than anybody waits.
const STUCK: Duration = Duration::from_secs(24 * 3600);
const ZONES: [(&str, &str); 3] =
    [("us-east-1", "Virginia"), ("us-west-2", "Oregon"), ("eu-west-1", "Ireland")];
/// Name, CPUs, MB of memory, GB of storage, thousandths of a dollar an hour.
const PLANS: [(&str, u32, u32, u32, u32); 3] =
    [("1xCPU-1GB", 1, 1024, 25, 7), ("2xCPU-4GB", 2, 4096, 80, 30), ("4xCPU-8GB", 4, 8192, 160, 60)];

/// Why a request is refused: a status of HTTP, a stable code, a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) u16, pub(crate) &'static str, pub(crate) String);

/// All there is.
#[derive(Debug)]
pub(crate) struct Cloud {
    pub(crate) faults: Faults,
    servers: BTreeMap<String, Server>,
    /// Servers by the key with which their creation was asked for.
    asked: BTreeMap<String, String>,
    made: u32,
    delay: Duration,
    quota: usize,
}

impl Cloud {
    pub(crate) fn new(delay: Duration, quota: usize) -> Self {
        Self {
            faults: Faults::default(),
            servers: BTreeMap::new(),
            asked: BTreeMap::new(),
            made: 0,
            delay,
            quota,
        }
    }

    pub(crate) fn plans() -> Value {
        let plan = |(name, cpus, memory, storage, _): &(&str, u32, u32, u32, u32)| json!({"name": name, "cpus": cpus, "memory_mb": memory, "storage_gb": storage});
        PLANS.iter().map(plan).collect()
    }

    pub(crate) fn pricing() -> Value {
        let price = |(name, _, _, _, price): &(&str, u32, u32, u32, u32)| json!({"plan": name, "hourly": f64::from(*price) / 1000.0, "currency": "USD"});
        PLANS.iter().map(price).collect()
    }

    pub(crate) fn zones() -> Value {
        ZONES.iter().map(|(name, description)| json!({"name": name, "description": description})).collect()
    }

    pub(crate) fn account(&self) -> Value {
        json!({"name": "mock", "servers": self.servers.len(), "quota": self.quota})
    }

    pub(crate) fn list(&self, now: Instant) -> Value {
        self.servers.values().map(|server| server.shown(now)).collect()
    }

    pub(crate) fn show(&self, id: &str, now: Instant) -> Result<Value, Refusal> {
        self.servers.get(id).map(|server| server.shown(now)).ok_or_else(|| absent(id))
    }

    /// Creates a server. The same `key` again gives the server that was made for it the first time.
    pub(crate) fn create(&mut self, wish: Wish, key: Option<String>, now: Instant) -> Result<Value, Refusal> {
        if let Some(id) = key.as_ref().and_then(|key| self.asked.get(key)) {
            return self.show(&id.clone(), now);
        }
        let wrong =
            |what: &str, value: &str| Refusal(422, "invalid", format!("there is no {what} {value:?}"));
        if !PLANS.iter().any(|plan| plan.0 == wish.plan) {
            return Err(wrong("plan", &wish.plan));
        }
        if !ZONES.iter().any(|zone| zone.0 == wish.zone) {
            return Err(wrong("zone", &wish.zone));
        }
        if self.servers.values().any(|server| server.wish.hostname == wish.hostname) {
            return Err(Refusal(409, "exists", format!("there is a server {:?} already", wish.hostname)));
        }
        if self.servers.len() >= self.quota {
            return Err(Refusal(403, "quota", format!("this account may have {} servers", self.quota)));
        }
        self.made += 1;
        let id = format!("srv-{:04}", self.made);
        let doomed = Faults::strikes(&mut self.faults.failed_creation);
        let stuck = Faults::strikes(&mut self.faults.stuck_creation);
        let until = now + if stuck { STUCK } else { self.delay };
        // TEST-NET-1 (RFC 5737): nobody has these addresses.
        let address = format!("192.0.2.{}", self.made % 250 + 1);
        let server = Server::new(id.clone(), wish, address, until, doomed);
        let shown = server.shown(now);
        self.servers.insert(id.clone(), server);
        self.asked.extend(key.map(|key| (key, id)));
        Ok(shown)
    }

    pub(crate) fn delete(&mut self, id: &str) -> Result<(), Refusal> {
        self.servers.remove(id).map(|_| ()).ok_or_else(|| absent(id))
    }

    /// `start`, `stop` or `reboot`.
    pub(crate) fn turn(&mut self, id: &str, verb: &str, now: Instant) -> Result<Value, Refusal> {
        let until = now + self.delay;
        let server = self.servers.get_mut(id).ok_or_else(|| absent(id))?;
        let status = server.status(now);
        let to = match (verb, status) {
            ("start", Status::Stopped) => Status::Starting,
            ("stop", Status::Running) => Status::Stopping,
            ("reboot", Status::Running) => {
                server.reboots += 1;
                Status::Rebooting
            }
            // What is asked for is so already.
            ("start", Status::Running | Status::Starting) | ("stop", Status::Stopped | Status::Stopping) => {
                return Ok(server.shown(now));
            }
            ("start" | "stop" | "reboot", status) => {
                let status = serde_json::to_value(status).unwrap_or_default();
                let text = format!("cannot {verb} {id} while it is {}", status.as_str().unwrap_or("busy"));
                return Err(Refusal(409, "state", text));
            }
            _ => return Err(Refusal(404, "absent", format!("there is no action {verb:?}"))),
        };
        server.turn(to, until);
        Ok(server.shown(now))
    }

    pub(crate) fn set_firewall(&mut self, id: &str, rules: Vec<Value>) -> Result<(), Refusal> {
        self.servers.get_mut(id).ok_or_else(|| absent(id))?.wish.firewall_rules = rules;
        Ok(())
    }
}

fn absent(id: &str) -> Refusal {
    Refusal(404, "absent", format!("there is no server {id:?}"))
}
