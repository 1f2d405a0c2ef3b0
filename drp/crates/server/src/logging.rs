//! The daemon's own log: standard error for the operator, the log buffer for the API.

use crate::{LogFormat, Settings};
use drp_objects::Objects;
use drp_protocol::{Level, Line};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{self, Write};
use std::sync::{Mutex, OnceLock, PoisonError};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, reload};

/// Target of lines that came from plugins, which reach the buffer on their own way.
const PLUGIN: &str = "plugin";

static BUFFER: OnceLock<Objects> = OnceLock::new();

/// Which lines are kept and shown; preferences change it while the daemon runs.
static FILTER: OnceLock<reload::Handle<EnvFilter, Registry>> = OnceLock::new();
/// The filter as text, to change it only when it is another one.
static FILTER_TEXT: Mutex<String> = Mutex::new(String::new());

/// Starts logging. A second call, as tests in one process make it, changes nothing.
pub(crate) fn start(settings: &Settings) {
    let filter = EnvFilter::try_new(&settings.log_level).unwrap_or_else(|_| EnvFilter::new("info"));
    let (filter, handle) = reload::Layer::new(filter);
    let registry = tracing_subscriber::registry().with(filter).with(ToBuffer);
    let colour =
        std::io::IsTerminal::is_terminal(&std::io::stderr()) && std::env::var_os("NO_COLOR").is_none();
    let started = match settings.log_format {
        LogFormat::Text => {
            let text = tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_ansi(colour)
                .with_target(false);
            registry.with(text).try_init()
        }
        LogFormat::Json => {
            let json = tracing_subscriber::fmt::layer().json().with_writer(std::io::stderr);
            registry.with(json).try_init()
        }
    };
    if started.is_ok() {
        let _ = FILTER.set(handle);
    }
}

/// Logs what the preferences ask for (wire-protocol §3.9), beside what the settings do.
pub(crate) fn heed(settings: &Settings, prefs: &BTreeMap<String, String>) {
    let Some(handle) = FILTER.get() else { return };
    let text = wanted(&settings.log_level, prefs);
    let mut now = FILTER_TEXT.lock().unwrap_or_else(PoisonError::into_inner);
    if *now != text
        && let Ok(filter) = EnvFilter::try_new(&text)
        && handle.reload(filter).is_ok()
    {
        *now = text;
    }
}

/// The filter for a `--log-level` and preferences: those make the daemon say more, never less. `logLevel` is for all of
/// it, `debugPlugins` for what plugins say and what runs them, `debugFrontend` for the API. A `--log-level` that is more
/// than a level is the operator's own choice of what to see, which nothing changes.
fn wanted(log_level: &str, prefs: &BTreeMap<String, String>) -> String {
    let Ok(base) = log_level.trim().parse::<LevelFilter>() else { return log_level.to_owned() };
    let asked = |name: &str| match prefs.get(name).and_then(|level| Level::parse(level)) {
        Some(Level::Trace) => LevelFilter::TRACE,
        Some(Level::Debug) => LevelFilter::DEBUG,
        Some(Level::Info | Level::Audit) => LevelFilter::INFO,
        Some(Level::Warn) => LevelFilter::WARN,
        Some(Level::Error | Level::Fatal | Level::Panic) => LevelFilter::ERROR,
        None => LevelFilter::OFF,
    };
    let all = base.max(asked("logLevel"));
    let plugins = all.max(asked("debugPlugins"));
    let api = all.max(asked("debugFrontend"));
    format!("{base},drp={all},{PLUGIN}={plugins},drp_host={plugins},drp_server={api}")
}

/// From here on the daemon's lines are kept for GET `/logs` too.
pub(crate) fn keep_in(objects: &Objects) {
    let _ = BUFFER.set(objects.clone());
}

/// Shows a plugin's line to the operator.
pub(crate) fn echo(line: &Line) {
    let (service, text) = (line.service.as_str(), line.message.trim_end());
    match line.level {
        Level::Trace => tracing::trace!(target: PLUGIN, service, "{text}"),
        Level::Debug => tracing::debug!(target: PLUGIN, service, "{text}"),
        Level::Info | Level::Audit => tracing::info!(target: PLUGIN, service, "{text}"),
        Level::Warn => tracing::warn!(target: PLUGIN, service, "{text}"),
        Level::Error | Level::Fatal | Level::Panic => tracing::error!(target: PLUGIN, service, "{text}"),
    }
}

struct ToBuffer;

thread_local! {
    /// Keeping a line may itself log; that line is only shown.
    static KEEPING: Cell<bool> = const { Cell::new(false) };
}

/// The id of the request that a span is about, so that all lines in it carry it.
struct RequestId(String);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for ToBuffer {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        if attributes.metadata().name() != "request" {
            return;
        }
        let mut fields = Fields::default();
        attributes.record(&mut fields);
        if let (Some(span), Some(Value::String(id))) = (context.span(id), fields.data.remove("id")) {
            span.extensions_mut().insert(RequestId(id));
        }
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let meta = event.metadata();
        let Some(objects) = BUFFER.get() else { return };
        if !meta.target().starts_with("drp") || KEEPING.get() {
            return;
        }
        let mut fields = Fields::default();
        event.record(&mut fields);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(RequestId(id)) = span.extensions().get() {
                fields.data.insert("request".to_owned(), id.as_str().into());
            }
        }
        let line = Line {
            service: "drp".to_owned(),
            principal: "system".to_owned(),
            level: match *meta.level() {
                tracing::Level::TRACE => Level::Trace,
                tracing::Level::DEBUG => Level::Debug,
                tracing::Level::INFO => Level::Info,
                tracing::Level::WARN => Level::Warn,
                tracing::Level::ERROR => Level::Error,
            },
            file: meta.file().unwrap_or_default().to_owned(),
            line: meta.line().map(i64::from).unwrap_or_default(),
            message: fields.message,
            data: if fields.data.is_empty() {
                Value::Null
            } else {
                Value::Array(vec![Value::Object(fields.data)])
            },
            // Lines about events would make events.
            ignore_publish: *meta.level() >= tracing::Level::DEBUG,
            ..Line::default()
        };
        KEEPING.set(true);
        objects.logs().add(line);
        KEEPING.set(false);
    }
}

#[derive(Default)]
struct Fields {
    message: String,
    data: Map<String, Value>,
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        } else {
            self.data.insert(field.name().to_owned(), Value::String(format!("{value:?}")));
        }
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.message);
        } else {
            self.data.insert(field.name().to_owned(), value.into());
        }
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.data.insert(field.name().to_owned(), value.into());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.data.insert(field.name().to_owned(), value.into());
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.data.insert(field.name().to_owned(), value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::wanted;
    use std::collections::BTreeMap;
    use tracing_subscriber::EnvFilter;

    #[test]
    fn preferences_make_the_daemon_say_more() {
        for (log_level, prefs, want) in [
            ("info", &[][..], "info,drp=info,plugin=info,drp_host=info,drp_server=info"),
            ("info", &[("logLevel", "warn")], "info,drp=info,plugin=info,drp_host=info,drp_server=info"),
            ("warn", &[("logLevel", "debug")], "warn,drp=debug,plugin=debug,drp_host=debug,drp_server=debug"),
            (
                "info",
                &[("debugPlugins", "trace")],
                "info,drp=info,plugin=trace,drp_host=trace,drp_server=info",
            ),
            (
                "info",
                &[("debugFrontend", "debug")],
                "info,drp=info,plugin=info,drp_host=info,drp_server=debug",
            ),
            ("info", &[("debugDhcp", "trace")], "info,drp=info,plugin=info,drp_host=info,drp_server=info"),
            ("info,hyper=trace", &[("logLevel", "debug")], "info,hyper=trace"),
        ] {
            let prefs: BTreeMap<String, String> =
                prefs.iter().map(|(name, level)| ((*name).to_owned(), (*level).to_owned())).collect();
            let got = wanted(log_level, &prefs);
            assert_eq!(got, want, "{log_level} {prefs:?}");
            assert!(EnvFilter::try_new(&got).is_ok(), "{got}");
        }
    }
}
