//! What somebody who scrapes gets: what was counted, and what is looked up now.

use super::list as m;
use super::page::{KIND, Page};
use super::{lock, times};
use crate::app::App;
use crate::life::Phase;
use axum::body::Body;
use drp_host::InstanceState;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::SystemTime;

/// All metrics as a page.
pub(crate) async fn page(app: &Arc<App>) -> Response<Body> {
    let from = Arc::clone(app);
    // The store is asked for its size.
    let text = tokio::task::spawn_blocking(move || text(&from)).await.unwrap_or_default();
    let mut response = Response::new(Body::from(text));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(KIND));
    response
}

fn text(app: &App) -> String {
    let mut page = Page::default();
    daemon(&mut page, app);
    requests(&mut page, app);
    events(&mut page, app);
    objects(&mut page, app);
    store(&mut page, app);
    plugins(&mut page, app);
    actions(&mut page, app);
    extensions(&mut page, app);
    page.family(m::LOG_LINES);
    for (level, count) in app.objects.logs().taken() {
        page.sample(m::LOG_LINES.name, &[("level", level.name())], count as f64);
    }
    process(&mut page, app);
    page.text()
}

fn daemon(page: &mut Page, app: &App) {
    let version = env!("CARGO_PKG_VERSION");
    page.family(m::BUILD).sample(m::BUILD.name, &[("version", version)], 1.0);
    page.one(m::READY, f64::from(u8::from(app.life.phase() == Phase::Ready)));
    page.one(m::UPTIME, app.place.started.elapsed().as_secs_f64());
}

fn requests(page: &mut Page, app: &App) {
    let metrics = &app.metrics;
    page.family(m::REQUESTS);
    for ([route, method, status], count) in lock(&metrics.requests).iter() {
        let labels = [("route", *route), ("method", *method), ("status", *status)];
        page.sample(m::REQUESTS.name, &labels, *count as f64);
    }
    let bounds = times::BOUNDS.map(|ms| ms as f64 / 1_000.0);
    page.family(m::REQUEST_TIMES);
    for (route, times) in lock(&metrics.request_times).iter() {
        page.histogram(m::REQUEST_TIMES.name, Some(("route", route)), &bounds, &times.counts, times.sum);
    }
    page.one(m::IN_FLIGHT, metrics.in_flight.load(Ordering::Relaxed) as f64);
    page.family(m::REFUSED);
    for (why, count) in lock(&metrics.refused).iter() {
        page.sample(m::REFUSED.name, &[("reason", why)], *count as f64);
    }
}

fn events(page: &mut Page, app: &App) {
    let bus = app.objects.events();
    page.one(m::SOCKETS, app.sockets.count() as f64);
    page.one(m::EVENTS, bus.last_seq() as f64);
    let counts = bus.counts();
    page.one(m::SUBSCRIBERS, counts.subscribers as f64);
    page.one(m::GAPS, counts.gaps as f64);
    page.one(m::LOST, counts.lost as f64);
}

fn objects(page: &mut Page, app: &App) {
    page.family(m::OBJECTS);
    for prefix in app.objects.prefixes() {
        page.sample(m::OBJECTS.name, &[("type", &prefix)], app.objects.count(&prefix) as f64);
    }
}

fn store(page: &mut Page, app: &App) {
    let stats = app.store.stats().unwrap_or_default();
    page.one(m::STORE_BYTES, stats.disk_bytes as f64);
    page.one(m::STORE_QUEUE, stats.queued as f64);
    page.one(m::STORE_COMMITS, stats.commits as f64);
    page.one(m::STORE_CONFLICTS, stats.conflicts as f64);
    page.one(m::STORE_FAILURES, stats.failures as f64);
    let bounds = drp_store::FLUSH_BOUNDS.map(|micros| micros as f64 / 1_000_000.0);
    page.family(m::STORE_FLUSHES).histogram(
        m::STORE_FLUSHES.name,
        None,
        &bounds,
        &stats.flushes,
        stats.flush_time,
    );
}

fn plugins(page: &mut Page, app: &App) {
    page.one(m::PROVIDERS, app.providers.names().len() as f64);
    page.one(m::PROBLEMS, app.problems().len() as f64);
    let plugins = app.host.get().map(|host| host.status()).unwrap_or_default();
    type Value = fn(&drp_host::InstanceStatus) -> f64;
    let families: [(&m::Metric, Value); 5] = [
        (m::PLUGIN_UP, |plugin| f64::from(u8::from(plugin.state == InstanceState::Configured))),
        (m::PLUGIN_RESTARTS, |plugin| plugin.restarts as f64),
        (m::PLUGIN_CALLS, |plugin| plugin.in_flight as f64),
        (m::PLUGIN_EVENTS, |plugin| plugin.dropped_events as f64),
        (m::PLUGIN_LINES, |plugin| plugin.dropped_lines as f64),
    ];
    for (metric, value) in families {
        page.family(metric);
        for plugin in &plugins {
            let labels = [("plugin", plugin.name.as_str()), ("provider", plugin.provider.as_str())];
            page.sample(metric.name, &labels, value(plugin));
        }
    }
}

fn actions(page: &mut Page, app: &App) {
    page.family(m::ACTIONS);
    for ((provider, result), count) in lock(&app.metrics.actions).iter() {
        page.sample(m::ACTIONS.name, &[("provider", provider), ("result", result)], *count as f64);
    }
    let bounds = times::BOUNDS.map(|ms| ms as f64 / 1_000.0);
    page.family(m::ACTION_TIMES);
    for (provider, times) in lock(&app.metrics.action_times).iter() {
        page.histogram(m::ACTION_TIMES.name, Some(("provider", provider)), &bounds, &times.counts, times.sum);
    }
}

fn extensions(page: &mut Page, app: &App) {
    let counts = app.extensions.renders.counts();
    page.family(m::RENDERS);
    for (language, count) in [("nickel", counts.nickel), ("jinja2", counts.jinja2)] {
        page.sample(m::RENDERS.name, &[("language", language)], count as f64);
    }
    let (render, own) = app.extensions.cache_statistics();
    page.family(m::SCHEMA_HITS);
    for (of, kept) in [("render", render), ("extensions", own)] {
        page.sample(m::SCHEMA_HITS.name, &[("of", of)], kept.hits as f64);
    }
    page.family(m::SCHEMA_MISSES);
    for (of, kept) in [("render", render), ("extensions", own)] {
        page.sample(m::SCHEMA_MISSES.name, &[("of", of)], kept.misses as f64);
    }
    let all = app.extensions.registry.all();
    page.family(m::EXTENSIONS);
    for kind in drp_protocol::ExtensionType::ALL {
        let count = all.iter().filter(|record| record.extension.r#type == kind && !record.leaving).count();
        page.sample(m::EXTENSIONS.name, &[("type", kind.name())], count as f64);
    }
}

/// As the client libraries of Prometheus name it, from `/proc/self` (proc(5)).
fn process(page: &mut Page, app: &App) {
    let number = |text: Option<&str>| text.and_then(|text| text.parse::<f64>().ok()).unwrap_or_default();
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Fields after the name, which may hold blanks: 14 and 15 are the user and system time in ticks, 24 pages in memory.
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let field = |place: usize| number(fields.get(place - 3).copied());
    let size = |what| nix::unistd::sysconf(what).ok().flatten().unwrap_or(1) as f64;
    use nix::unistd::SysconfVar;
    page.one(m::CPU, (field(14) + field(15)) / size(SysconfVar::CLK_TCK));
    page.one(m::RSS, field(24) * size(SysconfVar::PAGE_SIZE));
    page.one(m::FDS, std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count) as f64);
    let limit = nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE);
    page.one(m::MAX_FDS, limit.map_or(0, |(soft, _)| soft) as f64);
    let started = SystemTime::now().checked_sub(app.place.started.elapsed());
    let since = started.and_then(|at| at.duration_since(SystemTime::UNIX_EPOCH).ok()).unwrap_or_default();
    page.one(m::STARTED, since.as_secs_f64());
}
