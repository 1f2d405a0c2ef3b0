//! One request as a function: the request and the time in, an answer out. No I/O.

use super::gate::{needed, shown};
use super::http::{Answer, Outcome, Request};
use super::message::{body, refuse};
use super::op::Op;
use super::profile::Profile;
use super::strike;
use super::tree::View;
use crate::engine::Engine;
use crate::fault::{Effect, On};
use crate::log::LogEntry;
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

impl Engine {
    pub(crate) fn view<'a>(&'a self, profile: &'a Profile, now: Instant) -> View<'a> {
        View { profile, config: &self.config, machine: &self.chassis, state: &self.web, now }
    }

    /// An HTTP request comes in.
    pub(crate) fn web(&mut self, request: &Request, now: Instant) -> Outcome {
        self.tick(now);
        self.counts.redfish_requests += 1;
        let profile = self.config.redfish.as_ref().map(|r| Arc::clone(&r.profile)).unwrap_or_default();
        let p = &*profile;
        self.web.number_accounts(self.config.users.len(), p.first_account);
        self.sync_log();
        let op = Op::of(request);
        let effect = self.faults.strike_at(On::Redfish(op), &request.path);
        if effect == Some(Effect::Forget) {
            self.sessions.clear();
            self.web.sessions.clear();
        }
        let answer = match strike::instead(p, effect.as_ref()) {
            Some(answer) => answer,
            None if self.away(now) => self.booting(p, now),
            None => self.answer(p, op, request, now, effect.as_ref()),
        };
        let done = answer.done;
        let status = answer.status;
        let (outcome, answered) = strike::deliver(answer, effect.as_ref(), self.config.latency);
        let entry = LogEntry {
            at_ms: self.since_start(now),
            peer: request.peer.clone(),
            what: op.word().to_owned(),
            method: request.method.clone(),
            path: request.path.chars().take(500).collect(),
            data: shown(op, request.json.as_ref()),
            status: answered.then_some(match &outcome.delivery {
                super::http::Delivery::Answer { status, .. } => *status,
                _ => status,
            }),
            done,
            fault: effect.as_ref().map(Effect::name),
            ..LogEntry::default()
        };
        self.keep(entry);
        outcome
    }

    fn booting(&self, p: &Profile, now: Instant) -> Answer {
        let left = self.away_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(now));
        let seconds = left.as_secs().saturating_add(1).to_string();
        refuse(p, "ServiceTemporarilyUnavailable", &[&seconds]).header("retry-after", seconds)
    }

    fn answer(
        &mut self,
        p: &Profile,
        op: Op,
        request: &Request,
        now: Instant,
        effect: Option<&Effect>,
    ) -> Answer {
        if request.path == "/redfish" || request.path == "/redfish/" {
            return Answer::new(200, serde_json::json!({ "v1": "/redfish/v1/" }));
        }
        if !request.known() {
            return refuse(p, "ResourceMissingAtURI", &[&request.path]);
        }
        if op == Op::Login {
            return if request.malformed {
                refuse(p, "MalformedJSON", &[])
            } else {
                self.open_session(p, request, now)
            };
        }
        if op != Op::Root || p.root_needs_login {
            let privilege = match self.who(p, request, now) {
                Ok(privilege) => privilege,
                Err(refusal) => return *refusal,
            };
            if privilege < needed(op, &request.segments()) {
                return refuse(p, "InsufficientPrivilege", &[]);
            }
        }
        if request.malformed {
            return refuse(p, "MalformedJSON", &[]);
        }
        match request.method.as_str() {
            "GET" | "HEAD" => self.read(p, request, now),
            "POST" | "PATCH" | "DELETE" => self.change(p, op, request, now, effect),
            _ => refuse(p, "OperationNotAllowed", &[]).header("allow", "GET, HEAD"),
        }
    }

    /// The path with the sessions where the tree has them.
    fn place<'a>(p: &Profile, request: &'a Request) -> Vec<&'a str> {
        let mut path = request.segments();
        if path.first() == Some(&"Sessions") && p.sessions_at == "Sessions" {
            path.insert(0, "SessionService");
        }
        path
    }

    fn read(&self, p: &Profile, request: &Request, now: Instant) -> Answer {
        let path = Self::place(p, request);
        if let ["TaskService", "TaskMonitors", id] = path.as_slice() {
            return self.monitor(p, id, &request.path, now);
        }
        let Some(mut body) = self.view(p, now).resource(&path) else {
            return refuse(p, "ResourceMissingAtURI", &[&request.path]);
        };
        if !p.etags {
            return Answer::new(200, body);
        }
        let etag = etag(&body);
        if request.if_none_match.as_deref() == Some(etag.as_str()) {
            return Answer::empty(304).header("etag", etag);
        }
        body["@odata.etag"] = Value::String(etag.clone());
        Answer::new(200, body).header("etag", etag)
    }

    fn change(
        &mut self,
        p: &Profile,
        op: Op,
        request: &Request,
        now: Instant,
        effect: Option<&Effect>,
    ) -> Answer {
        if let Some(Effect::Task { ms, state }) = effect
            && state != "Completed"
        {
            return self.accept(p, op.word(), now, Duration::from_millis(*ms), state);
        }
        let path = Self::place(p, request);
        if request.method == "PATCH" {
            let Some(resource) = self.view(p, now).resource(&path) else {
                return refuse(p, "ResourceMissingAtURI", &[&request.path]);
            };
            match &request.if_match {
                None if p.etag_required => return refuse(p, "PreconditionRequired", &[]),
                Some(tag) if p.etags && tag != "*" && *tag != etag(&resource) => {
                    return refuse(p, "PreconditionFailed", &[]);
                }
                _ => {}
            }
        }
        let stuck = effect == Some(&Effect::Stuck);
        let (system, manager) = (p.system.as_str(), p.manager.as_str());
        let method = request.method.as_str();
        let answer = match (method, path.as_slice()) {
            ("POST", ["Systems", id, "Actions", "ComputerSystem.Reset"]) if *id == system => {
                self.reset(p, request, now, stuck)
            }
            ("PATCH", ["Systems", id]) if *id == system => self.patch_system(p, request, now),
            ("PATCH", ["Systems", id, "Bios", "Settings"]) if *id == system => self.patch_bios(p, request),
            ("PATCH", ["Systems", id, "SecureBoot"]) if *id == system => self.patch_secure_boot(p, request),
            ("POST", ["Managers", id, "Actions", "Manager.Reset"]) if *id == manager => {
                self.reset_manager(p, request, now)
            }
            ("PATCH", ["Managers", id, "EthernetInterfaces", nic]) if *id == manager => {
                self.patch_nic(p, nic, request)
            }
            ("PATCH", [of, _, "VirtualMedia", slot]) if Self::holds_media(p, of) => {
                self.media(p, slot, "", request, now)
            }
            ("POST", [of, _, "VirtualMedia", slot, "Actions", action]) if Self::holds_media(p, of) => {
                self.media(p, slot, action, request, now)
            }
            ("POST", ["Systems", id, "LogServices", log, "Actions", "LogService.ClearLog"])
                if *id == system =>
            {
                self.clear_web_log(p, "system", log, &request.path, now)
            }
            ("POST", ["Managers", id, "LogServices", log, "Actions", "LogService.ClearLog"])
                if *id == manager =>
            {
                self.clear_web_log(p, "manager", log, &request.path, now)
            }
            ("DELETE", ["SessionService", "Sessions", id]) => self.close_session(p, id, &request.path),
            ("PATCH", ["SessionService"]) => {
                let timeout = request.json.as_ref().and_then(|body| body.get("SessionTimeout"));
                match timeout.and_then(Value::as_u64) {
                    Some(seconds @ 30..=86_400) => {
                        self.config.session_idle = Duration::from_secs(seconds);
                        changed(p)
                    }
                    _ => refuse(p, "PropertyValueTypeError", &["?", "SessionTimeout"]),
                }
            }
            (_, ["AccountService", rest @ ..]) => self.account(p, rest, request),
            (_, path) if self.view(p, now).resource(path).is_some() => {
                refuse(p, "OperationNotAllowed", &[]).header("allow", "GET, HEAD")
            }
            _ => refuse(p, "ResourceMissingAtURI", &[&request.path]),
        };
        match effect {
            Some(Effect::Task { ms, state }) if answer.done => {
                self.accept(p, op.word(), now, Duration::from_millis(*ms), state).done()
            }
            _ => answer,
        }
    }

    fn holds_media(p: &Profile, of: &str) -> bool {
        of == if p.media.of_system { "Systems" } else { "Managers" }
    }
}

/// A change was carried out.
pub(crate) fn changed(p: &Profile) -> Answer {
    if p.changed == 200 {
        Answer::new(200, body(p, "Success", &[])).done()
    } else {
        Answer::empty(204).done()
    }
}

/// An action was carried out.
pub(crate) fn acted(engine: &mut Engine, p: &Profile, about: &str, now: Instant) -> Answer {
    match p.acted {
        200 => Answer::new(200, body(p, "Success", &[])).done(),
        202 => engine.accept(p, about, now, Duration::from_millis(p.task_ms), "Completed").done(),
        _ => Answer::empty(204).done(),
    }
}

/// Entity tag of a resource, from what it shows (RFC 9110 §8.8.3).
fn etag(body: &Value) -> String {
    // FNV-1a: a tag has to change with the content, nothing more.
    let text = body.to_string();
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    format!("\"{hash:016x}\"")
}

#[cfg(test)]
#[path = "service_tests.rs"]
mod tests;
