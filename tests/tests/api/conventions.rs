//! What holds for every route (wire-protocol §3.1).

use crate::refused;
use drp_tests::daemon::{Daemon, answer};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn paths_methods_and_content_types() {
    let daemon = Daemon::start();
    for (method, path, status, message) in [
        ("GET", "/api/v3/nothing", 404, "No route"),
        ("GET", "/api/v3/machines/x/nothing", 404, "No route"),
        ("GET", "/other", 404, "No route"),
        ("GET", "/name/api/v3/info", 404, "No route"),
        ("PATCH", "/api/v3/info", 405, "Method not allowed"),
        ("DELETE", "/api/v3/machines", 405, "Method not allowed"),
    ] {
        let got = daemon.call(method, path, Value::Null).await;
        refused(&got, status, method, &[message]);
        assert_eq!(got.json()["Key"], path);
    }
    for path in ["//api/v3/info", "/api/v3//info", "/api//v3/info/"] {
        assert_eq!(daemon.call("GET", path, Value::Null).await.status, 200, "{path}");
    }

    let head = daemon.call("HEAD", "/api/v3/machines/absent", Value::Null).await;
    assert_eq!((head.status, head.bytes.len()), (404, 0));

    let text = daemon.request("POST", "/api/v3/machines").header("content-type", "text/plain").body("{}");
    refused(&answer(text).await, 400, "POST", &["Invalid content type: text/plain"]);

    let none = daemon.call("POST", "/api/v3/events", json!({"Type": "a", "Action": "b", "Key": "c"})).await;
    assert_eq!((none.status, none.bytes.len()), (204, 0));
    assert!(none.header("content-type").starts_with("application/json"));
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_read_the_counts_and_requests_have_ids() {
    let daemon = Daemon::start();
    let list = answer(daemon.request("GET", "/api/v3/machines").header("origin", "https://ui.example")).await;
    assert_eq!(list.header("access-control-allow-origin"), "*");
    assert!(list.header("access-control-expose-headers").contains("X-DRP-LIST-FILTER-COUNT"));
    assert!(!list.header("x-request-id").is_empty());
    let preflight =
        answer(daemon.anonymous("OPTIONS", "/api/v3/machines").header("origin", "https://ui.example")).await;
    assert_eq!(preflight.status, 204);
    assert!(preflight.header("access-control-allow-methods").contains("PATCH"));

    let traced = answer(daemon.request("GET", "/api/v3/info").header("X-Log-Token", "trace-me-7")).await;
    assert_eq!(traced.header("x-request-id"), "trace-me-7");
    daemon.wait_log("trace-me-7");
}

#[tokio::test(flavor = "multi_thread")]
async fn health_needs_no_password() {
    let daemon = Daemon::start();
    for (path, status) in [("/livez", 200), ("/readyz", 200), ("/ui", 200)] {
        assert_eq!(answer(daemon.anonymous("GET", path)).await.status, status, "{path}");
    }
    let page = answer(daemon.anonymous("GET", "/")).await;
    assert!(page.text().contains("/api/v3"), "{}", page.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_client_is_answered_within_the_handshake_limit_of_old_ones() {
    let daemon = Daemon::start();
    // drpcli gives up after a second.
    tokio::time::timeout(std::time::Duration::from_secs(1), drp_tests::events::tls(&daemon))
        .await
        .expect("TLS handshake");
}
