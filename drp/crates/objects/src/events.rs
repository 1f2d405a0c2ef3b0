//! What is published (wire-protocol §4).

use crate::Claims;
use bytes::Bytes;
use drp_protocol::{Event, Time};
use serde_json::Value;
use std::sync::{Arc, OnceLock};

/// One published event with its place in the order of all events of this process.
///
/// Objects stay JSON text until somebody looks: an event that nobody subscribed to costs next to nothing.
#[derive(Debug)]
pub struct Occurrence {
    /// 1 for the first event after start, then without gaps.
    pub seq: u64,
    time: String,
    kind: String,
    action: String,
    key: String,
    principal: String,
    object: Bytes,
    original: Bytes,
    event: OnceLock<Arc<Event>>,
    json: OnceLock<Bytes>,
    machine: OnceLock<Option<String>>,
}

impl Occurrence {
    /// An event from outside. An empty `Time` is stamped.
    pub(crate) fn from_event(event: Event) -> Self {
        let encode = |value: &Value| {
            if value.is_null() { Bytes::new() } else { serde_json::to_vec(value).unwrap_or_default().into() }
        };
        let time = if event.time.is_empty() { Time::now().to_string() } else { event.time.clone() };
        let event = Event { time, ..event };
        Self {
            seq: 0,
            time: event.time.clone(),
            kind: event.r#type.clone(),
            action: event.action.clone(),
            key: event.key.clone(),
            principal: event.principal.clone(),
            object: encode(&event.object),
            original: encode(&event.original),
            event: OnceLock::from(Arc::new(event)),
            json: OnceLock::new(),
            machine: OnceLock::new(),
        }
    }

    /// What it costs to keep it, in bytes; its text counts too, because somebody may ask for it.
    pub(crate) fn weight(&self) -> usize {
        256 + 2 * (self.object.len() + self.original.len() + self.key.len())
    }

    /// When it happened, RFC 3339 with nanoseconds.
    #[must_use]
    pub fn time(&self) -> &str {
        &self.time
    }

    /// The event type, for instance `machines`.
    #[must_use]
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The action, for instance `update`.
    #[must_use]
    pub fn action(&self) -> &str {
        &self.action
    }

    /// The key of the object.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Who caused it.
    #[must_use]
    pub fn principal(&self) -> &str {
        &self.principal
    }

    /// The event, decoded once for all subscribers.
    #[must_use]
    pub fn event(&self) -> Arc<Event> {
        let decode = |bytes: &Bytes| serde_json::from_slice(bytes).unwrap_or(Value::Null);
        Arc::clone(self.event.get_or_init(|| {
            Arc::new(Event {
                time: self.time.clone(),
                r#type: self.kind.clone(),
                action: self.action.clone(),
                key: self.key.clone(),
                principal: self.principal.clone(),
                object: decode(&self.object),
                original: decode(&self.original),
            })
        }))
    }

    /// The event's JSON text, serialised once for all subscribers.
    #[must_use]
    pub fn json(&self) -> Bytes {
        self.json
            .get_or_init(|| {
                let mut out = Vec::with_capacity(192 + self.object.len() + self.original.len());
                let texts = [
                    ("{\"Time\":", &self.time),
                    (",\"Type\":", &self.kind),
                    (",\"Action\":", &self.action),
                    (",\"Key\":", &self.key),
                    (",\"Principal\":", &self.principal),
                ];
                for (name, text) in texts {
                    out.extend_from_slice(name.as_bytes());
                    // Writing a string to memory cannot fail.
                    let _ = serde_json::to_writer(&mut out, text);
                }
                for (name, bytes) in [(",\"Object\":", &self.object), (",\"Original\":", &self.original)] {
                    out.extend_from_slice(name.as_bytes());
                    out.extend_from_slice(if bytes.is_empty() { b"null" } else { bytes });
                }
                out.push(b'}');
                out.into()
            })
            .clone()
    }

    /// Whether these claims let their holder see the event (wire-protocol §4.2).
    #[must_use]
    pub fn visible_to(&self, claims: &Claims) -> bool {
        if self.kind == "jobs" {
            return claims.hear(&self.kind, &self.action, self.machine().unwrap_or(&self.key));
        }
        claims.hear(&self.kind, &self.action, &self.key)
    }

    /// The machine of a job, whose key its claims name (wire-protocol §2.4).
    fn machine(&self) -> Option<&str> {
        #[derive(serde::Deserialize)]
        struct Job {
            #[serde(rename = "Machine", default)]
            machine: Option<String>,
            /// The job, in the event of an action.
            #[serde(rename = "Model", default)]
            model: Option<Box<Job>>,
        }
        let machine = self.machine.get_or_init(|| {
            let job: Job = serde_json::from_slice(&self.object).ok()?;
            job.machine
                .or_else(|| job.model.and_then(|job| job.machine))
                .filter(|machine| !machine.is_empty())
        });
        machine.as_deref()
    }
}

/// What the engine itself publishes: objects as JSON text, empty for none.
pub(crate) struct Happening {
    pub(crate) kind: String,
    pub(crate) action: &'static str,
    pub(crate) key: String,
    pub(crate) principal: String,
    pub(crate) object: Bytes,
    pub(crate) original: Bytes,
}

impl Happening {
    /// With any action.
    pub(crate) fn into_occurrence(self, action: &str) -> Occurrence {
        let Self { kind, key, principal, object, original, .. } = self;
        Occurrence {
            seq: 0,
            time: Time::now().to_string(),
            kind,
            action: action.to_owned(),
            key,
            principal,
            object,
            original,
            event: OnceLock::new(),
            json: OnceLock::new(),
            machine: OnceLock::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Occurrence;
    use drp_protocol::Event;
    use serde_json::json;

    #[test]
    fn the_text_of_an_event_is_the_event() {
        let mut event = Event::now("machines", "update", "k\"1", json!({"A": 1}));
        event.original = json!({"A": 0});
        let got = Occurrence::from_event(event.clone());
        assert_eq!(serde_json::from_slice::<Event>(&got.json()).unwrap(), event);
        assert_eq!(*got.event(), event);
    }
}
