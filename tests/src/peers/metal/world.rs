//! Projects and devices, and how they change with time.

use super::{KEY, OTHER_KEY, OTHER_PROJECT, PROJECT, READ_KEY};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How devices come and go from now on.
#[derive(Debug, Clone)]
pub struct Plan {
    /// How long each of `queued` and `provisioning` takes.
    pub step: Duration,
    /// How long a change of power takes.
    pub power: Duration,
    /// Provisioning ends in `failed`.
    pub fails: bool,
    /// Provisioning ends with the device being taken out of the account.
    pub vanishes: bool,
    /// Power commands are taken and have no effect.
    pub stuck: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let step = Duration::from_millis(150);
        Self { step, power: Duration::from_millis(100), fails: false, vanishes: false, stuck: false }
    }
}

/// What the service has.
#[derive(Debug, Default)]
pub struct World {
    /// How devices behave that are made, or commanded, from now on.
    pub plan: Plan,
    /// At most so many per page.
    pub page: usize,
    devices: BTreeMap<String, Device>,
    made: u64,
}

#[derive(Debug)]
struct Device {
    project: String,
    hostname: String,
    plan: String,
    facility: String,
    metro: String,
    tags: Vec<String>,
    always_pxe: bool,
    script: String,
    locked: bool,
    state: String,
    /// What comes next, and when.
    next: Vec<(Instant, &'static str)>,
    began: Instant,
    ends: Instant,
    /// Counted commands, by type.
    commands: BTreeMap<String, usize>,
    number: u64,
}

/// An answer: status and body.
pub(super) type Reply = (u16, Value);

pub(super) fn error(status: u16, text: &str) -> Reply {
    (status, json!({ "errors": [text] }))
}

impl World {
    /// Puts a device there that is active, for listings; gives its id.
    pub fn add(&mut self, hostname: &str, project: &str) -> String {
        let (_, body) = self.create(
            project,
            &json!({"hostname": hostname, "plan": "baremetal_0", "facility": ["ewr1"],
            "operating_system": "custom_ipxe", "always_pxe": true}),
        );
        let id = body["id"].as_str().expect("a device").to_owned();
        self.set(&id, "active");
        id
    }

    /// Puts a device into a state, at once and for good.
    pub fn set(&mut self, id: &str, state: &str) {
        let device = self.devices.get_mut(id).expect("a device");
        (device.state, device.next) = (state.to_owned(), Vec::new());
    }

    /// Locks a device against deletion.
    pub fn lock(&mut self, id: &str, locked: bool) {
        self.devices.get_mut(id).expect("a device").locked = locked;
    }

    /// Takes a device away as if somebody else had deleted it.
    pub fn remove(&mut self, id: &str) {
        self.devices.remove(id);
    }

    /// Ids of all devices.
    pub fn ids(&mut self) -> Vec<String> {
        self.settle();
        self.devices.keys().cloned().collect()
    }

    /// How often a command took effect on a device.
    pub fn count(&self, id: &str, command: &str) -> usize {
        self.devices.get(id).and_then(|device| device.commands.get(command)).copied().unwrap_or_default()
    }

    /// The device as the API shows it.
    pub fn device(&mut self, id: &str) -> Option<Value> {
        self.settle();
        self.devices.get(id).map(|device| device.show(id))
    }

    /// Lets time pass.
    fn settle(&mut self) {
        let now = Instant::now();
        let mut gone = Vec::new();
        for (id, device) in &mut self.devices {
            while device.next.first().is_some_and(|(at, _)| *at <= now) {
                let (_, state) = device.next.remove(0);
                if matches!(state, "deleted" | "vanished") {
                    gone.push(id.clone());
                }
                state.clone_into(&mut device.state);
            }
        }
        for id in gone {
            self.devices.remove(&id);
        }
    }

    /// Carries out a request. `key` is what `X-Auth-Token` held.
    pub(super) fn answer(
        &mut self,
        key: &str,
        method: &str,
        path: &str,
        query: &BTreeMap<String, String>,
        body: &Value,
    ) -> Reply {
        self.settle();
        let projects: &[&str] = match key {
            KEY | READ_KEY => &[PROJECT],
            OTHER_KEY => &[OTHER_PROJECT],
            _ => return error(401, "Invalid authentication token"),
        };
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        if method != "GET" && key == READ_KEY {
            return error(403, "You are not authorized to perform this action");
        }
        match (method, parts.as_slice()) {
            ("GET", ["projects"]) => {
                let all = projects.iter().map(|id| json!({"id": id, "name": "a project"})).collect();
                self.paged("projects", path, query, all)
            }
            (_, ["projects", id, ..]) if !projects.contains(id) => error(404, "Not found"),
            ("GET", ["projects", project, "devices"]) => {
                let listed = |device: &&(&String, &Device)| {
                    device.1.project == *project
                        && query.get("tag").is_none_or(|tag| device.1.tags.contains(tag))
                        && query.get("hostname").is_none_or(|name| device.1.hostname == *name)
                };
                let mut all: Vec<_> = self.devices.iter().collect();
                all.sort_by_key(|(_, device)| device.number);
                let all = all.iter().filter(listed).map(|(id, device)| device.show(id)).collect();
                self.paged("devices", path, query, all)
            }
            ("POST", ["projects", project, "devices"]) => self.create(project, body),
            (_, ["devices", id, rest @ ..]) => {
                match self.devices.get(*id) {
                    Some(device) if projects.contains(&device.project.as_str()) => {}
                    _ => return error(404, "Not found"),
                }
                self.on_device(method, id, rest, body)
            }
            _ => error(404, "Not found"),
        }
    }

    fn on_device(&mut self, method: &str, id: &str, rest: &[&str], body: &Value) -> Reply {
        let plan = self.plan.clone();
        let Some(device) = self.devices.get_mut(id) else { return error(404, "Not found") };
        match (method, rest) {
            ("GET", []) => (200, device.show(id)),
            ("GET", ["events"]) => {
                let text = match device.state.as_str() {
                    "failed" => "Provisioning failed: no answer from the machine's BMC",
                    _ => "Provision started",
                };
                (200, json!({"events": [{"type": "provisioning", "body": text}], "meta": {"total": 1}}))
            }
            ("PUT", []) => {
                if body["hostname"].as_str().is_some_and(str::is_empty) {
                    return error(422, "Hostname can't be blank");
                }
                if let Some(always) = body["always_pxe"].as_bool() {
                    device.always_pxe = always;
                }
                if let Some(script) = body["ipxe_script_url"].as_str() {
                    script.clone_into(&mut device.script);
                }
                *device.commands.entry("update".to_owned()).or_default() += 1;
                (200, device.show(id))
            }
            ("DELETE", []) => {
                if device.locked {
                    return error(422, "Cannot delete a locked device");
                }
                if matches!(device.state.as_str(), "queued" | "provisioning") {
                    return error(422, "Cannot delete a device while it is provisioning");
                }
                "deprovisioning".clone_into(&mut device.state);
                device.next = vec![(Instant::now() + plan.power, "deleted")];
                *device.commands.entry("delete".to_owned()).or_default() += 1;
                (204, Value::Null)
            }
            ("POST", ["actions"]) => device.act(body["type"].as_str().unwrap_or_default(), &plan),
            _ => error(404, "Not found"),
        }
    }

    fn create(&mut self, project: &str, body: &Value) -> Reply {
        let text = |name: &str| body[name].as_str().unwrap_or_default().to_owned();
        let facility = match &body["facility"] {
            Value::Array(list) => list.first().and_then(Value::as_str).unwrap_or_default().to_owned(),
            other => other.as_str().unwrap_or_default().to_owned(),
        };
        let mut errors = Vec::new();
        if !["baremetal_0", "c3.small.x86"].contains(&text("plan").as_str()) {
            errors.push(format!("{} is not a valid plan", text("plan")));
        }
        if facility.is_empty() && text("metro").is_empty() {
            errors.push("Facility can't be blank".to_owned());
        }
        if text("hostname").is_empty() {
            errors.push("Hostname can't be blank".to_owned());
        }
        if !errors.is_empty() {
            return (422, json!({ "errors": errors }));
        }
        self.made += 1;
        let id = format!("dddddddd-0000-4000-8000-{:012}", self.made);
        let now = Instant::now();
        let step = self.plan.step;
        let last = match (self.plan.fails, self.plan.vanishes) {
            (true, _) => "failed",
            (_, true) => "vanished",
            _ => "active",
        };
        let device = Device {
            project: project.to_owned(),
            hostname: text("hostname"),
            plan: text("plan"),
            facility: if facility.is_empty() { format!("{}5", text("metro")) } else { facility },
            metro: if text("metro").is_empty() { "ny".to_owned() } else { text("metro") },
            tags: body["tags"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect(),
            always_pxe: body["always_pxe"] == json!(true),
            script: text("ipxe_script_url"),
            locked: false,
            state: "queued".to_owned(),
            next: vec![(now + step, "provisioning"), (now + step * 2, last)],
            began: now,
            ends: now + step * 2,
            commands: BTreeMap::new(),
            number: self.made,
        };
        let shown = device.show(&id);
        self.devices.insert(id, device);
        (201, shown)
    }

    fn paged(&self, field: &str, path: &str, query: &BTreeMap<String, String>, all: Vec<Value>) -> Reply {
        let number = |name: &str| query.get(name).and_then(|text| text.parse::<usize>().ok());
        let most = if self.page == 0 { 100 } else { self.page };
        let per = number("per_page").unwrap_or(10).clamp(1, most);
        let page = number("page").unwrap_or(1).max(1);
        let total = all.len();
        let last = total.div_ceil(per).max(1);
        let link = |page: usize| json!({"href": format!("/metal/v1{path}?page={page}&per_page={per}")});
        let items: Vec<_> = all.into_iter().skip((page - 1) * per).take(per).collect();
        let meta = json!({
            "total": total, "current_page": page, "last_page": last, "self": link(page), "first": link(1),
            "last": link(last), "previous": if page > 1 { link(page - 1) } else { Value::Null },
            "next": if page < last { link(page + 1) } else { Value::Null },
        });
        (200, json!({ field: items, "meta": meta }))
    }
}

impl Device {
    fn show(&self, id: &str) -> Value {
        let known = self.state != "queued";
        let mac =
            |port: u64| format!("0C:42:A1:{:02X}:{:02X}:{port:02X}", self.number / 256, self.number % 256);
        let address = format!("198.51.{}.{}", 100 + self.number / 250, 1 + self.number % 250);
        let percent = (self.state == "provisioning").then(|| {
            let whole = self.ends.saturating_duration_since(self.began).as_secs_f64().max(0.001);
            (self.began.elapsed().as_secs_f64() / whole * 100.0).min(99.0)
        });
        json!({
            "id": id, "short_id": &id[..8], "hostname": self.hostname, "state": self.state, "locked": self.locked,
            "tags": self.tags, "always_pxe": self.always_pxe, "ipxe_script_url": self.script,
            "billing_cycle": "hourly", "operating_system": {"slug": "custom_ipxe"}, "plan": {"slug": self.plan},
            "facility": {"code": self.facility}, "metro": {"code": self.metro}, "provisioning_percentage": percent,
            "project": {"href": format!("/metal/v1/projects/{}", self.project)}, "root_password": "canary-root-password",
            "ip_addresses": if known { json!([
                {"address": address, "address_family": 4, "public": true},
                {"address": "10.0.0.3", "address_family": 4, "public": false},
            ]) } else { json!([]) },
            "network_ports": if known { json!([
                {"type": "NetworkBondPort", "name": "bond0", "data": {"bonded": true}},
                {"type": "NetworkPort", "name": "eth0", "data": {"mac": mac(0)}},
                {"type": "NetworkPort", "name": "eth1", "data": {"mac": mac(1)}},
            ]) } else { json!([]) },
            "href": format!("/metal/v1/devices/{id}"),
        })
    }

    fn act(&mut self, kind: &str, plan: &Plan) -> Reply {
        let steps: &[&str] = match (kind, self.state.as_str()) {
            ("power_on", "active" | "powering_on") => return error(422, "Device is already powered on"),
            ("power_off", "inactive" | "powering_off") => return error(422, "Device is already powered off"),
            ("power_on", "inactive") => &["powering_on", "active"],
            ("power_off", "active") => &["powering_off", "inactive"],
            ("reboot", "active") => &["powering_off", "powering_on", "active"],
            ("power_on" | "power_off" | "reboot", _) => {
                return error(422, "Device must be active or inactive");
            }
            _ => return error(422, "Type is not included in the list"),
        };
        *self.commands.entry(kind.to_owned()).or_default() += 1;
        if !plan.stuck {
            let now = Instant::now();
            self.next = steps.iter().zip(0..).map(|(state, at)| (now + plan.power * at, *state)).collect();
        }
        (202, Value::Null)
    }
}
