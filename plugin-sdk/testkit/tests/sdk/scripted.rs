//! The scripted plugin does what its script says.

use drp_plugin_testkit::{FakeDaemon, Reply, Script, Start, Step, TestkitError, define, run, unpack};
use drp_protocol::Event;
use serde_json::json;

const ENTRY: &str = "scripted_plugin";

#[tokio::test]
async fn a_script_is_played() {
    let daemon = FakeDaemon::start().await.unwrap();
    let event = Event::now("lamps", "on", "l1", json!(1));
    let installed = Script::new("lamp")
        .definition(|d| d.has_publish = true)
        .on_unpack([Step::Write("testFile".into(), "ImaFile".into())])
        .before_start([Step::Print("warming up".into()), Step::Complain("creaking".into())])
        .on_config([Step::log("configuring"), Step::reply(200, json!({"Code": 200}))])
        .on_action("blink", [Step::Publish(Box::new(event)), Step::reply(200, json!("blinked"))])
        .on_action("half", [Step::Reply(Reply::Raw("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".into()))])
        .on_action("huge", [Step::Reply(Reply::Huge(3_000_000))])
        .on_stop([Step::Exit(0)])
        .install(daemon.scratch(), ENTRY)
        .unwrap();
    assert!(define(&installed.binary).await.unwrap().has_publish);
    unpack(&installed.binary, &daemon.path("files")).await.unwrap();
    assert_eq!(std::fs::read_to_string(daemon.path("files/testFile")).unwrap(), "ImaFile");

    let mut plugin = daemon.launch(&installed.binary, "l1").await.unwrap();
    assert_eq!(
        (plugin.stdout()[0].as_str(), plugin.stdout().last().unwrap().as_str()),
        ("warming up", "READY!")
    );
    plugin.config(json!({"x": 1})).await.unwrap().success().unwrap();
    assert_eq!(daemon.logs()[0].message, "configuring");
    assert_eq!(plugin.action("blink", json!({})).await.unwrap().success().unwrap(), "blinked");
    assert_eq!(daemon.events()[0].key, "l1");
    assert!(plugin.action("half", json!({})).await.is_err());
    assert_eq!(plugin.action("huge", json!({})).await.unwrap().body.len(), 3_000_002);
    assert_eq!(plugin.action("dance", json!({})).await.unwrap().error().unwrap().code, 404);
    assert!(plugin.stop().await.is_err(), "the stop reply is lost");
    assert!(plugin.ended().await.unwrap().success());
    let calls = installed.calls();
    assert_eq!(&calls[..3], ["define", "unpack", "listen"]);
    assert_eq!(calls[3], r#"POST /api-plugin/v4/config {"Name":"l1","x":1}"#);
}

#[tokio::test]
async fn starts_can_fail() {
    let daemon = FakeDaemon::start().await.unwrap();
    for (start, why) in [(Start::Failed, "it said Failed"), (Start::End(3), "its output ended")] {
        let installed = Script::new("lamp").start(start).install(daemon.scratch(), ENTRY).unwrap();
        let outcome = daemon.launch(&installed.binary, "l1").await;
        assert!(matches!(outcome, Err(TestkitError::NotReady { why: w, .. }) if w == why));
    }
    let installed = Script::new("lamp").define_output("{", 1).install(daemon.scratch(), ENTRY).unwrap();
    let output = run(&installed.binary, &["define"], &[]).await.unwrap();
    assert_eq!((output.code, output.stdout.as_str()), (Some(1), "{\n"));
}
