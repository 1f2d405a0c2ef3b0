//! Machines that were made for devices that were there before.

use crate::rig::Rig;
use drp_tests::peers::metal::{MetalApi, PROJECT, Scheme};
use serde_json::{Value, json};

async fn imported(more: Value) -> Rig {
    let metal = MetalApi::start(Scheme::Http).await;
    metal.world().add("old-1", PROJECT);
    let mut params = json!({"packet/import-existing": true});
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    let rig = Rig::on(metal, params).await;
    let machine = rig.state("old-1", "active").await;
    assert_eq!(machine["Params"]["packet/imported"], true);
    rig
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_device_outlives_its_machine() {
    let rig = imported(json!({})).await;
    rig.daemon.expect(200, "DELETE", "machines/Name:old-1", Value::Null).await;
    rig.daemon.wait_log("was not made by this plugin, and stays");
    let deletes = rig.metal.requests("DELETE", "/");
    assert!(rig.devices() == 1 && deletes.is_empty(), "{deletes:?}\n{}", rig.daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_imported_device_goes_with_its_machine_when_that_is_wanted() {
    let rig = imported(json!({"packet/destroy-imported": true})).await;
    rig.daemon.expect(200, "DELETE", "machines/Name:old-1", Value::Null).await;
    rig.daemon.wait_log("was deleted, and its device");
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn destroy_takes_an_imported_device_too() {
    let rig = imported(json!({})).await;
    let id = rig.machine("old-1").await["Params"]["packet/uuid"].clone();
    let gone = rig.plugin("destroyVm", json!({"packet/uuid": id})).await;
    assert_eq!(gone.status, 200, "{}", gone.text());
    assert_eq!(rig.metal.requests("DELETE", "/devices/").len(), 1);
}
