//! Selected events over a stream that reconnects (wire-protocol §1.13, §4).

use crate::{configured, launch};
use drp_plugin_testkit::FakeDaemon;
use drp_protocol::Event;
use serde_json::json;

fn event(key: &str) -> Event {
    Event::now("machines", "update", key, json!({"Name": key}))
}

#[tokio::test]
async fn patterns_are_registered_before_config_answers() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = launch(&daemon).await;
    let patterns = ["machines.update.*", "jobs.save.*"];
    plugin.config(json!({"probe/patterns": patterns})).await.unwrap().success().unwrap();
    assert_eq!(daemon.api().registered(), patterns);
    daemon.api().emit(&event("m1"));
    daemon.api().emit(&Event::now("machines", "refuse", "m2", json!(null)));
    let seen = daemon.event("the event", |e| e.key == "machines.update.m1").await.unwrap();
    assert_eq!(seen.object, json!({"Name": "m1"}));
    // Nobody waits for the hook, so its error is logged, and not as an event.
    let line = daemon.log_line("the error", |l| l.message.contains("refused as told")).await.unwrap();
    assert!(line.ignore_publish);
    assert!(daemon.log_line("the hook's line", |l| l.message == "seen").await.unwrap().ignore_publish);

    // Another config builds the stream anew.
    plugin.config(json!({"probe/patterns": ["lamps.on.*"]})).await.unwrap().success().unwrap();
    assert_eq!(daemon.api().registered().last().unwrap(), "lamps.on.*");
    daemon.api().emit(&event("m3"));
    daemon.event("one event", |e| e.key == "machines.update.m3").await.unwrap();
    assert_eq!(
        daemon.events().iter().filter(|e| e.key == "machines.update.m3").count(),
        1,
        "the old stream is gone"
    );
}

#[tokio::test]
async fn a_lost_stream_comes_back_and_the_gap_is_told() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    plugin.config(json!({"probe/patterns": ["machines.update.*"]})).await.unwrap().success().unwrap();
    daemon.api().hang_up();
    daemon.event("the gap", |e| e.key == "websocket.reconnected.p1").await.unwrap();
    assert_eq!(daemon.api().registered(), ["machines.update.*", "machines.update.*"]);
    daemon.api().emit(&event("m1"));
    daemon.event("the event", |e| e.key == "machines.update.m1").await.unwrap();
    assert!(plugin.stop().await.unwrap().success());
}

#[tokio::test]
async fn a_config_that_cannot_have_its_stream_fails_in_words() {
    let daemon = FakeDaemon::start().await.unwrap();
    let binary = crate::binary(&daemon);
    let plugin = daemon.launch_with(&binary, "p1", &[("RS_TOKEN", "wrong")]).await.unwrap();
    let error = plugin.config(json!({})).await.unwrap().error().unwrap();
    assert_eq!((error.code, error.r#type.as_str()), (500, "plugins"));
    assert!(error.messages[0].starts_with("Unable to create event stream: "), "{error}");
    let plugin = daemon.launch_with(&binary, "p2", &[("RS_TOKEN", "")]).await.unwrap();
    let error = plugin.config(json!({})).await.unwrap().error().unwrap();
    assert_eq!((error.code, error.messages[0].as_str()), (400, "Must have a token specified"));
    let plugin = configured(&daemon).await;
    let error = plugin.config(json!({"probe/patterns": ["nonsense"]})).await.unwrap().error().unwrap();
    assert!(error.messages[0].starts_with("Unable to register for nonsense events: "), "{error}");
}

#[tokio::test]
async fn without_a_daemon_there_are_no_events_and_no_error() {
    let daemon = FakeDaemon::start().await.unwrap();
    let binary = crate::binary(&daemon);
    let token = drp_protocol::wire::TOKEN_NO_DAEMON;
    let plugin = daemon.launch_with(&binary, "p3", &[("RS_TOKEN", token)]).await.unwrap();
    plugin.config(json!({"probe/patterns": ["machines.update.*"]})).await.unwrap().success().unwrap();
    assert!(daemon.api().registered().is_empty());
}
