//! Machines that come and go, and their devices with them.

use crate::rig::Rig;
use drp_tests::events::EventSocket;
use drp_tests::peers::metal::{Kind, PROJECT, Scheme};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_gets_a_device_that_is_followed_and_gives_it_back() {
    let rig = Rig::with(Scheme::Https, json!({})).await;
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register("packet.*.*").await;
    let uuid = rig.order("node-1", json!({"packet/facility": "sjc1"})).await;
    let machine = rig.state("node-1", "active").await;
    let params = &machine["Params"];
    let id = params["packet/uuid"].as_str().unwrap().to_owned();
    assert_eq!((&params["packet/progress"], &params["packet/error"]), (&json!(100), &json!("")));
    assert_eq!(params["packet/facility"], "sjc1");
    assert_eq!((&params["packet/plan"], &params["packet/always-pxe"]), (&json!("baremetal_0"), &json!(true)));
    assert_eq!(params["packet/sos"], format!("{id}@sos.sjc1.packet.net"));
    assert_eq!((&params["packet/project-id"], &params["machine-plugin"]), (&json!(PROJECT), &json!("metal")));
    assert!(params["packet/ipxe-script-url"].as_str().unwrap().ends_with("/default.ipxe"));
    assert_eq!(machine["Address"], "198.51.100.2");
    assert_eq!(machine["HardwareAddrs"], json!(["0c:42:a1:00:01:00", "0c:42:a1:00:01:01"]));
    assert_eq!(machine["Profiles"], json!(["packet-console"]));
    // People can watch it.
    let mut seen = Vec::new();
    while seen.last().is_none_or(|action| action != "active") {
        let event = events.next().await;
        assert_eq!(event["Key"], json!(uuid));
        seen.push(event["Action"].as_str().unwrap().to_owned());
    }
    assert!(seen.iter().any(|action| action == "progress"), "{seen:?}");

    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    loop {
        let event = events.next().await;
        if event["Action"] == "destroyed" {
            break;
        }
    }
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_of_others_get_nothing_and_keep_their_devices() {
    let rig = Rig::start().await;
    let foreign = rig.metal.world().add("foreign", PROJECT);
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "plain"})).await;
    let other = json!({"Name": "other", "Params": {"machine-plugin": "another", "packet/uuid": foreign}});
    rig.daemon.expect(201, "POST", "machines", other).await;
    for name in ["plain", "other"] {
        rig.daemon.expect(200, "DELETE", &format!("machines/Name:{name}"), Value::Null).await;
    }
    // What comes after them shows that the plugin is through with them.
    rig.active("node-1").await;
    assert_eq!(rig.devices(), 2);
    assert!(rig.metal.requests("DELETE", "/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_may_stand_in_a_profile() {
    let rig = Rig::start().await;
    let profile =
        json!({"Name": "rack", "Params": {"machine-plugin": "metal", "packet/plan": "c3.small.x86"}});
    rig.daemon.expect(201, "POST", "profiles", profile).await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "node-1", "Profiles": ["rack"]})).await;
    let machine = rig.state("node-1", "active").await;
    assert_eq!(machine["Params"]["packet/plan"], "c3.small.x86");
    assert_eq!(machine["Profiles"], json!(["rack", "packet-console"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_deleted_while_its_device_is_provisioned_leaves_none() {
    let rig = Rig::start().await;
    rig.order("node-1", json!({})).await;
    rig.daemon.wait_for("machines/Name:node-1", |a| !a.json()["Params"]["packet/uuid"].is_null()).await;
    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    let gone = async {
        while rig.devices() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the device goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_deleted_while_its_device_is_ordered_leaves_none() {
    let rig = Rig::start().await;
    rig.metal.fault("POST", "/projects", 1, Kind::HangsAfter);
    rig.order("node-1", json!({})).await;
    rig.state("node-1", "creating").await;
    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    let gone = async {
        while rig.metal.requests("DELETE", "/devices/").is_empty() || rig.devices() > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), gone).await.expect("the device goes");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_device_outlives_its_machine_and_that_is_told() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    rig.metal.world().lock(&id, true);
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register("packet.undeleted.*").await;
    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    let text = events.next().await["Object"]["Text"].as_str().unwrap().to_owned();
    assert!(text.contains(&id) && text.contains("locked"), "{text}");
    assert_eq!((rig.devices(), rig.metal.requests("DELETE", "/").len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_deleted_during_a_command_gives_its_device_back_after_it() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    rig.metal.world().plan.power = Duration::from_millis(500);
    let delete = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    };
    let (cycle, ()) = tokio::join!(rig.act("node-1", "powercycle"), delete);
    assert_eq!(cycle.status, 200, "{}", cycle.text());
    rig.daemon.wait_log(&format!("its device {id}: Destroyed"));
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_device_leaves_the_machine_with_its_error() {
    let rig = Rig::start().await;
    rig.metal.world().plan.fails = true;
    rig.order("node-1", json!({})).await;
    let machine = rig.state("node-1", "failed").await;
    let error = machine["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains("no answer from the machine's BMC"), "{error}");
    assert!(machine["Params"]["packet/uuid"].is_string() && rig.devices() == 1);
    // And one that the service takes out of the account, too.
    rig.metal.world().plan.fails = false;
    rig.metal.world().plan.vanishes = true;
    rig.order("node-2", json!({})).await;
    let machine = rig.state("node-2", "failed").await;
    let error = machine["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains("provision device") && error.contains("Not found"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_that_is_refused_is_told_and_can_be_tried_again() {
    let rig = Rig::start().await;
    rig.order("node-1", json!({"packet/plan": "abacus"})).await;
    let machine = rig.state("node-1", "failed").await;
    let error = machine["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains("422") && error.contains("abacus is not a valid plan"), "{error}");
    rig.daemon.expect(200, "POST", "machines/Name:node-1/params/packet/plan", json!("c3.small.x86")).await;
    let again = rig.plugin("createVm", json!({"packet/name": "node-1"})).await;
    assert_eq!(again.status, 200, "{}", again.text());
    let machine = rig.state("node-1", "active").await;
    assert_eq!(machine["Params"]["packet/error"], "");
    let bad = json!({"packet/name": "node-2", "packet/plan": "abacus"});
    crate::rig::refused(
        &rig.plugin("createVm", bad).await,
        502,
        "REFUSED",
        &["abacus is not a valid plan", "it stays"],
    );
    rig.machine("node-2").await;
    // What the next call says wins over what was refused, and over no more.
    let good = json!({"packet/name": "node-2", "packet/plan": "c3.small.x86"});
    let again = rig.plugin("createVm", good).await;
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(rig.state("node-2", "active").await["Params"]["packet/plan"], "c3.small.x86");
    let orders = rig.metal.requests("POST", &format!("/projects/{PROJECT}/devices"));
    let plans: Vec<_> = orders.iter().map(|order| order.body["plan"].as_str().unwrap()).collect();
    assert_eq!(plans, ["abacus", "c3.small.x86", "abacus", "c3.small.x86"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_params_of_a_machine_are_named_in_its_error() {
    let rig = Rig::start().await;
    rig.order("node-1", json!({"packet/ipxe-script-url": "nonsense"})).await;
    let machine = rig.state("node-1", "failed").await;
    let error = machine["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains("packet/ipxe-script-url"), "{error}");
    assert_eq!(rig.devices(), 0);
    let typed = json!({"Name": "node-2", "Params": {"machine-plugin": "metal", "packet/plan": 7}});
    rig.daemon.expect(422, "POST", "machines", typed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn so_many_at_a_time_and_all_in_the_end() {
    let rig = Rig::with(Scheme::Http, json!({"packet/max-operations": 3})).await;
    for at in 0..12 {
        rig.order(&format!("node-{at}"), json!({})).await;
    }
    let mut most = 0;
    for at in 0..12 {
        let name = format!("node-{at}");
        while rig.machine(&name).await["Params"]["packet/state"] != "active" {
            let coming = coming(&rig);
            most = most.max(coming);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    assert_eq!(rig.devices(), 12);
    assert!((1..=3).contains(&most), "{most} at a time");
}

/// Devices that are not active yet.
fn coming(rig: &Rig) -> usize {
    let mut world = rig.metal.world();
    let ids = world.ids();
    ids.iter().filter(|id| world.device(id).is_some_and(|device| device["state"] != "active")).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_another_machine_has_too_stays() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let twin = json!({"Name": "twin", "Params": {"machine-plugin": "metal", "packet/uuid": id}});
    rig.daemon.expect(201, "POST", "machines", twin).await;
    rig.state("twin", "active").await;
    rig.daemon.expect(200, "DELETE", "machines/Name:twin", Value::Null).await;
    rig.daemon.wait_for("logs", |answer| answer.text().contains("has its device")).await;
    assert!(rig.metal.requests("DELETE", "/").is_empty());
    // The last one takes it along.
    rig.daemon.expect(200, "DELETE", "machines/Name:node-1", Value::Null).await;
    rig.daemon.wait_for("logs", |answer| answer.text().contains("was deleted, and its device")).await;
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1);
}
