//! Events for plain HTTP: server-sent events (HTML Standard §9.2) with a place to come back to.

use crate::app::App;
use crate::http::{Answer, Call, Failure, Pass, Reply};
use crate::ws::{Place, concerns, watch_credentials};
use axum::body::Body;
use bytes::Bytes;
use drp_objects::{Delivery, EventBus, PatternSet, Principal, Subscription};
use drp_protocol::Error;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use serde_json::json;
use std::convert::Infallible;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at};

/// How often a stream says that it lives, and where it is.
const BEAT: Duration = Duration::from_secs(10);
/// How often the credentials are looked at, besides at once when their user or a role changes.
const CHECK: Duration = Duration::from_secs(5);
/// Deliveries that are looked at in one go.
const BATCH: usize = 64;
/// A piece of the body is sent when it has this many bytes, or when nothing more waits.
const PIECE: usize = 64 << 10;
/// What a client that lost its connection waits before it comes back, in milliseconds.
const RETRY: u32 = 2_000;

/// GET `/events/stream`.
pub(super) fn route(call: Call) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    let patterns = patterns(&call)?;
    let after = match call.header("last-event-id") {
        "" => call.query.get("from"),
        // A browser that comes back asks for the same address as before; the header is newer.
        header => Some(header),
    };
    let after = after.map(position).transpose()?;
    let mut response = Response::new(Body::empty());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // For proxies that would hold pieces back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    if *call.method() == Method::GET {
        let stream = Stream::open(call, patterns, after)?;
        *response.body_mut() = Body::from_stream(futures_util::stream::unfold(stream, |mut stream| async {
            let piece = stream.piece().await?;
            Some((Ok::<_, Infallible>(piece), stream))
        }));
    }
    Ok(Reply(response))
}

/// The patterns asked for, all events when there are none.
fn patterns(call: &Call) -> Result<PatternSet, Failure> {
    let mut set = PatternSet::default();
    let mut given =
        call.query.pairs().filter(|(key, _)| *key == "pattern").map(|(_, value)| value).peekable();
    if given.peek().is_none() {
        set.register("*.*.*")?;
    }
    for text in given {
        if drp_objects::Pattern::parse(text).is_none() {
            let text =
                format!("pattern: {text:?} is not <type>.<action>.<key>, for instance machines.update.*");
            return Err(refused(text));
        }
        set.register(text)?;
    }
    Ok(set)
}

/// A place in the stream: `<epoch>-<number>`, or a number of this epoch.
#[derive(Debug, PartialEq, Eq)]
struct Position {
    epoch: Option<String>,
    seq: u64,
}

impl Position {
    fn parse(text: &str) -> Option<Self> {
        let (epoch, seq) = match text.trim().rsplit_once('-') {
            Some((epoch, seq)) if !epoch.is_empty() => (Some(epoch.to_owned()), seq),
            Some(_) => return None,
            None => (None, text.trim()),
        };
        Some(Self { epoch, seq: seq.parse().ok()? })
    }

    /// Whether the number was given by this daemon since it started.
    fn is_of(&self, bus: &EventBus) -> bool {
        self.epoch.as_deref().is_none_or(|epoch| epoch == bus.epoch()) && self.seq <= bus.last_seq()
    }
}

fn position(text: &str) -> Result<Position, Failure> {
    Position::parse(text).ok_or_else(|| {
        refused(format!(
            "from: {text:?} is not the id of an event: <epoch>-<number>, or 0 for all that is kept"
        ))
    })
}

fn refused(text: String) -> Failure {
    Error::new(400, "GET", text).on("events", "stream").into()
}

struct Stream {
    app: Arc<App>,
    who: Principal,
    pass: Pass,
    patterns: PatternSet,
    events: Subscription,
    batch: std::collections::VecDeque<Delivery>,
    /// What is sent before anything else.
    opening: Vec<u8>,
    closing: watch::Receiver<bool>,
    check: Interval,
    beat: Interval,
    over: bool,
    _place: Place,
}

impl Stream {
    fn open(call: Call, patterns: PatternSet, after: Option<Position>) -> Result<Self, Failure> {
        let place = Place::take(&call.app)?;
        let (app, who) = (call.app, call.who);
        let bus = app.objects.events();
        let mut interest = patterns.clone();
        watch_credentials(&who, &mut interest);
        let mut opening = format!("retry: {RETRY}\n").into_bytes();
        let mut events = match &after {
            None => bus.subscribe_to(interest.into()),
            Some(position) if position.is_of(bus) => bus.subscribe_after(interest.into(), position.seq),
            Some(position) => {
                // How much another life of the daemon had to say is not known here.
                let epoch = position.epoch.as_deref().unwrap_or_default();
                let gap = json!({"Epoch": epoch, "From": position.seq.saturating_add(1), "To": null, "Reason": "restart"});
                block(&mut opening, &format!("{}-0", bus.epoch()), "gap", gap.to_string().as_bytes());
                bus.subscribe_after(interest.into(), 0)
            }
        };
        if after.is_none() {
            // A browser takes the id of an empty block as its place without telling anybody.
            place_of(&mut opening, bus.epoch(), events.position());
        }
        let every = |period| {
            let mut interval = interval_at(Instant::now() + period, period);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        };
        let closing = app.sockets.closing();
        Ok(Self {
            who,
            pass: call.pass,
            patterns,
            events,
            batch: std::collections::VecDeque::new(),
            opening,
            closing,
            check: every(CHECK),
            beat: every(BEAT),
            over: false,
            _place: place,
            app,
        })
    }

    /// The next bytes; none when the stream is over.
    async fn piece(&mut self) -> Option<Bytes> {
        if !self.opening.is_empty() {
            return Some(std::mem::take(&mut self.opening).into());
        }
        if self.over {
            return None;
        }
        let mut piece = Vec::new();
        loop {
            while piece.len() < PIECE
                && let Some(delivery) = self.batch.pop_front()
            {
                self.tell(&mut piece, &delivery);
            }
            if !piece.is_empty() {
                return Some(piece.into());
            }
            let mut taken = Vec::with_capacity(BATCH);
            tokio::select! {
                biased;
                () = async { let _ = self.closing.wait_for(|closing| *closing).await; } => {
                    return Some(self.end("stopping"));
                }
                () = self.events.take(BATCH, &mut taken) => {
                    if taken.is_empty() {
                        return Some(self.end("stopping"));
                    }
                    if taken.iter().any(|delivery| concerns(&self.who, delivery)) && !self.renew() {
                        return Some(self.end("credentials"));
                    }
                    self.batch.extend(taken);
                }
                _ = self.check.tick() => if !self.renew() {
                    return Some(self.end("credentials"));
                },
                _ = self.beat.tick() => {
                    piece.extend_from_slice(b": heartbeat\n");
                    place_of(&mut piece, self.app.objects.events().epoch(), self.events.position());
                }
            }
        }
    }

    /// Looks at the credentials again and takes the claims as they are now; false when they do not hold any more.
    fn renew(&mut self) -> bool {
        match self.pass.renewed(&self.app.objects, &self.who) {
            Some(who) => self.who = who,
            None => return false,
        }
        true
    }

    /// The last words, so that a client can tell the end from a broken connection.
    fn end(&mut self, reason: &str) -> Bytes {
        self.over = true;
        format!("event: end\ndata: {}\n\n", json!({ "Reason": reason })).into()
    }

    fn tell(&self, piece: &mut Vec<u8>, delivery: &Delivery) {
        let epoch = self.app.objects.events().epoch();
        match delivery {
            Delivery::Event(event) => {
                if self.patterns.matches(event) && event.visible_to(&self.who.claims) {
                    block(piece, &format!("{epoch}-{}", event.seq), "", &event.json());
                }
            }
            Delivery::Gap { from, to } => {
                let gap = json!({"Epoch": epoch, "From": from, "To": to, "Reason": "lost"});
                block(piece, &format!("{epoch}-{to}"), "gap", gap.to_string().as_bytes());
            }
        }
    }
}

/// One block of the stream. Writing to memory cannot fail.
fn block(out: &mut Vec<u8>, id: &str, event: &str, data: &[u8]) {
    let _ = writeln!(out, "id: {id}");
    if !event.is_empty() {
        let _ = writeln!(out, "event: {event}");
    }
    out.extend_from_slice(b"data: ");
    let at = out.len();
    out.extend_from_slice(data);
    // In JSON a line break is always blank space: within strings it is escaped.
    out[at..].iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
    out.extend_from_slice(b"\n\n");
}

fn place_of(out: &mut Vec<u8>, epoch: &str, seq: u64) {
    let _ = write!(out, "id: {epoch}-{seq}\n\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions() {
        let at = |epoch: Option<&str>, seq| Some(Position { epoch: epoch.map(str::to_owned), seq });
        for (text, want) in [
            ("7", at(None, 7)),
            (" 0 ", at(None, 0)),
            ("63a-9", at(Some("63a"), 9)),
            ("-9", None),
            ("63a-", None),
            ("63a", None),
            ("", None),
            ("63a-18446744073709551616", None),
        ] {
            assert_eq!(Position::parse(text), want, "{text:?}");
        }
    }

    #[test]
    fn data_is_one_line() {
        let mut out = Vec::new();
        block(&mut out, "e-1", "gap", b"{\"a\":\r\n1}");
        assert_eq!(String::from_utf8(out).unwrap(), "id: e-1\nevent: gap\ndata: {\"a\":  1}\n\n");
    }
}
