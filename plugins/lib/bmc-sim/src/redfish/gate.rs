//! Who may: sessions, Basic, and the privilege that a request needs (DSP0266, "Authentication" and "Authorization").

use super::http::{Answer, Request};
use super::message::refuse;
use super::op::Op;
use super::profile::Profile;
use crate::engine::Engine;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use drp_ipmi::Privilege;
use drp_protocol::Secret;
use serde_json::Value;
use std::time::Instant;

impl Engine {
    /// The privilege of whoever asks, or why not.
    pub(crate) fn who(
        &mut self,
        p: &Profile,
        request: &Request,
        now: Instant,
    ) -> Result<Privilege, Box<Answer>> {
        if let Some(token) = &request.token {
            let user = self.web.touch(token, now);
            let user = user.and_then(|name| self.config.users.iter().find(|user| user.name == name));
            return user.map(|user| user.privilege).ok_or_else(|| Box::new(refuse(p, "NoValidSession", &[])));
        }
        let Some(basic) = request.authorization.as_deref().and_then(|header| header.strip_prefix("Basic "))
        else {
            let refusal =
                refuse(p, "NoValidSession", &[]).header("www-authenticate", "Basic realm=\"Redfish\"");
            return Err(Box::new(refusal));
        };
        let plain = STANDARD.decode(basic.trim()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let plain = Secret::new(plain.unwrap_or_default());
        let known = plain.expose().split_once(':').and_then(|(name, password)| self.login(name, password));
        known.ok_or_else(|| {
            self.counts.redfish_refused += 1;
            Box::new(refuse(p, "AccessDenied", &[]))
        })
    }

    fn login(&self, name: &str, password: &str) -> Option<Privilege> {
        let user = self.config.users.iter().find(|user| user.name == name && !name.is_empty())?;
        (user.password.expose() == password).then_some(user.privilege)
    }

    /// POST of a session (DSP0266, "Session login").
    pub(crate) fn open_session(&mut self, p: &Profile, request: &Request, now: Instant) -> Answer {
        let text = |name: &str| request.json.as_ref()?.get(name)?.as_str();
        let (Some(name), Some(password)) = (text("UserName"), text("Password")) else {
            let missing = if text("UserName").is_some() { "Password" } else { "UserName" };
            return refuse(p, "PropertyMissing", &[missing]);
        };
        if self.login(name, password).is_none() {
            self.counts.redfish_refused += 1;
            return refuse(p, "AccessDenied", &[]);
        }
        if self.web.sessions.len() >= self.config.sessions {
            return refuse(p, "SessionLimitExceeded", &[]);
        }
        let token: String =
            [(self.random)(), (self.random)()].concat().iter().map(|b| format!("{b:02x}")).collect();
        let id = self.web.open_session(name, token.clone(), now).id.clone();
        self.counts.redfish_logins += 1;
        let open = u64::try_from(self.web.sessions.len()).unwrap_or(u64::MAX);
        self.counts.redfish_most_sessions = self.counts.redfish_most_sessions.max(open);
        let view = self.view(p, now);
        let at = view.path(&format!("{}/{id}", p.sessions_at));
        let scheme = if request.secure { "https" } else { "http" };
        let location = if p.absolute_location { format!("{scheme}://{}{at}", request.host) } else { at };
        let body = view.resource(&["SessionService", "Sessions", &id]).unwrap_or_default();
        Answer::new(201, body).header("x-auth-token", token).header("location", location)
    }

    /// DELETE of a session.
    pub(crate) fn close_session(&mut self, p: &Profile, id: &str, path: &str) -> Answer {
        match self.web.sessions.iter().position(|session| session.id == id) {
            Some(index) => {
                self.web.sessions.remove(index);
                self.counts.redfish_logouts += 1;
                if p.changed == 200 {
                    Answer::new(200, super::message::body(p, "Success", &[]))
                } else {
                    Answer::empty(204)
                }
            }
            None => refuse(p, "ResourceMissingAtURI", &[path]),
        }
    }
}

/// What a change needs (after the privilege registry DSP8011: ConfigureManager and ConfigureUsers are an
/// administrator's, ConfigureComponents an operator's).
pub(crate) fn needed(op: Op, path: &[&str]) -> Privilege {
    match op {
        Op::BmcReset | Op::LogClear | Op::Account => Privilege::Administrator,
        op if op.changes() && path.first() == Some(&"Managers") && !path.contains(&"VirtualMedia") => {
            Privilege::Administrator
        }
        op if op.changes() => Privilege::Operator,
        _ => Privilege::User,
    }
}

/// A body for the log: without what is secret.
pub(crate) fn shown(op: Op, body: Option<&Value>) -> String {
    fn clean(value: &mut Value) {
        match value {
            Value::Object(map) => {
                map.retain(|name, _| {
                    let name = name.to_ascii_lowercase();
                    !["password", "token", "secret", "username"].iter().any(|word| name.contains(word))
                });
                map.values_mut().for_each(clean);
            }
            Value::Array(list) => list.iter_mut().for_each(clean),
            // Credentials inside a URL.
            Value::String(text) => {
                if let Some((scheme, rest)) = text.split_once("://")
                    && let Some((_, host)) = rest.split_once('@')
                {
                    *text = format!("{scheme}://{host}");
                }
            }
            _ => {}
        }
    }
    if matches!(op, Op::Login | Op::Account) {
        return String::new();
    }
    let Some(mut body) = body.cloned() else { return String::new() };
    clean(&mut body);
    body.to_string().chars().take(2000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_log_shows_no_credentials() {
        let body = json!({"Image": "http://me:hunter2@host/x.iso", "Password": "hunter2", "Oem": {"AuthToken": "hunter2"}});
        let text = shown(Op::Insert, Some(&body));
        assert!(text.contains("http://host/x.iso") && !text.contains("hunter2"), "{text}");
        assert_eq!(shown(Op::Login, Some(&json!({"UserName": "a", "Password": "b"}))), "");
    }
}
