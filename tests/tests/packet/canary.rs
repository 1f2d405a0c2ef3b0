//! No secret is left anywhere: neither the key, nor the password that the service shows with each device.

use crate::rig::Rig;
use drp_tests::canary::Canary;
use drp_tests::peers::metal::{KEY, Kind, Scheme};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_left_anywhere() {
    let canary = Canary::new(&[KEY, "canary-root-password", "canary-wrong-key-4711"]);
    let rig = Rig::with(Scheme::Https, json!({})).await;
    let watch = canary.watch(rig.daemon.pid());
    let mut events = canary.events(&rig.daemon).await;
    let id = rig.active("node-1").await;
    for command in
        ["powerstatus", "poweroff", "powercycle", "nextbootpxe", "nextbootdisk", "updatepxe", "poweron"]
    {
        canary.look("result", rig.act("node-1", command).await.text());
    }
    for (command, params) in [
        ("createVm", json!({"packet/name": "node-2"})),
        ("createVm", json!({"packet/name": "node-3", "packet/plan": "abacus"})),
        ("stopVm", json!({"packet/uuid": id})),
        ("startVm", json!({"packet/uuid": id})),
        ("startVm", json!({})),
        ("createVm", json!({"packet/api-key": KEY})),
    ] {
        canary.look("result", rig.plugin(command, params).await.text());
    }
    for kind in [
        Kind::Hangs,
        Kind::Breaks,
        Kind::Says(422, vec![], r#"{"errors": ["no"]}"#.into()),
        Kind::Says(200, vec![], "x".into()),
    ] {
        rig.metal.fault("*", "/devices", 100, kind);
        canary.look("error", rig.act("node-1", "poweroff").await.text());
        rig.metal.well();
    }
    canary.look("result", rig.plugin("destroyVm", json!({"packet/uuid": id})).await.text());
    rig.daemon
        .expect(200, "POST", "plugins/metal/params/packet/api-key", json!("canary-wrong-key-4711"))
        .await;
    let bad = rig
        .daemon
        .wait_for("plugins/metal", |a| a.json()["PluginErrors"].to_string().contains("refused the key"))
        .await;
    canary.look("error", bad.text());
    for path in
        ["machines", "machines?aggregate=true", "plugins", "plugins/metal?aggregate=true", "params", "logs"]
    {
        canary.look("result", rig.daemon.get(path).await.to_string());
    }
    canary.end_of(&rig.daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["result", "error", "event", "daemon log", "log buffer", "argv", "environment", "file"]);
}
