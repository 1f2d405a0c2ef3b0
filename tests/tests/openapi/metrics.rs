//! `/metrics` and `/readyz` of a real daemon.

use drp_tests::daemon::{Daemon, answer};
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};

/// One sample: name, labels, value.
type Sample = (String, BTreeMap<String, String>, f64);

/// The text format 0.0.4, parsed strictly: each family once, HELP and TYPE before its samples, buckets that add up.
fn parse(text: &str) -> Result<(BTreeMap<String, String>, Vec<Sample>), String> {
    let (mut kinds, mut samples) = (BTreeMap::new(), Vec::new());
    let (mut help, mut seen) = (String::new(), BTreeSet::new());
    assert!(text.ends_with('\n'), "the last line has no end");
    for line in text.lines() {
        let wrong = |what: &str| Err(format!("{what}: {line}"));
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').ok_or("no help text")?.0.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').ok_or("no type")?;
            if name != help || !["counter", "gauge", "histogram"].contains(&kind) {
                return wrong("type without help");
            }
            if kinds.insert(name.to_owned(), kind.to_owned()).is_some() {
                return wrong("family is there twice");
            }
        } else {
            let (series, value) = line.rsplit_once(' ').ok_or(format!("no value: {line}"))?;
            let value: f64 = value.parse().map_err(|_| format!("no number: {line}"))?;
            let (name, labels) = match series.split_once('{') {
                None => (series, BTreeMap::new()),
                Some((name, rest)) => (name, labels(rest.strip_suffix('}').ok_or("no closing brace")?)?),
            };
            let family = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let family = family.filter(|family| kinds.get(*family).is_some_and(|kind| kind == "histogram"));
            if family.unwrap_or(name) != help {
                return wrong("sample outside its family");
            }
            if !seen.insert(series.to_owned()) || value < 0.0 || !value.is_finite() {
                return wrong("series is there twice, or its value is odd");
            }
            samples.push((name.to_owned(), labels, value));
        }
    }
    Ok((kinds, samples))
}

fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (name, after) = rest.split_once("=\"").ok_or(format!("label without value: {text}"))?;
        if !name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
            return Err(format!("label name {name}"));
        }
        let end = after.find('"').ok_or(format!("open quote: {text}"))?;
        assert!(!after[..end].contains('\\'), "no label of this test is escaped");
        found.insert(name.to_owned(), after[..end].to_owned());
        rest = after[end + 1..].strip_prefix(',').unwrap_or(&after[end + 1..]);
    }
    Ok(found)
}

fn value(samples: &[Sample], name: &str, wanted: &[(&str, &str)]) -> f64 {
    let fits = |labels: &BTreeMap<String, String>| {
        wanted.iter().all(|(label, text)| labels.get(*label).is_some_and(|found| found == text))
    };
    samples.iter().filter(|(found, labels, _)| found == name && fits(labels)).map(|(.., value)| value).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_those_of_the_reference_and_count_what_happens() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let daemon = Daemon::builder().plugin("incrementer").arg(format!("--metrics={port}")).start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "inc", "Provider": "incrementer"})).await;
    daemon.wait_plugin("inc").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    daemon.expect(200, "POST", "machines/Name:m1/actions/increment", json!({})).await;
    assert_eq!(answer(daemon.anonymous("GET", "/api/v3/machines")).await.status, 401);
    let wrong = daemon.anonymous("GET", "/api/v3/machines").basic_auth("nobody", Some("x"));
    assert_eq!(answer(wrong).await.status, 403);

    let got = answer(daemon.request("GET", "/metrics")).await;
    assert_eq!((got.status, got.header("content-type")), (200, "text/plain; version=0.0.4; charset=utf-8"));
    let (kinds, samples) = parse(&got.text()).unwrap_or_else(|e| panic!("{e}\n{}", got.text()));
    let reference = include_str!("../../../docs/reference/metrics.md");
    let documented: BTreeMap<String, String> = reference
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|line| {
            let mut cells = line.split(" | ");
            (cells.next().unwrap().trim_matches('`').to_owned(), cells.next().unwrap().to_owned())
        })
        .collect();
    assert_eq!(kinds, documented);

    let value = |name: &str, labels: &[(&str, &str)]| value(&samples, name, labels);
    let created = [("route", "/{type}"), ("method", "POST"), ("status", "2xx")];
    assert_eq!(value("drp_http_requests_total", &created), 2.0);
    assert!(value("drp_http_request_duration_seconds_count", &[("route", "/{type}")]) >= 4.0);
    assert_eq!(value("drp_http_requests_in_flight", &[]), 1.0, "this one");
    assert_eq!(value("drp_logins_refused_total", &[("reason", "none")]), 1.0);
    assert_eq!(value("drp_logins_refused_total", &[("reason", "password")]), 1.0);
    assert_eq!(value("drp_actions_total", &[("provider", "incrementer"), ("result", "ok")]), 1.0);
    assert_eq!(value("drp_objects", &[("type", "machines")]), 1.0);
    assert_eq!(value("drp_plugin_up", &[("plugin", "inc"), ("provider", "incrementer")]), 1.0);
    assert_eq!(value("drp_ready", &[]), 1.0);
    for name in [
        "drp_store_commits_total",
        "drp_store_flush_duration_seconds_count",
        "drp_store_size_bytes",
        "drp_events_published_total",
        "drp_log_lines_total",
        "process_resident_memory_bytes",
        "process_open_fds",
    ] {
        assert!(value(name, &[]) > 0.0, "{name}\n{}", got.text());
    }

    assert_eq!(answer(daemon.anonymous("GET", "/metrics")).await.status, 401);
    let alone = |path: &str| format!("http://{port}{path}");
    let open = answer(daemon.http.get(alone("/metrics"))).await;
    assert_eq!(open.status, 200);
    parse(&open.text()).unwrap();
    assert_eq!(answer(daemon.http.get(alone("/api/v3/machines"))).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_check_makes_the_daemon_unready() {
    let daemon = Daemon::start();
    let fine = answer(daemon.anonymous("GET", "/readyz?verbose")).await;
    assert_eq!(fine.status, 200, "{}", fine.text());
    let checks: Vec<String> = fine.json()["checks"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(checks, ["disk", "files", "listener", "plugins", "providers", "store"]);
    std::fs::remove_file(&daemon.socket).unwrap();
    let bad = answer(daemon.anonymous("GET", "/readyz")).await;
    assert_eq!((bad.status, bad.header("retry-after")), (503, "1"));
    let messages = bad.json()["Messages"].as_array().unwrap().clone();
    assert!(messages.len() == 1 && messages[0].as_str().unwrap().starts_with("listener: "), "{messages:?}");
    let all = answer(daemon.anonymous("GET", "/readyz?verbose")).await;
    assert_eq!((all.status, all.json()["Messages"].as_array().unwrap().len()), (503, 6));
    assert_eq!(answer(daemon.anonymous("GET", "/livez")).await.status, 200);
}
