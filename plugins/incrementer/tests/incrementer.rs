//! The incrementer against a scripted daemon with an HTTPS API (wire-protocol §8).
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{Answer, FakeDaemon, RunningPlugin, check_page, define, run, unpack};
use drp_protocol::Error;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;

const BINARY: &str = env!("CARGO_BIN_EXE_incrementer");
const UUID: &str = "3e7031fe-3062-45f1-835c-92541bc9cbd3";

async fn act(plugin: &RunningPlugin, command: &str, params: Value) -> Answer {
    let machine = json!({"Uuid": UUID, "Name": "m1"});
    plugin.action_on("machines", machine, command, params).await.unwrap()
}

#[tokio::test]
async fn define_is_golden() {
    let printed = run(BINARY, &["define"], &[("RS_TOKEN", "catalog")]).await.unwrap();
    assert_eq!(
        printed.stdout.replace(env!("CARGO_PKG_VERSION"), "VERSION"),
        include_str!("golden/define.json")
    );
    let content: Value = serde_json::from_str(&define(BINARY).await.unwrap().content).unwrap();
    assert_eq!(content["meta"]["Description"], "Test Plugin for DRP");
    assert_eq!(content["meta"]["DisplayName"], "Incrementer Test Plugin");
    let params: Vec<_> = content["sections"]["params"].as_object().unwrap().keys().cloned().collect();
    let named = ["cow/id", "cow/object", "incrementer/parameter", "incrementer/step", "incrementer/touched"];
    assert_eq!(params, named);
    let bessie =
        json!({"Id": "bessie", "Type": "typed-cows", "CanMilk": true, "Spotted": true, "Location": "Austin"});
    assert_eq!(content["sections"]["typed-cows"]["bessie"], bessie);
}

#[tokio::test]
async fn unpack_writes_the_test_file() {
    let dir = tempfile::tempdir().unwrap();
    let target = dir.path().join("files/incrementer");
    unpack(BINARY, &target).await.unwrap();
    let file = target.join("testFile");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "ImaFile");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
}

#[tokio::test]
async fn the_golden_conversation() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = daemon.launch(BINARY, "incr").await.unwrap();
    plugin.config(json!({})).await.unwrap().success().unwrap();

    let system = plugin.action("incrstatus", json!({})).await.unwrap();
    assert_eq!(system.success().unwrap(), "Running");

    assert_eq!(act(&plugin, "increment", json!({})).await.success().unwrap(), 1);
    assert_eq!(act(&plugin, "reset_count", json!({})).await.success().unwrap(), "Success");
    assert_eq!(daemon.api().param(UUID, "incrementer/touched"), None);
    let again = act(&plugin, "reset_count", json!({})).await.error().unwrap();
    assert_eq!(again, Error::new(400, "plugin", "Not Found").on("plugin", "incrementer"));

    let parm1 = json!({"incrementer/parameter": "parm1", "extra": 10});
    assert_eq!(act(&plugin, "increment", parm1).await.success().unwrap(), 1);
    let parm2 = json!({"incrementer/parameter": "parm2", "incrementer/step": 10.9});
    assert_eq!(act(&plugin, "increment", parm2.clone()).await.success().unwrap(), 10);
    assert_eq!(act(&plugin, "increment", parm2).await.success().unwrap(), 20);
    assert_eq!(act(&plugin, "increment", json!({"incrementer/parameter": 7})).await.success().unwrap(), 2);
    assert_eq!(daemon.api().param(UUID, "incrementer/touched"), Some(json!(4)));
    let first: Vec<_> = daemon.api().requests().into_iter().take(4).collect();
    assert_eq!(
        first,
        ["GET", "POST", "GET", "POST"]
            .iter()
            .zip(["default", "default", "touched", "touched"])
            .map(|(m, p)| format!("{m} machines/{UUID}/params/incrementer/{p}"))
            .collect::<Vec<_>>()
    );
    assert!(plugin.stop().await.unwrap().success());
}

#[tokio::test]
async fn errors_have_the_codes_and_texts_clients_know() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = daemon.launch(BINARY, "incr").await.unwrap();
    let named = |code, text: &str| Error::new(code, "plugin", text).on("plugin", "incrementer");

    let unknown = act(&plugin, "dance", json!({})).await.error().unwrap();
    assert_eq!(unknown, named(404, "Unknown command: dance\n"));

    let no_machine = plugin.action_on("machines", json!("x"), "increment", json!({})).await.unwrap();
    let error = no_machine.error().unwrap();
    assert_eq!((error.code, error.key.as_str(), error.r#type.as_str()), (409, "incrementer", "plugin"));

    daemon.api().fail_with(Some(Error::new(422, "ValidationError", "first").and("second")));
    let refused = act(&plugin, "increment", json!({})).await.error().unwrap();
    assert_eq!(refused, named(400, "first").and("second"));

    daemon.api().fail_with(None);
    daemon.api().set_param(UUID, "incrementer/default", "many");
    let error = act(&plugin, "increment", json!({})).await.error().unwrap();
    assert_eq!(error.code, 500);
    let running = plugin.action("incrstatus", json!({})).await.unwrap();
    assert_eq!(running.success().unwrap(), "Running", "it lives on");
}

#[tokio::test]
async fn a_daemon_that_names_no_certificate_is_trusted_on_loopback() {
    let daemon = FakeDaemon::start().await.unwrap();
    daemon.hide_certificate();
    let plugin = daemon.launch(BINARY, "incr").await.unwrap();
    assert_eq!(act(&plugin, "increment", json!({})).await.success().unwrap(), 1);
}

#[tokio::test]
async fn another_certificate_than_the_named_one_is_refused() {
    let (daemon, other) = (FakeDaemon::start().await.unwrap(), FakeDaemon::start().await.unwrap());
    let elsewhere = [("RS_ENDPOINT", other.api().endpoint())];
    let plugin = daemon.launch_with(BINARY, "incr", &elsewhere).await.unwrap();
    let error = act(&plugin, "increment", json!({})).await.error().unwrap();
    assert!(error.messages[0].contains("not trusted"), "{error}");
    let plugin = daemon.launch_with(BINARY, "incr", &[("RS_TOKEN", "")]).await.unwrap();
    let error = act(&plugin, "increment", json!({})).await.error().unwrap();
    assert_eq!(error, Error::new(400, "plugin", "Must have a token specified").on("plugin", "unknown"));
}

#[tokio::test]
async fn the_generated_parts_of_the_page_are_what_define_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/incrementer.md");
    check_page(page, &define(BINARY).await.unwrap()).unwrap();
}
