//! What the plugin finds when it starts: no program, an old one, machines that are there already.

use crate::rig::{Rig, UUID, Way, builder, make_plugin, plugin_errors, settings};
use drp_tests::daemon::Daemon;
use drp_tests::peers::VirtualBox;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_said_by_the_plugin_object() {
    let Some(vbox) = VirtualBox::start() else { return };
    let faults = [
        (json!({"virtualbox/program": "no-such-VBoxManage"}), "no-such-VBoxManage cannot be run"),
        (json!({"virtualbox/user": "somebody-else"}), "virtualbox/command-prefix"),
        (json!({"virtualbox/program": "/bin/true"}), "makes no sense"),
        (json!({"virtualbox/timeout": 1, "virtualbox/program": "false"}), "ended with status 1"),
    ];
    for (odd, words) in faults {
        let daemon = builder(&vbox, Way::Local).start();
        let mut params = settings(None);
        for (name, value) in odd.as_object().unwrap() {
            params[name] = value.clone();
        }
        make_plugin(&daemon, params, None).await;
        let errors = plugin_errors(&daemon).await;
        assert!(errors.contains(words), "{errors}");
    }
    vbox.set("", "version", "4.3.40r110317");
    let daemon = builder(&vbox, Way::Local).start();
    make_plugin(&daemon, settings(None), None).await;
    let errors = plugin_errors(&daemon).await;
    assert!(errors.contains("VirtualBox 4.3") && errors.contains("too old"), "{errors}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_changes_who_runs_it() {
    let prefix = json!({"virtualbox/user": "somebody-else", "virtualbox/command-prefix": ["env", "X=$(id)"]});
    let Some(rig) = Rig::with(Way::Local, prefix, |vbox| vbox.add("node 1", UUID)).await else { return };
    rig.daemon.wait_for("machines/Name:node%201", |answer| answer.status == 200).await;
    assert_eq!(rig.good("poweron", json!({})).await["verified"], true);
}

async fn machines(daemon: &Daemon) -> Vec<Value> {
    let mut all = daemon.get("machines").await.as_array().cloned().unwrap();
    all.sort_by_key(|machine| machine["Name"].as_str().unwrap().to_owned());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_that_are_there_are_imported_once() {
    let Some(vbox) = VirtualBox::start() else { return };
    let ids: Vec<_> = (0..5).map(|n| format!("8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f000{n}")).collect();
    for (name, id) in ["plain", "web server_1", "it's \"x\"", "double", "<inaccessible>"].iter().zip(&ids) {
        vbox.add(name, id);
    }
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = builder(&vbox, Way::Local).base(base.path()).start();
    // One is known already, with its id written otherwise; one has a name that is taken.
    let known = json!({"Name": "known", "Params": {"virtualbox/id": ids[0]}});
    daemon.expect(201, "POST", "machines", known).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "double"})).await;
    make_plugin(&daemon, settings(None), None).await;
    daemon.wait_plugin("vbox").await;
    daemon.wait_for("machines", |answer| answer.json().as_array().is_some_and(|all| all.len() >= 5)).await;
    let all = machines(&daemon).await;
    let names: Vec<_> = all.iter().map(|machine| machine["Name"].as_str().unwrap()).collect();
    assert_eq!(names, ["double", "double-8d8f4b1c", "it-s -x-", "known", "web server_1"]);
    let server = &all[4];
    assert_eq!(server["HardwareAddrs"], json!(["08:00:27:0f:00:01"]));
    let params = &server["Params"];
    assert_eq!(params["virtualbox/id"], ids[1].to_ascii_uppercase());
    assert_eq!(params["virtualbox/name"], "web server_1");
    assert_eq!((&params["machine-plugin"], &params["virtualbox/imported"]), (&json!("vbox"), &json!(true)));
    assert_eq!(all[2]["Params"]["virtualbox/name"], "it's \"x\"");
    // Again, with a machine gone from VirtualBox: nothing is imported twice, nothing is deleted.
    assert!(daemon.stop().0.success());
    vbox.set("", "vms", json!([]));
    vbox.add("new one", UUID);
    let daemon = builder(&vbox, Way::Local).base(base.path()).start();
    daemon.wait_plugin("vbox").await;
    daemon.wait_for("machines/Name:new%20one", |answer| answer.status == 200).await;
    assert_eq!(machines(&daemon).await.len(), 6);
    // Nothing was made for what was imported.
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(vbox.count("createvm"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn importing_can_be_switched_off() {
    let off = json!({"virtualbox/import-existing": false});
    let Some(rig) = Rig::with(Way::Local, off, |vbox| vbox.add("node 1", UUID)).await else { return };
    let (status, _) = rig.on_plugin("startVm", json!({"virtualbox/name": "node 1"})).await;
    assert_eq!(status, 200);
    assert!(machines(&rig.daemon).await.is_empty());
    assert!(rig.vbox.log("list vms").len() == 1, "only the name was looked up");
}
