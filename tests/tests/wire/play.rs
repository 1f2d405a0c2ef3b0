//! Runs a table against a daemon.

use crate::compare::{differences, fill, fill_text};
use crate::exchange::{Exchange, Table};
use drp_tests::daemon::{Answer, Daemon, USER, answer};
use futures_util::StreamExt as _;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long `until` asks again.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many exchanges of a table may differ before it is given up.
const REPORTED: usize = 8;

/// Runs all exchanges of a table in order.
pub fn play(table: &Table) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("runtime").block_on(async {
        let mut builder = Daemon::builder();
        for plugin in &table.plugins {
            // The daemon asks that a file is named like what it defines.
            let provider = plugin.strip_prefix("drp-test-").unwrap_or(plugin);
            builder = builder.plugin_file(provider, drp_tests::daemon::binary(plugin));
        }
        for arg in &table.args {
            builder = builder.arg(arg);
        }
        for (name, value) in &table.env {
            builder = builder.env(name, value);
        }
        let daemon = builder.start();
        let mut captured = BTreeMap::from([
            ("api".to_owned(), Value::String(daemon.api.clone())),
            ("files".to_owned(), Value::String(daemon.files.clone())),
            ("base".to_owned(), Value::String(daemon.base().to_string_lossy().into_owned())),
        ]);
        let mut problems = Vec::new();
        let mut begun = tokio::task::JoinSet::new();
        for (at, exchange) in table.exchanges.iter().enumerate() {
            if exchange.unfinished {
                begun.spawn(request(&daemon, exchange, &captured).send());
                continue;
            }
            if let Some(plugin) = &exchange.wait_plugin {
                daemon.wait_plugin(plugin).await;
                continue;
            }
            if let Err(problem) = one(&daemon, exchange, &mut captured).await {
                let place = format!("{}, exchange {} ({})", table.file, at + 1, exchange.name);
                problems.push(format!("{place}: {}\n{problem}", exchange.request));
            }
            // What comes after a difference often differs because of it.
            if problems.len() == REPORTED {
                break;
            }
        }
        begun.shutdown().await;
        if problems.is_empty() { Ok(()) } else { Err(problems.join("\n\n")) }
    })
}

async fn one(
    daemon: &Daemon,
    exchange: &Exchange,
    captured: &mut BTreeMap<String, Value>,
) -> Result<(), String> {
    let end = Instant::now() + PATIENCE;
    let got = loop {
        let got = answer(request(daemon, exchange, captured)).await;
        let problems = check(exchange, &got, captured);
        if problems.is_empty() {
            break got;
        }
        if !exchange.until || Instant::now() > end {
            return Err(report(&problems, &got));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    for (name, place) in &exchange.capture {
        let value = match place.strip_prefix("header ") {
            Some(header) => Value::String(got.header(header).to_owned()),
            None => json(&got)?
                .pointer(place)
                .ok_or_else(|| report(&[format!("{place} is not there to be captured as {name}")], &got))?
                .clone(),
        };
        captured.insert(name.clone(), value);
    }
    Ok(())
}

fn request(
    daemon: &Daemon,
    exchange: &Exchange,
    captured: &BTreeMap<String, Value>,
) -> reqwest::RequestBuilder {
    let (method, path) = exchange.request.split_once(' ').expect("checked when read");
    let path = fill_text(path.trim(), captured);
    let path = if path.starts_with('/') { path } else { format!("/api/v3/{path}") };
    let mut request = daemon.anonymous(method, &path);
    match exchange.who.as_deref().map(|who| fill_text(who, captured)).as_deref() {
        None => request = request.basic_auth(USER.0, Some(USER.1)),
        Some("none") => {}
        Some(who) => {
            request = match (who.strip_prefix("bearer "), who.split_once(':')) {
                (Some(token), _) => request.bearer_auth(token),
                (None, Some((name, password))) => request.basic_auth(name, Some(password)),
                (None, None) => panic!("as: {who}: must be none, name:password or bearer TOKEN"),
            };
        }
    }
    if exchange.body.is_some() && !exchange.headers.keys().any(|h| h.eq_ignore_ascii_case("content-type")) {
        request = request.header("content-type", "application/json");
    }
    for (name, value) in &exchange.headers {
        request = request.header(name, fill_text(value, captured));
    }
    let body = match (&exchange.body, &exchange.raw) {
        (Some(body), _) => Some(fill(body, captured).to_string().into_bytes()),
        (None, Some(raw)) => Some(filled(raw.bytes(), captured)),
        (None, None) => None,
    };
    if exchange.unfinished {
        let begun = futures_util::stream::iter(body.map(Ok::<_, std::io::Error>));
        let body = begun.chain(futures_util::stream::pending());
        return request.body(reqwest::Body::wrap_stream(body));
    }
    match body {
        Some(body) => request.body(body),
        None => request,
    }
}

/// Captured values may stand in text.
fn filled(bytes: Vec<u8>, captured: &BTreeMap<String, Value>) -> Vec<u8> {
    match String::from_utf8(bytes) {
        Ok(text) => fill_text(&text, captured).into_bytes(),
        Err(bytes) => bytes.into_bytes(),
    }
}

/// Everything that is not as expected.
fn check(exchange: &Exchange, got: &Answer, captured: &BTreeMap<String, Value>) -> Vec<String> {
    let mut problems = Vec::new();
    if got.status != exchange.status {
        problems.push(format!("status: expected {}, got {}", exchange.status, got.status));
    }
    for (name, want) in &exchange.answer_headers {
        let have = got.headers.get(name).map(|v| Value::from(String::from_utf8_lossy(v.as_bytes())));
        match (want, have) {
            (None, None) => {}
            (None, Some(have)) => problems.push(format!("header {name}: {have} is not expected")),
            (Some(want), None) => problems.push(format!("header {name}: expected {want:?}, is absent")),
            (Some(want), Some(have)) => {
                let found = differences(&fill(&Value::from(want.as_str()), captured), &have, false);
                problems.extend(found.into_iter().map(|found| format!("header {name}{found}")));
            }
        }
    }
    let empty =
        exchange.empty || exchange.request.starts_with("HEAD ") || matches!(exchange.status, 204 | 304);
    if empty && !got.bytes.is_empty() {
        problems.push("the body is not empty".to_owned());
    }
    let expected = match (&exchange.error, &exchange.answer, &exchange.contains) {
        (Some(error), _, _) => Some((error.json(exchange.status), false)),
        (_, Some(answer), _) => Some((answer.clone(), false)),
        (_, _, Some(contains)) => Some((contains.clone(), true)),
        _ => None,
    };
    if let Some((expected, part)) = expected {
        let kind = got.header("content-type");
        if !kind.starts_with("application/json") {
            problems.push(format!("Content-Type is {kind:?}"));
        }
        match json(got) {
            Ok(json) => problems.extend(differences(&fill(&expected, captured), &json, part)),
            Err(error) => problems.push(error),
        }
    }
    if let Some(text) = &exchange.text {
        let text = fill_text(text, captured);
        problems.extend(differences(&Value::String(text), &Value::String(got.text()), false));
    }
    problems
}

fn json(got: &Answer) -> Result<Value, String> {
    serde_json::from_slice(&got.bytes).map_err(|e| format!("the body is no JSON: {e}"))
}

fn report(problems: &[String], got: &Answer) -> String {
    let body = match json(got) {
        Ok(json) => serde_json::to_string_pretty(&json).expect("JSON"),
        Err(_) => got.text(),
    };
    let body: String = body.chars().take(3000).collect();
    format!("  {}\nanswer: {} {}\n{body}", problems.join("\n  "), got.status, got.header("content-type"))
}
