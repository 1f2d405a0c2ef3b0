//! What a listing may and may not do.

use crate::rig::{Rig, builder, configure, params, refused, state_of};
use drp_tests::peers::metal::{Kind, MetalApi, OTHER_KEY, PROJECT, Scheme};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Sets a param of the plugin, which starts it again.
async fn reconfigure(rig: &Rig, name: &str, value: Value) {
    let mut events = drp_tests::events::EventSocket::connect(&rig.daemon).await;
    events.register("plugins.configed.metal").await;
    rig.daemon.expect(200, "POST", &format!("plugins/metal/params/{name}"), value).await;
    events.next().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn existing_devices_are_imported_over_many_pages_once() {
    let metal = MetalApi::start(Scheme::Https).await;
    metal.world().page = 7;
    let names: BTreeSet<String> = (0..40).map(|at| format!("host-{at:02}")).collect();
    for name in &names {
        metal.world().add(name, PROJECT);
    }
    let rig = Rig::on(metal, json!({"packet/import-existing": true})).await;
    let imported = rig
        .daemon
        .wait_for("machines", |a| a.json().as_array().is_some_and(|machines| machines.len() == 40))
        .await
        .json();
    let got: BTreeSet<String> =
        imported.as_array().unwrap().iter().map(|m| m["Name"].as_str().unwrap().to_owned()).collect();
    assert_eq!(got, names);
    let one = rig.machine("host-13").await;
    assert_eq!(
        (&one["Params"]["machine-plugin"], &one["Params"]["packet/state"]),
        (&json!("metal"), &json!("active"))
    );
    assert_eq!(
        (&one["Profiles"], &one["Params"]["packet/facility"]),
        (&json!(["packet-console"]), &json!("ewr1"))
    );
    assert!(
        !one["Address"].as_str().unwrap().is_empty() && !one["HardwareAddrs"].as_array().unwrap().is_empty()
    );
    assert!(
        rig.metal.requests("GET", &format!("/projects/{PROJECT}/devices?page=6")).len() == 1,
        "six pages of seven"
    );
    assert_eq!(rig.good("host-39", "powerstatus").await["state"], "on");
    // Again: nothing comes twice, no device is ordered for an imported machine, and its state follows.
    let id = rig.machine("host-00").await["Params"]["packet/uuid"].as_str().unwrap().to_owned();
    rig.metal.world().set(&id, "inactive");
    reconfigure(&rig, "packet/timeout", json!(3)).await;
    rig.state("host-00", "inactive").await;
    assert_eq!(rig.daemon.get("machines").await.as_array().unwrap().len(), 40);
    assert_eq!(rig.devices(), 40);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_imported_unless_asked() {
    let metal = MetalApi::start(Scheme::Http).await;
    metal.world().add("stranger", PROJECT);
    let rig = Rig::on(metal, json!({})).await;
    rig.active("node-1").await;
    assert_eq!(rig.daemon.get("machines").await.as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_name_is_taken_is_not_imported_and_the_rest_is() {
    let metal = MetalApi::start(Scheme::Http).await;
    for name in ["a-free", "taken", "z-free"] {
        metal.world().add(name, PROJECT);
    }
    let daemon = builder().start();
    daemon.expect(201, "POST", "machines", json!({"Name": "taken"})).await;
    configure(&daemon, params(&metal, json!({"packet/import-existing": true}))).await;
    for name in ["a-free", "z-free"] {
        state_of(&daemon, name, "active").await;
    }
    assert!(daemon.get("machines/Name:taken").await["Params"].get("packet/uuid").is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_listing_deletes_a_machine() {
    let rig = Rig::start().await;
    let kept = rig.active("node-1").await;
    let removed = rig.active("node-2").await;
    rig.metal.world().remove(&removed);
    // An empty listing by mistake: each device is asked for by its id before anything is said.
    let empty = json!({"devices": [], "meta": {"total": 0, "current_page": 1, "last_page": 1, "next": null}});
    let says = Kind::Says(200, vec![], empty.to_string());
    rig.metal.fault("GET", &format!("/projects/{PROJECT}/devices"), 100, says);
    reconfigure(&rig, "packet/timeout", json!(3)).await;
    let gone = rig.state("node-2", "missing").await;
    let error = gone["Params"]["packet/error"].as_str().unwrap();
    assert!(error.contains(&removed) && error.contains("The machine stays as it is"), "{error}");
    assert_eq!(gone["Params"]["packet/uuid"], json!(removed));
    let there = rig.machine("node-1").await;
    assert_eq!(
        (&there["Params"]["packet/state"], &there["Params"]["packet/uuid"]),
        (&json!("active"), &json!(kept))
    );
    assert_eq!(rig.daemon.get("machines").await.as_array().unwrap().len(), 2);
    assert!(rig.metal.requests("DELETE", "/").is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_another_account_deletes_nothing_and_the_right_one_mends_it() {
    let rig = Rig::start().await;
    rig.active("node-1").await;
    rig.active("node-2").await;
    reconfigure(&rig, "packet/api-key", json!(OTHER_KEY)).await;
    for name in ["node-1", "node-2"] {
        rig.state(name, "missing").await;
    }
    refused(&rig.act("node-1", "powerstatus").await, 404, "NO_DEVICE", &["right account"]);
    assert_eq!(rig.daemon.get("machines").await.as_array().unwrap().len(), 2);
    assert_eq!(rig.devices(), 2);
    reconfigure(&rig, "packet/api-key", json!(drp_tests::peers::metal::KEY)).await;
    for name in ["node-1", "node-2"] {
        let machine = rig.state(name, "active").await;
        assert_eq!(machine["Params"]["packet/error"], "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn half_a_listing_says_nothing() {
    let rig = Rig::start().await;
    rig.metal.world().page = 1;
    for name in ["node-1", "node-2", "node-3"] {
        rig.active(name).await;
    }
    // The second page is garbage, and would not be asked for by id either.
    let garbage = Kind::Says(200, vec![], "<html>".to_owned());
    rig.metal.fault("GET", &format!("/projects/{PROJECT}/devices?page=2"), 100, garbage);
    let before = rig.metal.requests("GET", "/devices/").len();
    reconfigure(&rig, "packet/timeout", json!(3)).await;
    rig.daemon.wait_log("the devices cannot be listed");
    assert_eq!(rig.metal.requests("GET", "/devices/").len(), before);
    for name in ["node-1", "node-2", "node-3"] {
        assert_eq!(rig.machine(name).await["Params"]["packet/state"], "active");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn listings_come_again_by_themselves() {
    let rig = Rig::with(Scheme::Http, json!({"packet/refresh-interval": 0.2})).await;
    let id = rig.active("node-1").await;
    rig.metal.world().set(&id, "inactive");
    rig.state("node-1", "inactive").await;
    rig.metal.world().remove(&id);
    rig.state("node-1", "missing").await;
}
