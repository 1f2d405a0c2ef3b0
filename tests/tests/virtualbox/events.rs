//! Machines of this plugin that are created and deleted.

use crate::rig::{Rig, UUID, Way, builder, make_plugin, settings};
use drp_tests::daemon::Daemon;
use drp_tests::peers::{VirtualBox, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

/// Waits until a machine says that; gives it.
async fn until(daemon: &Daemon, name: &str, state: &str) -> Value {
    let path = format!("/api/v3/machines/Name:{name}");
    let end = std::time::Instant::now() + Duration::from_secs(90);
    loop {
        let machine = daemon.call("GET", &path, Value::Null).await.json();
        if machine["Params"]["virtualbox/state"] == state {
            return machine;
        }
        assert!(std::time::Instant::now() < end, "{name} is not {state}: {machine}\n{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn comes_and_goes(way: Way) {
    let Some(rig) = Rig::with(way, json!({}), |_| {}).await else { return };
    let machine = json!({"Name": "web-1", "Params": {"machine-plugin": "vbox", "virtualbox/cpus": 4, "virtualbox/name": "web 1"}});
    let made = rig.daemon.expect(201, "POST", "machines", machine).await;
    let uuid = made["Uuid"].as_str().unwrap().to_owned();
    // One of another plugin, and one of none.
    rig.daemon
        .expect(201, "POST", "machines", json!({"Name": "other-1", "Params": {"machine-plugin": "vbox2"}}))
        .await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "plain-1"})).await;
    let ready = until(&rig.daemon, "web-1", "ready").await;
    let vm = rig.vbox.vm("web 1");
    assert_eq!((&vm["uuid"], &vm["state"], &vm["cpus"]), (&json!(uuid), &json!("running"), &json!(4)));
    assert_eq!(ready["Params"]["virtualbox/id"], uuid.to_ascii_uppercase());
    let macs = ready["HardwareAddrs"].as_array().unwrap();
    assert!(macs.len() == 2 && macs[0].as_str().unwrap().starts_with("08:00:27:"), "{ready}");
    assert_eq!(rig.vbox.count("createvm"), 1);
    let status =
        rig.daemon.expect(200, "POST", &format!("machines/{uuid}/actions/powerstatus"), json!({})).await;
    assert_eq!(status["state"], "on");
    // Its end, switched off first; a lock that takes a moment to go is waited for.
    rig.vbox.faults(json!([{"on": "unregistervm", "effect": "locked"}]));
    rig.daemon.expect(200, "DELETE", &format!("machines/{uuid}"), json!(null)).await;
    let gone = wait_until(Duration::from_secs(60), || rig.vbox.state() == json!({"vms": [], "disks": {}}));
    assert!(gone, "{}", rig.vbox.state());
    assert_eq!(rig.vbox.count("unregistervm"), 1);
    assert_eq!(rig.daemon.get("machines").await.as_array().unwrap().len(), 2, "the others stay");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_comes_and_goes_here() {
    comes_and_goes(Way::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_comes_and_goes_over_ssh() {
    comes_and_goes(Way::Ssh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_plugin_may_come_from_a_profile() {
    let Some(rig) = Rig::with(Way::Local, json!({}), |_| {}).await else { return };
    let profile = json!({"Name": "virtual", "Params": {"machine-plugin": "vbox"}});
    rig.daemon.expect(201, "POST", "profiles", profile).await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "web-1", "Profiles": ["virtual"]})).await;
    until(&rig.daemon, "web-1", "ready").await;
    rig.daemon.expect(200, "DELETE", "machines/Name:web-1", json!(null)).await;
    let gone = wait_until(Duration::from_secs(20), || rig.vbox.vm("web-1").is_null());
    assert!(gone, "{}", rig.vbox.state());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_the_machine_and_says_why() {
    let Some(rig) = Rig::with(Way::Local, json!({}), |_| {}).await else { return };
    rig.vbox.faults(json!([{"on": "storageattach", "effect": "refuse", "text": "VERR_DISK_FULL"}]));
    let machine = |name: &str| json!({"Name": name, "Params": {"machine-plugin": "vbox"}});
    rig.daemon.expect(201, "POST", "machines", machine("web-1")).await;
    let failed = until(&rig.daemon, "web-1", "failed").await;
    let message = failed["Params"]["virtualbox/message"].as_str().unwrap();
    assert!(
        message.contains("VERR_DISK_FULL")
            && message.contains("removed again")
            && message.contains("What to do"),
        "{message}"
    );
    assert_eq!(rig.vbox.state(), json!({"vms": [], "disks": {}}));
    // Made, but it does not start: it stays, for its log.
    rig.vbox.faults(json!([{"on": "startvm", "effect": "refuse", "text": "VERR_VMX_NO_VMX"}]));
    rig.daemon.expect(201, "POST", "machines", machine("web-2")).await;
    let failed = until(&rig.daemon, "web-2", "failed").await;
    let message = failed["Params"]["virtualbox/message"].as_str().unwrap();
    assert!(
        message.contains("is made, but does not start") && message.contains("VERR_VMX_NO_VMX"),
        "{message}"
    );
    assert_eq!(rig.vbox.vm("web-2")["state"], "poweroff");
    // An odd param is told in the same way.
    let odd = json!({"Name": "web-3", "Params": {"machine-plugin": "vbox", "virtualbox/name": "a\tb"}});
    rig.daemon.expect(201, "POST", "machines", odd).await;
    let failed = until(&rig.daemon, "web-3", "failed").await;
    assert!(failed["Params"]["virtualbox/message"].as_str().unwrap().contains("virtualbox/name"), "{failed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_not_destroyed_unasked() {
    for (asked, left) in [(false, 1), (true, 0)] {
        let more = json!({"virtualbox/destroy-imported": asked});
        let Some(rig) = Rig::with(Way::Local, more, |vbox| vbox.add("node 1", UUID)).await else { return };
        rig.daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
        rig.daemon.expect(200, "DELETE", "machines/Name:node%201", json!(null)).await;
        let text = if asked {
            "its virtual machine 8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f9a8b with it"
        } else {
            "was not made by this plugin"
        };
        wait_log(&rig.daemon, text).await;
        assert_eq!(rig.vbox.state()["vms"].as_array().unwrap().len(), left);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_only_names_a_virtual_machine_does_not_take_it_along() {
    let Some(vbox) = VirtualBox::start() else { return };
    vbox.add("old one", UUID);
    let daemon = builder(&vbox, Way::Local).start();
    // Made while the plugin was not there, so that it never took it over.
    let machine = json!({"Name": "web-1", "Params": {"machine-plugin": "vbox", "virtualbox/id": UUID}});
    daemon.wait_for("plugin_providers/virtualbox-ipmi", |answer| answer.status == 200).await;
    daemon.expect(201, "POST", "machines", machine).await;
    let mut params = settings(None);
    params["virtualbox/import-existing"] = json!(false);
    make_plugin(&daemon, params, None).await;
    daemon.wait_plugin("vbox").await;
    daemon.expect(200, "DELETE", "machines/Name:web-1", json!(null)).await;
    wait_log(&daemon, "was not made by this plugin").await;
    assert_eq!((vbox.state()["vms"].as_array().unwrap().len(), vbox.count("unregistervm")), (1, 0));
}

/// Waits until the log buffer holds that.
async fn wait_log(daemon: &Daemon, text: &str) {
    daemon.wait_for("logs", |answer| answer.text().contains(text)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_virtual_machine_of_that_id_is_taken_as_it_is() {
    let off = json!({"virtualbox/import-existing": false});
    let Some(rig) = Rig::with(Way::Local, off, |vbox| {
        vbox.add("old one", UUID);
        vbox.set("old one", "state", "running");
    })
    .await
    else {
        return;
    };
    let machine = json!({"Name": "web-1", "Params": {"machine-plugin": "vbox", "virtualbox/id": UUID}});
    rig.daemon.expect(201, "POST", "machines", machine).await;
    let ready = until(&rig.daemon, "web-1", "ready").await;
    assert_eq!(ready["Params"]["virtualbox/imported"], true);
    assert_eq!(ready["Params"]["virtualbox/name"], "old one");
    assert_eq!(rig.vbox.vm("old one")["state"], "running");
    assert_eq!(rig.vbox.count("createvm") + rig.vbox.count("controlvm"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_dies_in_between_goes_on_and_makes_nothing_twice() {
    let Some(vbox) = VirtualBox::start() else { return };
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = builder(&vbox, Way::Local).base(base.path()).start();
    make_plugin(&daemon, settings(None), None).await;
    daemon.wait_plugin("vbox").await;
    // It dies after the machine was made, while the disk is.
    vbox.faults(json!([{"on": "createmedium", "effect": "hang"}]));
    daemon
        .expect(201, "POST", "machines", json!({"Name": "web-1", "Params": {"machine-plugin": "vbox"}}))
        .await;
    let pids = vbox.hanging();
    // The stand-in's own child would outlive it; a program that hangs, too, is ended by the kernel.
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(pids[1]), nix::sys::signal::Signal::SIGKILL);
    daemon.kill9();
    assert_eq!((vbox.count("createvm"), vbox.count("createmedium")), (1, 0));
    let daemon = builder(&vbox, Way::Local).base(base.path()).start();
    until(&daemon, "web-1", "ready").await;
    assert_eq!((vbox.count("createvm"), vbox.count("storagectl"), vbox.count("createmedium")), (1, 1, 1));
    assert_eq!(vbox.vm("web-1")["state"], "running");
    assert_eq!(
        daemon.get("machines").await.as_array().unwrap().len(),
        1,
        "it is not imported as another one"
    );
}
