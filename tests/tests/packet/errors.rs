//! Peers that refuse, talk nonsense, or do not answer: the codes of the documentation.

use crate::rig::{Rig, refused};
use drp_tests::peers::metal::{Kind, READ_KEY, Scheme};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

fn says(status: u16, text: &str) -> Kind {
    Kind::Says(status, vec![], text.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_of_the_service_become_errors_in_its_words() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let path = format!("/devices/{id}");
    let cases = [
        (
            says(422, r#"{"errors": ["Plan is gone", "Facility can't be blank"]}"#),
            502,
            "REFUSED",
            "Plan is gone; Facility can't be blank",
        ),
        (says(400, r#"{"error": "what?"}"#), 502, "REFUSED", "what?"),
        (says(403, r#"{"errors": ["not yours"]}"#), 401, "FORBIDDEN", "not yours"),
        (says(404, r#"{"errors": ["Not found"]}"#), 404, "NO_DEVICE", "Not found"),
        (says(409, r#"{"errors": ["busy with it"]}"#), 409, "CONFLICT", "busy with it"),
        (says(405, ""), 501, "UNSUPPORTED", "405"),
        (says(501, ""), 501, "UNSUPPORTED", "501"),
        (says(500, "oops"), 502, "SERVICE", "no reason given"),
        (says(503, r#"{"errors": ["down for an hour"]}"#), 502, "SERVICE", "down for an hour"),
        (says(200, "<html>garbage"), 502, "PROTOCOL", "not JSON"),
        (says(200, "{}"), 502, "PROTOCOL", "no device"),
        (says(200, "[1, 2"), 502, "PROTOCOL", "not JSON"),
        (says(204, ""), 502, "PROTOCOL", "no device"),
        (says(200, r#"{"id": "../../x", "state": "active"}"#), 502, "PROTOCOL", "no device"),
        (
            Kind::Says(302, vec![("location", "http://127.0.0.1:1/".into())], String::new()),
            502,
            "PROTOCOL",
            "not followed",
        ),
        (Kind::Hangs, 504, "SILENT", "no answer within 2 s"),
        (Kind::Breaks, 504, "UNREACHABLE", "cannot be reached"),
    ];
    for (kind, code, word, text) in cases {
        rig.metal.fault("GET", &path, 100, kind.clone());
        let answer = rig.act("node-1", "powerstatus").await;
        refused(&answer, code, word, &[text]);
        // What cannot be read is not changed either.
        let answer = rig.act("node-1", "poweroff").await;
        assert_eq!(answer.status, code, "{kind:?}: {}", answer.text());
        rig.metal.well();
    }
    assert!(rig.metal.requests("POST", &path).is_empty());
    assert_eq!(rig.good("node-1", "powerstatus").await["state"], "on");
    // What is refused on the way in is not read back.
    rig.metal.fault("POST", &path, 1, says(422, r#"{"errors": ["Device must be active"]}"#));
    refused(&rig.act("node-1", "poweroff").await, 502, "REFUSED", &["Device must be active"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn readings_are_tried_again_and_changes_are_not() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let path = format!("/devices/{id}");
    for kind in [says(503, ""), Kind::Breaks, says(200, "garbage")] {
        rig.metal.fault("GET", &path, 2, kind);
        assert_eq!(rig.good("node-1", "powerstatus").await["state"], "on");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_key_is_tried_once() {
    let rig = Rig::start().await;
    rig.active("node-1").await;
    rig.metal.fault("*", "/", 1, says(401, r#"{"errors": ["Invalid authentication token"]}"#));
    refused(
        &rig.act("node-1", "poweroff").await,
        401,
        "CREDENTIALS",
        &["Invalid authentication token", "packet/api-key"],
    );
    let before = rig.metal.log().len();
    for _ in 0..3 {
        refused(&rig.act("node-1", "poweroff").await, 401, "LOCKED", &["nothing was sent"]);
    }
    assert_eq!(rig.metal.log().len(), before, "nothing was sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_may_only_read_changes_nothing() {
    let rig = Rig::with(Scheme::Http, json!({"packet/api-key": READ_KEY})).await;
    rig.order("node-1", json!({})).await;
    let machine = rig.state("node-1", "failed").await;
    let error = machine["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains("You are not authorized"), "{error}");
    let made = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
    refused(&made, 401, "FORBIDDEN", &["write access"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn rate_limits_are_kept_by_all_requests() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let limit = |wait: &str| {
        Kind::Says(429, vec![("retry-after", wait.to_owned())], r#"{"errors": ["slow down"]}"#.into())
    };
    // A change that was refused for its rate was not carried out, and is sent again.
    rig.metal.fault("POST", &format!("/devices/{id}/actions"), 2, limit("0"));
    assert_eq!(rig.good("node-1", "poweroff").await["verified"], true);
    assert_eq!(rig.metal.world().count(&id, "power_off"), 1);
    // Within the pause nothing is sent, by anybody.
    rig.metal.fault("GET", &format!("/devices/{id}"), 1, limit("1"));
    let (a, b) = tokio::join!(rig.act("node-1", "powerstatus"), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        let before = rig.metal.log().len();
        tokio::time::sleep(Duration::from_millis(200)).await;
        assert_eq!(rig.metal.log().len(), before);
        rig.act("node-1", "powerstatus").await
    });
    assert_eq!((a.status, b.status), (200, 200), "{} {}", a.text(), b.text());
    // An allowance that is used up is waited for before the next request.
    let reset = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + 2;
    let device = rig.metal.world().device(&id).unwrap().to_string();
    let headers = vec![("x-ratelimit-remaining", "0".to_owned()), ("x-ratelimit-reset", reset.to_string())];
    rig.metal.fault("GET", &format!("/devices/{id}"), 1, Kind::Says(200, headers, device));
    rig.good("node-1", "powerstatus").await;
    rig.good("node-1", "powerstatus").await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    assert!(now >= reset, "the second one waited");
    // One that never ends is an error.
    rig.metal.fault("GET", &format!("/devices/{id}"), 100, limit("0"));
    refused(&rig.act("node-1", "powerstatus").await, 502, "BUSY", &["slow down"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_there() {
    let port = drp_tests::peers::free_tcp_port();
    let rig =
        Rig::with(Scheme::Http, json!({"packet/api-url": format!("http://127.0.0.1:{port}/metal/v1")})).await;
    let answer = rig.plugin("startVm", json!({"packet/uuid": "some-device"})).await;
    refused(&answer, 504, "UNREACHABLE", &["127.0.0.1", "packet/api-url"]);
    let made = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
    refused(&made, 504, "UNREACHABLE", &["it stays"]);
    rig.state("node-1", "failed").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_there_who_says_nothing() {
    // Connections are taken by the kernel, and nobody shakes hands.
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("https://{}/metal/v1", silent.local_addr().unwrap());
    let rig = Rig::with(Scheme::Http, json!({"packet/api-url": url, "packet/timeout": 1})).await;
    let answer = rig.plugin("stopVm", json!({"packet/uuid": "some-device"})).await;
    refused(&answer, 504, "SILENT", &["no answer within 1 s"]);
}
