//! The event bus (wire-protocol §4).

use crate::{Claims, Objects};
use bytes::Bytes;
use drp_protocol::{Event, Time};
use serde_json::Value;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tokio::sync::broadcast;

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
            return claims.allow(&self.kind, &self.action, self.machine().unwrap_or(&self.key));
        }
        claims.allow(&self.kind, &self.action, &self.key)
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

/// What a subscription yields.
#[derive(Debug, Clone)]
pub enum Delivery {
    /// The next event.
    Event(Arc<Occurrence>),
    /// The subscriber was too slow: the events with these sequence numbers, both included, are lost to it.
    Gap {
        /// First lost sequence number.
        from: u64,
        /// Last lost sequence number.
        to: u64,
    },
}

/// A place in the stream of events.
#[derive(Debug)]
pub struct Subscription {
    receiver: broadcast::Receiver<Arc<Occurrence>>,
    next: u64,
    lost: Arc<Lost>,
}

/// Gaps of all subscribers together.
#[derive(Debug, Default)]
struct Lost {
    gaps: AtomicU64,
    events: AtomicU64,
}

/// Numbers about the bus.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct EventCounts {
    /// Whoever follows now.
    pub subscribers: usize,
    /// Times that a subscriber was too slow.
    pub gaps: u64,
    /// Events that those subscribers lost.
    pub lost: u64,
}

impl Subscription {
    /// The next event or gap; none when the engine is gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Delivery> {
        loop {
            match self.receiver.recv().await {
                Ok(occurrence) => {
                    self.next = occurrence.seq + 1;
                    return Some(Delivery::Event(occurrence));
                }
                // The bus numbers events without gaps, so the count of the lost ones gives their range.
                Err(broadcast::error::RecvError::Lagged(lost)) if lost > 0 => {
                    let from = self.next;
                    self.next += lost;
                    self.lost.gaps.fetch_add(1, Ordering::Relaxed);
                    self.lost.events.fetch_add(lost, Ordering::Relaxed);
                    return Some(Delivery::Gap { from, to: from + lost - 1 });
                }
                Err(broadcast::error::RecvError::Lagged(_)) => {}
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }
}

/// Publishes events to any number of subscribers without ever waiting for one.
#[derive(Debug)]
pub struct EventBus {
    sender: broadcast::Sender<Arc<Occurrence>>,
    // Numbering and sending are one step, so that the order of numbers is the order of arrival.
    last: Mutex<u64>,
    lost: Arc<Lost>,
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

impl EventBus {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { sender: broadcast::channel(capacity.max(1)).0, last: Mutex::new(0), lost: Arc::default() }
    }

    /// Starts listening: every event published from now on arrives.
    #[must_use]
    pub fn subscribe(&self) -> Subscription {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        Subscription { receiver: self.sender.subscribe(), next: *last + 1, lost: Arc::clone(&self.lost) }
    }

    /// Publishes an event from outside. An empty `Time` is stamped.
    pub fn publish(&self, event: Event) {
        let encode = |value: &Value| {
            if value.is_null() { Bytes::new() } else { serde_json::to_vec(value).unwrap_or_default().into() }
        };
        let time = if event.time.is_empty() { Time::now().to_string() } else { event.time.clone() };
        let event = Event { time, ..event };
        let occurrence = Occurrence {
            seq: 0,
            time: event.time.clone(),
            kind: event.r#type.clone(),
            action: event.action.clone(),
            key: event.key.clone(),
            principal: event.principal.clone(),
            object: encode(&event.object),
            original: encode(&event.original),
            event: OnceLock::new(),
            json: OnceLock::new(),
            machine: OnceLock::new(),
        };
        let _ = occurrence.event.set(Arc::new(event));
        self.send(occurrence);
    }

    /// As [`EventBus::publish`], of an object that is JSON text already: nothing is built that no subscriber asks for.
    pub fn publish_json(&self, kind: &str, action: &str, key: String, principal: String, object: Bytes) {
        self.send(Occurrence {
            seq: 0,
            time: Time::now().to_string(),
            kind: kind.to_owned(),
            action: action.to_owned(),
            key,
            principal,
            object,
            original: Bytes::new(),
            event: OnceLock::new(),
            json: OnceLock::new(),
            machine: OnceLock::new(),
        });
    }

    pub(crate) fn happened(&self, happening: Happening) {
        let Happening { kind, action, key, principal, object, original } = happening;
        self.send(Occurrence {
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
        });
    }

    fn send(&self, mut occurrence: Occurrence) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last += 1;
        occurrence.seq = *last;
        // An error only says that nobody listens.
        let _ = self.sender.send(Arc::new(occurrence));
    }

    /// Numbers about the bus.
    #[must_use]
    pub fn counts(&self) -> EventCounts {
        EventCounts {
            subscribers: self.sender.receiver_count(),
            gaps: self.lost.gaps.load(Ordering::Relaxed),
            lost: self.lost.events.load(Ordering::Relaxed),
        }
    }

    /// The sequence number of the last event, 0 when there was none.
    #[must_use]
    pub fn last_seq(&self) -> u64 {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Objects {
    /// The event bus.
    #[must_use]
    pub fn events(&self) -> &EventBus {
        &self.inner.events
    }
}

#[cfg(test)]
mod tests {
    use super::{Delivery, EventBus};
    use drp_protocol::Event;
    use serde_json::json;

    #[tokio::test]
    async fn events_arrive_in_order_and_a_slow_reader_learns_the_range_it_lost() {
        let bus = EventBus::new(4);
        let mut slow = bus.subscribe();
        bus.publish(Event::now("a", "b", "0", json!(null)));
        let Some(Delivery::Event(first)) = slow.next().await else { panic!("no event") };
        assert_eq!((first.seq, first.key()), (1, "0"));
        for i in 1..=10 {
            bus.publish(Event::now("a", "b", i.to_string(), json!({ "n": i })));
        }
        let Some(Delivery::Gap { from, to }) = slow.next().await else { panic!("no gap") };
        assert_eq!((from, to), (2, 7));
        for seq in 8..=11 {
            let Some(Delivery::Event(event)) = slow.next().await else { panic!("no event") };
            assert_eq!(event.seq, seq);
        }
        assert_eq!(bus.last_seq(), 11);
    }

    #[tokio::test]
    async fn the_text_of_an_event_is_the_event() {
        let bus = EventBus::new(4);
        let mut reader = bus.subscribe();
        let mut event = Event::now("machines", "update", "k\"1", json!({"A": 1}));
        event.original = json!({"A": 0});
        bus.publish(event.clone());
        let Some(Delivery::Event(got)) = reader.next().await else { panic!("no event") };
        assert_eq!(serde_json::from_slice::<Event>(&got.json()).unwrap(), event);
        assert_eq!(*got.event(), event);
    }
}
