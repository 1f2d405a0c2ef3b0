//! A request's id, from the call through the plugin to the log.

use drp_protocol::Line;
use drp_tests::daemon::{Daemon, answer};
use serde_json::json;

/// The log lines that carry that id.
async fn lines_of(daemon: &Daemon, id: &str, service: &str) -> Vec<Line> {
    let lines: Vec<Line> = serde_json::from_value(daemon.get("logs").await).unwrap();
    lines.into_iter().filter(|line| line.service == service && line.data[0]["request"] == *id).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_goes_from_the_call_to_the_plugins_log_lines() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "inc", "Provider": "incrementer"})).await;
    daemon.wait_plugin("inc").await;
    daemon.expect(201, "POST", "prefs", json!({"logLevel": "debug"})).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let path = "/api/v3/machines/Name:m1/actions/increment?plugin=inc";
    let run = daemon.request("POST", path).header("X-Request-Id", "shift-3/42");
    let done = answer(run.header("X-Log-Token", "look here").json(&json!({}))).await;
    assert_eq!((done.status, done.header("x-request-id")), (200, "shift-3/42"));
    daemon.wait_log("shift-3/42");
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    loop {
        let (own, plugins) = (
            lines_of(&daemon, "shift-3/42", "drp").await,
            lines_of(&daemon, "shift-3/42", "incrementer").await,
        );
        if !own.is_empty() && !plugins.is_empty() {
            break;
        }
        assert!(std::time::Instant::now() < end, "{own:#?} {plugins:#?}\n{}", daemon.log());
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let shown = std::process::Command::new(drp_tests::daemon::binary("drp"))
        .args(["-F", "table", "logs", "get", "--socket"])
        .arg(&daemon.socket)
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&shown.stdout);
    let shown_line = text.lines().find(|line| line.contains("incrementer") && line.contains("[shift-3/42]"));
    assert!(shown_line.is_some(), "{text}{}", String::from_utf8_lossy(&shown.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_that_are_none_are_replaced() {
    let daemon = Daemon::start();
    for bad in ["two words", "semi;colon", "\"quoted\"", &"x".repeat(129)] {
        let got = answer(daemon.request("GET", "/api/v3/info").header("X-Request-Id", bad)).await;
        assert!(got.header("x-request-id").starts_with('r') && got.header("x-request-id") != bad, "{bad}");
    }
    let refused = answer(daemon.anonymous("GET", "/api/v3/info").header("X-Request-Id", "who-1")).await;
    assert_eq!((refused.status, refused.header("x-request-id")), (401, "who-1"));
    let none = answer(daemon.request("PUT", "/api/v3/machines").json(&json!({}))).await;
    assert_eq!((none.status, none.header("allow")), (405, "GET, HEAD, POST"));
}
