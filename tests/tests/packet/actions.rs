//! Every action, and what it answers.

use crate::rig::{Rig, refused};
use drp_tests::peers::metal::{PROJECT, Scheme};
use serde_json::json;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn power_is_changed_once_and_read_back() {
    let rig = Rig::with(Scheme::Https, json!({})).await;
    let id = rig.active("node-1").await;
    let status = rig.good("node-1", "powerstatus").await;
    assert_eq!(
        (&status["state"], &status["observed"], &status["uuid"]),
        (&json!("on"), &json!("active"), &json!(id))
    );

    let on = rig.good("node-1", "poweron").await;
    assert_eq!(
        (&on["verified"], rig.metal.world().count(&id, "power_on")),
        (&json!(true), 0),
        "it was on: {on}"
    );
    let off = rig.good("node-1", "poweroff").await;
    assert_eq!(
        (&off["state"], &off["verified"], &off["requested"]),
        (&json!("off"), &json!(true), &json!("poweroff"))
    );
    assert_eq!(off["driver"], "packet");
    assert!(off["ms"].is_u64() && off["attempts"].as_array().unwrap().len() == 3, "{off}");
    rig.state("node-1", "inactive").await;
    let again = rig.good("node-1", "poweroff").await;
    assert!(again["text"].as_str().unwrap().contains("nothing was sent"), "{again}");
    // A device that is off is switched on by a cycle; one that is on goes down and up.
    assert_eq!(rig.good("node-1", "powercycle").await["state"], "on");
    let cycle = rig.good("node-1", "powercycle").await;
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)), "{cycle}");
    let world = rig.metal.world();
    let counts = ["power_off", "power_on", "reboot"].map(|command| world.count(&id, command));
    assert_eq!(counts, [1, 1, 1]);
    drop(world);
    assert!(rig.metal.log().iter().all(|entry| entry.key_in_header), "the key travels in its header only");
}

#[tokio::test(flavor = "multi_thread")]
async fn devices_by_id_are_started_and_stopped() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let stopped = rig.plugin("stopVm", json!({"packet/uuid": id})).await;
    assert_eq!((stopped.status, &stopped.json()["state"]), (200, &json!("off")), "{}", stopped.text());
    let started = rig.plugin("startVm", json!({"packet/uuid": id})).await;
    assert_eq!((started.status, &started.json()["state"]), (200, &json!("on")), "{}", started.text());
    for command in ["startVm", "stopVm", "destroyVm"] {
        refused(&rig.plugin(command, json!({})).await, 400, "PARAM", &["packet/uuid is missing"]);
        refused(&rig.plugin(command, json!({"packet/uuid": "a/../b"})).await, 400, "PARAM", &["packet/uuid"]);
        let number = rig.plugin(command, json!({"packet/uuid": 7})).await;
        assert_eq!(number.status, 400, "{}", number.text());
        let unknown = rig.plugin(command, json!({"packet/uuid": "not-there"})).await;
        refused(&unknown, 404, "NO_DEVICE", &["Not found"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_can_be_repeated_and_destroy_takes_machine_and_device() {
    let rig = Rig::start().await;
    let name = json!({"packet/name": "node-1", "packet/plan": "c3.small.x86", "packet/metro": "da", "packet/always-pxe": false});
    let made = rig.plugin("createVm", name.clone()).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let made = made.json();
    let id = made["uuid"].as_str().unwrap().to_owned();
    assert!(made["text"].as_str().unwrap().starts_with(&format!("Created {id}")), "{made}");
    // While it is provisioned and after it, the same call is about the same machine and device.
    let again = rig.plugin("createVm", name.clone()).await.json();
    assert_eq!((&again["uuid"], &again["details"]), (&made["uuid"], &made["details"]));
    let machine = rig.state("node-1", "active").await;
    let again = rig.plugin("createVm", name).await.json();
    assert_eq!((&again["uuid"], &again["verified"], rig.devices()), (&made["uuid"], &json!(true), 1));
    let orders = rig.metal.requests("POST", &format!("/projects/{PROJECT}/devices"));
    assert_eq!(orders.len(), 1);
    let body = &orders[0].body;
    assert_eq!(
        (&body["hostname"], &body["plan"], &body["metro"], &body["always_pxe"], body.get("facility")),
        (&json!("node-1"), &json!("c3.small.x86"), &json!("da"), &json!(false), None)
    );
    assert_eq!(
        (&body["operating_system"], &body["billing_cycle"]),
        (&json!("custom_ipxe"), &json!("hourly"))
    );
    assert_eq!(body["ipxe_script_url"], format!("{}/default.ipxe", rig.daemon.files), "the file server's");
    assert_eq!(body["tags"], json!([format!("drp-machine-{}", machine["Uuid"].as_str().unwrap())]));

    let gone = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert!(gone.json()["text"].as_str().unwrap().starts_with(&format!("Destroyed {id}")), "{}", gone.text());
    rig.daemon.wait_for("machines/Name:node-1", |a| a.status == 404).await;
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1, "the delete event sends nothing more");
}

#[tokio::test(flavor = "multi_thread")]
async fn create_without_a_name_makes_another_each_time() {
    let rig = Rig::start().await;
    let (a, b) = tokio::join!(rig.plugin("createVm", json!({})), rig.plugin("createVm", json!({})));
    assert_eq!((a.status, b.status), (200, 200), "{} {}", a.text(), b.text());
    assert_ne!(a.json()["uuid"], b.json()["uuid"]);
    assert_eq!(rig.devices(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_creates_of_one_name_at_the_same_time_make_one_device() {
    let rig = Rig::start().await;
    let name = || json!({"packet/name": "node-1"});
    let (a, b, c) = tokio::join!(
        rig.plugin("createVm", name()),
        rig.plugin("createVm", name()),
        rig.plugin("createVm", name())
    );
    for answer in [&a, &b, &c] {
        assert_eq!((answer.status, &answer.json()["uuid"]), (200, &a.json()["uuid"]), "{}", answer.text());
    }
    assert_eq!(rig.devices(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn create_takes_no_machine_of_others() {
    let rig = Rig::start().await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "other"})).await;
    let refused_one = rig.plugin("createVm", json!({"packet/name": "other"})).await;
    refused(&refused_one, 409, "STATE", &["other is there and is not this plugin's"]);
    assert_eq!(rig.devices(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_of_a_locked_device_sends_nothing_and_of_a_gone_one_leaves_the_machine() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    rig.metal.world().lock(&id, true);
    let locked = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    refused(&locked, 409, "STATE", &["locked", "nothing was sent"]);
    assert!(rig.metal.requests("DELETE", "/").is_empty());
    rig.machine("node-1").await;
    rig.metal.world().lock(&id, false);
    rig.metal.world().remove(&id);
    let gone = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert!(
        gone.json()["text"].as_str().unwrap().contains("node-1 stays, marked as missing"),
        "{}",
        gone.text()
    );
    assert_eq!(rig.machine("node-1").await["Params"]["packet/state"], "missing");
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_while_it_is_provisioned_is_told_in_the_words_of_the_service() {
    let rig = Rig::start().await;
    rig.metal.world().plan.step = Duration::from_millis(700);
    let made = rig.plugin("createVm", json!({"packet/name": "node-1"})).await.json();
    let early = rig.plugin("destroyVm", json!({"packet/uuid": made["uuid"]})).await;
    refused(&early, 502, "REFUSED", &["422", "Cannot delete a device while it is provisioning"]);
    // The device is followed on.
    rig.state("node-1", "active").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_network_settings_are_changed_only_where_they_differ() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    let pxe = rig.good("node-1", "nextbootpxe").await;
    assert!(pxe["verified"] == true && pxe["text"].as_str().unwrap().starts_with("Complete"), "{pxe}");
    let disk = rig.good("node-1", "nextbootdisk").await;
    assert!(
        disk["verified"] == false && disk["text"].as_str().unwrap().contains("nothing was sent"),
        "{disk}"
    );
    assert_eq!(rig.good("node-1", "updatepxe").await["verified"], true);
    assert_eq!(rig.metal.world().count(&id, "update"), 0, "nothing differed");

    let set = async |name: &str, value| {
        rig.daemon.expect(200, "POST", &format!("machines/Name:node-1/params/{name}"), value).await;
    };
    set("packet/always-pxe", json!(false)).await;
    set("packet/ipxe-script-url", json!("http://192.0.2.1/x.ipxe")).await;
    let update = rig.good("node-1", "updatepxe").await;
    assert!(
        update["verified"] == true && update["text"].as_str().unwrap().starts_with("Success"),
        "{update}"
    );
    let device = rig.metal.world().device(&id).unwrap();
    assert_eq!(
        (&device["always_pxe"], &device["ipxe_script_url"], &device["hostname"]),
        (&json!(false), &json!("http://192.0.2.1/x.ipxe"), &json!("node-1"))
    );
    assert_eq!(rig.good("node-1", "nextbootdisk").await["verified"], true);
    assert_eq!(rig.good("node-1", "nextbootpxe").await["verified"], true);
    assert_eq!(rig.metal.world().device(&id).unwrap()["always_pxe"], true);
    assert_eq!(rig.metal.world().count(&id, "update"), 2);

    set("packet/ipxe-script-url", json!("default.ipxe")).await;
    refused(&rig.act("node-1", "updatepxe").await, 400, "PARAM", &["packet/ipxe-script-url"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_do_not_cross() {
    let rig = Rig::start().await;
    rig.active("node-1").await;
    rig.metal.world().plan.power = Duration::from_millis(600);
    let late = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        rig.act("node-1", "powercycle").await
    };
    let (off, cycle) = tokio::join!(rig.act("node-1", "poweroff"), late);
    assert_eq!(off.status, 200, "{}", off.text());
    refused(&cycle, 409, "CONFLICT", &["poweroff is in progress"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn power_that_does_not_move_is_not_confirmed() {
    let rig = Rig::start().await;
    let id = rig.active("node-1").await;
    rig.metal.world().plan.stuck = true;
    let off = rig.act("node-1", "poweroff").await;
    refused(&off, 504, "UNCONFIRMED", &["sent but not confirmed", "the device is active", "Evidence:"]);
    let cycle = rig.good("node-1", "powercycle").await;
    assert!(
        cycle["verified"] == false && cycle["text"].as_str().unwrap().starts_with("sent but not confirmed")
    );
    assert_eq!(rig.metal.world().count(&id, "power_off"), 1);
    rig.metal.world().set(&id, "reinstalling");
    refused(&rig.act("node-1", "poweroff").await, 409, "STATE", &["reinstalling"]);
    assert_eq!(rig.good("node-1", "powerstatus").await["state"], "unknown");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_without_a_device_have_no_actions_of_it() {
    let rig = Rig::start().await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "other"})).await;
    assert_eq!(rig.daemon.get("machines/Name:other/actions").await, json!([]));
    let missing = rig.act("other", "poweron").await;
    assert!(missing.status >= 400 && missing.text().contains("packet/uuid"), "{}", missing.text());
    let unknown = rig.plugin("explode", json!({})).await;
    assert!(unknown.status == 404 || unknown.status == 400, "{}", unknown.text());
}
