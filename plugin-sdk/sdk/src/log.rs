//! Log lines: to the daemon while listening, to standard error otherwise (wire-protocol §1.3, §1.8, §1.9).

use crate::{host_link::HostLink, scope::Scope};
use drp_protocol::{JsonMap, Level, Line, Time};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::Duration,
};
use tokio::sync::{mpsc, oneshot};
use tracing::{
    Event, Subscriber,
    field::{Field, Visit},
};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

/// Lines that wait for the daemon. When it is full, lines are dropped and counted.
const QUEUE: usize = 1024;
/// Longest text of a line or field in bytes; the rest is cut off.
const TEXT_LIMIT: usize = 16 << 10;
/// How long the daemon may take over one line.
const POST_LIMIT: Duration = Duration::from_secs(5);
/// Crates below the SDK: they work while a line is posted, so their chatter would never end.
const LIBRARIES: [&str; 14] = [
    "axum",
    "h2",
    "hyper",
    "hyper_util",
    "hyperlocal",
    "mio",
    "reqwest",
    "rustls",
    "tokio",
    "tokio_rustls",
    "tokio_tungstenite",
    "tower",
    "tungstenite",
    "want",
];

enum Item {
    Line(Box<Line>),
    Flush(oneshot::Sender<()>),
}

/// The sending end of the log.
#[derive(Clone)]
pub(crate) struct Log(mpsc::Sender<Item>);

impl Log {
    /// Sends log lines to the daemon from now on. Must be called inside a runtime.
    pub(crate) fn to_daemon(service: &str, level: tracing::Level, host: HostLink) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        let dropped = Arc::new(AtomicU64::new(0));
        let service: Arc<str> = service.into();
        tokio::spawn(post_lines(receiver, host, service.clone(), dropped.clone()));
        let layer = DaemonLayer { queue: sender.clone(), dropped, service, level };
        // Fails only when the author set a subscriber of their own, which then wins.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer));
        Self(sender)
    }

    /// Waits until the lines so far are with the daemon.
    pub(crate) async fn flush(&self, limit: Duration) {
        let (done, wait) = oneshot::channel();
        let _ = tokio::time::timeout(limit, async {
            if self.0.send(Item::Flush(done)).await.is_ok() {
                let _ = wait.await;
            }
        })
        .await;
    }
}

/// Sends log lines to standard error from now on, as `local log: …`.
pub(crate) fn to_stderr(level: tracing::Level) {
    let _ =
        tracing::subscriber::set_global_default(tracing_subscriber::registry().with(StderrLayer { level }));
}

/// Posts lines one after the other, so that they arrive in order. A line that the daemon does not take is gone:
/// saying so would be a line again.
async fn post_lines(
    mut queue: mpsc::Receiver<Item>,
    host: HostLink,
    service: Arc<str>,
    dropped: Arc<AtomicU64>,
) {
    while let Some(item) = queue.recv().await {
        let line = match item {
            Item::Line(line) => line,
            Item::Flush(done) => {
                let _ = done.send(());
                continue;
            }
        };
        let missing = dropped.swap(0, Ordering::Relaxed);
        if missing > 0 {
            let message = format!("{missing} log lines were dropped: the daemon takes them too slowly");
            let note = Line { level: Level::Warn, message, ..stamped(&service) };
            post(&host, &note).await;
        }
        post(&host, &line).await;
    }
}

async fn post(host: &HostLink, line: &Line) {
    if let Ok(body) = serde_json::to_vec(line) {
        let _ = host.post("/log", body, POST_LIMIT).await;
    }
}

fn stamped(service: &str) -> Line {
    static SEQ: AtomicI64 = AtomicI64::new(1);
    Line {
        seq: SEQ.fetch_add(1, Ordering::Relaxed),
        time: Time::now().to_string(),
        service: service.to_owned(),
        ..Line::default()
    }
}

fn level_of(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

fn wanted(metadata: &tracing::Metadata<'_>, threshold: tracing::Level) -> bool {
    let level = level_of(*metadata.level());
    let krate = metadata.target().split("::").next().unwrap_or_default();
    if LIBRARIES.contains(&krate) {
        return level >= Level::Warn;
    }
    level >= level_of(threshold) || Scope::asked_for(level)
}

struct DaemonLayer {
    queue: mpsc::Sender<Item>,
    dropped: Arc<AtomicU64>,
    service: Arc<str>,
    level: tracing::Level,
}

impl<S: Subscriber> Layer<S> for DaemonLayer {
    fn register_callsite(&self, _: &'static tracing::Metadata<'static>) -> tracing::subscriber::Interest {
        // The answer changes with the request (`X-Log-Request`), so it must not be cached.
        tracing::subscriber::Interest::sometimes()
    }

    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        wanted(metadata, self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let scope = Scope::current();
        if let Some(request) = &scope.request {
            fields.data.insert("request".to_owned(), (&**request).into());
        }
        let metadata = event.metadata();
        let line = Line {
            group: scope.id,
            level: level_of(*metadata.level()),
            file: metadata.file().unwrap_or_default().to_owned(),
            line: metadata.line().map_or(0, i64::from),
            message: fields.message,
            data: if fields.data.is_empty() { Value::Null } else { Value::Array(vec![fields.data.into()]) },
            ignore_publish: scope.ignore_publish,
            ..stamped(&self.service)
        };
        if self.queue.try_send(Item::Line(Box::new(line))).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

struct StderrLayer {
    level: tracing::Level,
}

impl<S: Subscriber> Layer<S> for StderrLayer {
    fn enabled(&self, metadata: &tracing::Metadata<'_>, _: Context<'_, S>) -> bool {
        wanted(metadata, self.level)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut fields = Fields::default();
        event.record(&mut fields);
        let level = level_of(*event.metadata().level());
        let mut text = format!("local log: [{level}] {}", fields.message);
        for (name, value) in fields.data {
            let _ = write!(text, " {name}={value}");
        }
        let _ = writeln!(std::io::stderr(), "{text}");
    }
}

/// The fields of an event: `message` apart, the others as JSON.
#[derive(Default)]
struct Fields {
    message: String,
    data: JsonMap,
}

impl Fields {
    fn take(&mut self, field: &Field, value: impl Into<Value>) {
        self.data.insert(field.name().to_owned(), value.into());
    }
}

fn cut(mut text: String) -> String {
    if text.len() > TEXT_LIMIT {
        let end = (0..=TEXT_LIMIT).rev().find(|i| text.is_char_boundary(*i)).unwrap_or(0);
        text.truncate(end);
        text.push_str(" … (cut)");
    }
    text
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        let text = cut(format!("{value:?}"));
        if field.name() == "message" {
            self.message = text;
        } else {
            self.take(field, text);
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            self.message = cut(value.to_owned());
        } else {
            self.take(field, cut(value.to_owned()));
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.take(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take(field, value);
    }
}
