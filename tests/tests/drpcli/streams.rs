//! Events and logs (wire-protocol §4.4).

use crate::talk::Talk;
use drp_tests::daemon::Daemon;
use drp_tests::events::EventSocket;
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn events_are_posted_and_watched() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let mut socket =
        EventSocket::try_connect(&daemon, None, &format!("?token={}", talk.token)).await.unwrap();
    socket.register("*.*.*").await;
    let event = json!({"Time": "2024-05-01T10:00:00Z", "Type": "door", "Action": "open", "Key": "front", "Principal": "", "Object": {"by": "jane"}, "Original": null});
    talk.ok(204, "POST", "events", event).await;
    let seen = socket.until("door", "open", "front").await;
    assert_eq!(seen["Object"]["by"], "jane");
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_are_read_and_watched() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    for line in talk.get("logs").await.as_array().unwrap() {
        for field in [
            "Group",
            "Seq",
            "Time",
            "Service",
            "Principal",
            "Level",
            "File",
            "Line",
            "Message",
            "Data",
            "IgnorePublish",
        ] {
            assert!(line.get(field).is_some(), "{field}: {line}");
        }
    }
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("log.*.*").await;
    let traced = daemon.request("GET", "/api/v3/info").header("X-Log-Request", "info");
    assert_eq!(traced.send().await.unwrap().status(), 200);
    let event = socket.next().await;
    assert_eq!(
        (event["Type"].as_str(), event["Action"] == event["Object"]["Level"]),
        (Some("log"), true),
        "{event}"
    );
    socket.close().await;
}
