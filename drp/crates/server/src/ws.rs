//! The event socket (wire-protocol §4).

mod plugin;

use crate::app::App;
use crate::http::{Answer, Call, Failure, Pass, Reply};
use axum::extract::FromRequestParts;
use axum::extract::ws::{CloseFrame, Message, Utf8Bytes, WebSocket, WebSocketUpgrade, close_code};
use drp_objects::{Delivery, Occurrence, Pattern, PatternSet, Principal, Subscription};
use drp_protocol::{Error, Event};
use futures_util::SinkExt;
use futures_util::stream::{SplitSink, StreamExt};
use http::Method;
use plugin::{Stream, Streams};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, timeout};

/// Open sockets at most.
const MOST: usize = 2_000;
/// Largest frame a client may send: patterns may be long.
const FRAME: usize = 1 << 20;
/// How often the server asks whether the client is alive.
const PING: Duration = Duration::from_secs(30);
/// A client that says nothing for this long, not even pong, is gone.
const SILENT: Duration = Duration::from_secs(100);
/// How often a session's credentials are looked at, besides at once when its user or a role changes.
const CHECK: Duration = Duration::from_secs(5);
/// A client that takes nothing for this long is too slow.
const SLOW: Duration = Duration::from_secs(30);
/// Events sent in one go before the client is heard again.
const BATCH: usize = 64;

/// All open sockets.
pub(crate) struct Sockets {
    open: AtomicUsize,
    closing: watch::Sender<bool>,
    streams: Streams,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { open: AtomicUsize::new(0), closing: watch::Sender::new(false), streams: Streams::default() }
    }
}

impl Sockets {
    /// Says goodbye to all clients.
    pub(crate) fn close_all(&self) {
        self.closing.send_replace(true);
    }

    /// Ends when all clients are told goodbye.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

/// Counts a socket while it lives.
pub(crate) struct Place(Arc<App>);

impl Place {
    /// A place for one more follower of events, if there is one.
    pub(crate) fn take(app: &Arc<App>) -> Result<Self, Failure> {
        let place = Self(Arc::clone(app));
        if app.sockets.open.fetch_add(1, Ordering::Relaxed) >= MOST {
            return Err(Error::new(503, "GET", format!("There are already {MOST} event sockets")).into());
        }
        Ok(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.sockets.open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// GET `/ws`.
pub(crate) async fn route(mut call: Call) -> Answer {
    if call.method() != Method::GET {
        return call.not_allowed();
    }
    let upgrade = match WebSocketUpgrade::from_request_parts(&mut call.parts, &()).await {
        Ok(upgrade) => upgrade,
        Err(refused) => return Err(Error::new(400, "GET", format!("This is a WebSocket: {refused}")).into()),
    };
    let place = Place::take(&call.app)?;
    let (app, who, pass) = (call.app, call.who, call.pass);
    let upgrade = upgrade.max_message_size(FRAME).max_frame_size(FRAME);
    Ok(Reply(upgrade.on_upgrade(move |socket| async move {
        let stream = Stream::open(&app, &who);
        let ended = Session::new(Arc::clone(&app), who.clone(), pass, socket).run().await;
        drop(place);
        tracing::debug!(who = who.name, ?ended, "event socket ended");
        if let Some(stream) = stream {
            stream.ended(&app, ended).await;
        }
    })))
}

/// Why a socket ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The client closed it.
    ByClient,
    /// The connection broke, or the client went away without a close frame.
    Lost,
    /// The client did not take what it asked for.
    TooSlow,
    /// The daemon stops.
    ByServer,
    /// The client would not be let in any more.
    Unwelcome,
}

struct Session {
    app: Arc<App>,
    who: Principal,
    pass: Pass,
    patterns: PatternSet,
    out: SplitSink<WebSocket, Message>,
    incoming: futures_util::stream::SplitStream<WebSocket>,
}

impl Session {
    fn new(app: Arc<App>, who: Principal, pass: Pass, socket: WebSocket) -> Self {
        let (out, incoming) = socket.split();
        Self { app, who, pass, patterns: PatternSet::default(), out, incoming }
    }

    async fn run(mut self) -> Ended {
        let mut events = self.app.objects.events().subscribe_to(self.interest().into());
        let mut batch = Vec::with_capacity(BATCH);
        let mut closing = self.app.sockets.closing.subscribe();
        let mut ping = tokio::time::interval_at(Instant::now() + PING, PING);
        ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut check = tokio::time::interval_at(Instant::now() + CHECK, CHECK);
        check.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut heard = Instant::now();
        loop {
            // Frames of the client come first, so that an acknowledgement never waits behind events.
            let result = tokio::select! {
                biased;
                frame = self.incoming.next() => {
                    heard = Instant::now();
                    self.hear(frame, &events).await
                }
                () = async { let _ = closing.wait_for(|closing| *closing).await; } => {
                    self.say_goodbye(close_code::NORMAL, "daemon stops").await;
                    return Ended::ByServer;
                }
                () = events.take(BATCH, &mut batch) => {
                    if batch.is_empty() {
                        Err(Ended::ByServer)
                    } else if batch.iter().any(|delivery| concerns(&self.who, delivery)) && !self.renew() {
                        Err(Ended::Unwelcome)
                    } else {
                        self.tell(&mut batch).await
                    }
                }
                _ = check.tick() => if self.renew() { Ok(()) } else { Err(Ended::Unwelcome) },
                _ = ping.tick() => {
                    if heard.elapsed() > SILENT {
                        return Ended::TooSlow;
                    }
                    self.send(Message::Ping(bytes::Bytes::new())).await
                }
            };
            if let Err(ended) = result {
                if ended == Ended::Unwelcome {
                    tracing::info!(
                        who = self.who.name,
                        "its credentials do not hold any more: event socket closed"
                    );
                    self.say_goodbye(close_code::POLICY, "credentials do not hold any more").await;
                }
                return ended;
            }
        }
    }

    async fn say_goodbye(&mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code, reason: Utf8Bytes::from_static(reason) };
        let _ = timeout(Duration::from_secs(1), self.out.send(Message::Close(Some(frame)))).await;
    }

    /// What the client registered, and what tells that its credentials may have changed.
    fn interest(&self) -> PatternSet {
        let mut patterns = self.patterns.clone();
        watch_credentials(&self.who, &mut patterns);
        patterns
    }

    /// Looks at the credentials again and takes the claims as they are now; false when they do not hold any more.
    fn renew(&mut self) -> bool {
        match self.pass.renewed(&self.app.objects, &self.who) {
            Some(who) => self.who = who,
            None => return false,
        }
        true
    }

    /// One frame of the client.
    async fn hear(
        &mut self,
        frame: Option<Result<Message, axum::Error>>,
        events: &Subscription,
    ) -> Result<(), Ended> {
        let text = match frame {
            Some(Ok(Message::Text(text))) => text,
            Some(Ok(Message::Close(_))) => {
                // The library has queued the answer to the close frame; closing sends it.
                let _ = timeout(Duration::from_secs(1), self.out.close()).await;
                return Err(Ended::ByClient);
            }
            Some(Ok(_)) => return Ok(()),
            Some(Err(_)) | None => return Err(Ended::Lost),
        };
        let (action, pattern) = match text.split_once(' ') {
            Some((action @ ("register" | "deregister"), pattern)) => (action, pattern.trim()),
            _ => {
                tracing::debug!(
                    who = self.who.name,
                    "a frame that is neither register nor deregister is ignored"
                );
                return Ok(());
            }
        };
        if action == "deregister" {
            self.patterns.deregister(pattern);
        } else if let Err(error) = self.patterns.register(pattern) {
            tracing::warn!(who = self.who.name, %error, "a registration is not taken");
        }
        events.set_interest(self.interest().into());
        // One acknowledgement per frame whatever it says: clients wait for it without a timeout.
        let mut event = Event::now("websocket", action, pattern, serde_json::Value::Null);
        event.principal.clone_from(&self.who.name);
        let json = serde_json::to_string(&event).unwrap_or_default();
        self.send(Message::Text(json.into())).await
    }

    /// Sends what of a batch this client asked for and may see; gaps are marked with their range.
    async fn tell(&mut self, batch: &mut Vec<Delivery>) -> Result<(), Ended> {
        let mut any = false;
        for delivery in batch.drain(..) {
            let text = match delivery {
                Delivery::Event(event) if self.wants(&event) => match Utf8Bytes::try_from(event.json()) {
                    Ok(text) => text,
                    Err(_) => continue,
                },
                Delivery::Event(_) => continue,
                Delivery::Gap { from, to } => gap(from, to),
            };
            any = true;
            in_time(self.out.feed(Message::Text(text))).await?;
        }
        if any { in_time(self.out.flush()).await } else { Ok(()) }
    }

    fn wants(&self, event: &Occurrence) -> bool {
        self.patterns.matches(event) && event.visible_to(&self.who.claims)
    }

    async fn send(&mut self, message: Message) -> Result<(), Ended> {
        in_time(self.out.send(message)).await
    }
}

/// Adds what tells a session that it may not be welcome any more.
pub(crate) fn watch_credentials(who: &Principal, patterns: &mut PatternSet) {
    for (kind, key) in [
        ("users", Some(who.subject.as_str())),
        ("machines", Some(who.subject.as_str())),
        ("roles", None),
        ("preferences", None),
        ("tenants", None),
    ] {
        patterns.watch(Pattern::of(kind, key));
    }
}

/// Whether what is delivered may change what a session may do.
pub(crate) fn concerns(who: &Principal, delivery: &Delivery) -> bool {
    match delivery {
        Delivery::Event(event) => match event.kind() {
            "users" | "machines" => event.key() == who.subject,
            "roles" | "preferences" | "tenants" => true,
            _ => false,
        },
        Delivery::Gap { .. } => true,
    }
}

async fn in_time(sending: impl Future<Output = Result<(), axum::Error>>) -> Result<(), Ended> {
    match timeout(SLOW, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Ended::Lost),
        Err(_) => Err(Ended::TooSlow),
    }
}

/// Tells a follower that fell behind which events it lost. The type is not `websocket`: old clients count those as
/// acknowledgements.
pub(crate) fn gap_event(from: u64, to: u64) -> Event {
    Event::now("gap", "missed", format!("{from}-{to}"), json!({"From": from, "To": to}))
}

fn gap(from: u64, to: u64) -> Utf8Bytes {
    serde_json::to_string(&gap_event(from, to)).unwrap_or_default().into()
}
