//! The plugin and the daemon end in the middle, and go on from there.

use crate::rig::{builder, configure, params, state_of};
use drp_tests::peers::metal::{Kind, MetalApi, Scheme};
use serde_json::json;
use std::time::Duration;

async fn order(daemon: &drp_tests::daemon::Daemon, name: &str) {
    let machine = json!({"Name": name, "Params": {"machine-plugin": "metal"}});
    daemon.expect(201, "POST", "machines", machine).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn provisioning_goes_on_after_a_stop() {
    let metal = MetalApi::start(Scheme::Http).await;
    metal.world().plan.step = Duration::from_millis(1500);
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = builder().base(base.path()).start();
    configure(&daemon, params(&metal, json!({}))).await;
    daemon.wait_plugin("metal").await;
    order(&daemon, "node-1").await;
    state_of(&daemon, "node-1", "provisioning").await;
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    let daemon = builder().base(base.path()).start();
    let machine = state_of(&daemon, "node-1", "active").await;
    assert!(machine["Params"]["packet/uuid"].is_string());
    assert_eq!((metal.world().ids().len(), metal.requests("POST", "/projects").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_between_order_and_answer_makes_one_device() {
    let metal = MetalApi::start(Scheme::Http).await;
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = builder().base(base.path()).start();
    configure(&daemon, params(&metal, json!({"packet/timeout": 30}))).await;
    daemon.wait_plugin("metal").await;
    metal.fault("POST", "/projects", 1, Kind::HangsAfter);
    order(&daemon, "node-1").await;
    let sent = async {
        while metal.requests("POST", "/projects").is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), sent).await.expect("the order");
    daemon.kill9();
    let daemon = builder().base(base.path()).start();
    state_of(&daemon, "node-1", "active").await;
    assert_eq!((metal.world().ids().len(), metal.requests("POST", "/projects").len()), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_the_order_arrived_leaves_it_to_people() {
    let metal = MetalApi::start(Scheme::Http).await;
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = builder().base(base.path()).start();
    configure(&daemon, params(&metal, json!({}))).await;
    daemon.wait_plugin("metal").await;
    metal.fault("POST", "/projects", 1, Kind::Hangs);
    order(&daemon, "node-1").await;
    state_of(&daemon, "node-1", "creating").await;
    daemon.kill9();
    let daemon = builder().base(base.path()).start();
    let machine = state_of(&daemon, "node-1", "unconfirmed").await;
    assert!(machine["Params"]["packet/error"].as_str().unwrap().contains("createVm"), "{machine}");
    assert_eq!(metal.world().ids().len(), 0);
    let again = json!({"packet/name": "node-1"});
    daemon.wait_plugin("metal").await;
    daemon.expect(200, "POST", "plugins/metal/actions/createVm", again).await;
    state_of(&daemon, "node-1", "active").await;
    assert_eq!(metal.world().ids().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_at_the_start_is_waited_for() {
    let metal = MetalApi::start(Scheme::Http).await;
    metal.fault("*", "/", 100_000, Kind::Says(503, vec![], "{}".to_owned()));
    let daemon = builder().start();
    configure(&daemon, params(&metal, json!({"packet/refresh-interval": 0.3}))).await;
    daemon.wait_plugin("metal").await;
    order(&daemon, "node-1").await;
    let failed = state_of(&daemon, "node-1", "failed").await;
    assert!(failed["Params"]["packet/error"].as_str().unwrap().contains("503"), "{failed}");
    metal.well();
    daemon.expect(200, "POST", "plugins/metal/actions/createVm", json!({"packet/name": "node-1"})).await;
    state_of(&daemon, "node-1", "active").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_on_the_way_is_shown_and_passes() {
    let metal = MetalApi::start(Scheme::Http).await;
    metal.world().plan.step = Duration::from_millis(800);
    let rig = crate::rig::Rig::on(metal, json!({})).await;
    rig.order("node-1", json!({})).await;
    rig.daemon.wait_for("machines/Name:node-1", |a| !a.json()["Params"]["packet/uuid"].is_null()).await;
    rig.metal.fault("GET", "/devices", 100_000, Kind::Says(500, vec![], "{}".to_owned()));
    rig.daemon
        .wait_for("machines/Name:node-1", |a| {
            a.json()["Params"]["packet/error"].as_str().is_some_and(|error| error.contains("500"))
        })
        .await;
    rig.metal.well();
    let machine = rig.state("node-1", "active").await;
    assert_eq!(machine["Params"]["packet/error"], "");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_made_while_the_plugin_did_not_run_is_named_and_costs_nothing() {
    let metal = MetalApi::start(Scheme::Http).await;
    let daemon = builder().start();
    order(&daemon, "early").await;
    configure(&daemon, params(&metal, json!({}))).await;
    daemon.wait_log("machines of this plugin without a device");
    assert!(metal.requests("POST", "/").is_empty());
    daemon.wait_plugin("metal").await;
    daemon.expect(200, "POST", "plugins/metal/actions/createVm", json!({"packet/name": "early"})).await;
    state_of(&daemon, "early", "active").await;
    assert_eq!(metal.world().ids().len(), 1);
}
