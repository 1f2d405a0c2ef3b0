//! The content of the plugin: whole, documented, its scripts clean, and run for real by a machine's agent.

use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use drp_tests::pack::Pack;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

async fn with_content() -> Daemon {
    let daemon = Daemon::builder().plugin("virtualbox-ipmi").start();
    daemon.wait_for("stages/virtualbox-discover", |answer| answer.status == 200).await;
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pack_is_whole_and_its_scripts_are_clean() {
    let pack = Pack::of_plugin("virtualbox-ipmi").await;
    pack.check(&["discover", "sledgehammer-wait"]);
    let daemon = with_content().await;
    pack.scripts_are_clean(&daemon, &[json!({})]).await;
}

/// A machine that runs a stage.
async fn machine(daemon: &Daemon, stage: &str) -> String {
    let made = daemon
        .expect(201, "POST", "machines", json!({"Name": stage, "Stage": stage, "Runnable": true}))
        .await;
    made["Uuid"].as_str().unwrap().to_owned()
}

fn firmware(root: &Path, product: &str, uuid: &str) -> String {
    let dir = root.join("dmi");
    std::fs::create_dir_all(&dir).unwrap();
    std::fs::write(dir.join("product_name"), format!("{product}\n")).unwrap();
    std::fs::write(dir.join("product_uuid"), format!("{uuid}\n")).unwrap();
    dir.display().to_string()
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_stores_the_uuid_of_virtualbox_only() {
    let daemon = with_content().await;
    let uuid = "8d8f4b1c-9b1a-4b0e-8f5c-3c2d1e0f9a8b";
    for (product, stored) in [("VirtualBox", json!(uuid.to_uppercase())), ("PowerEdge R640", Value::Null)] {
        let root = tempfile::tempdir().unwrap();
        let machine = machine(&daemon, "virtualbox-discover").await;
        let dmi = firmware(root.path(), product, uuid);
        let agent = Agent::boot(&daemon, &machine, root.path()).await.with_cli().env("DMI_DIR", &dmi);
        assert_eq!(agent.walk().await, End::Complete, "{}", daemon.log());
        assert_eq!(
            daemon.get(&format!("machines/{machine}/params/virtualbox/id")).await,
            stored,
            "{product}"
        );
        daemon.expect(200, "DELETE", &format!("machines/{machine}"), Value::Null).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn other_cards_ask_for_addresses() {
    let daemon = with_content().await;
    let root = tempfile::tempdir().unwrap();
    for card in ["lo", "eth0/device", "eth1/device", "eth2/device"] {
        std::fs::create_dir_all(root.path().join("net").join(card)).unwrap();
    }
    let bin = root.path().join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    let calls = root.path().join("calls");
    // eth0 has an address; nobody answers on eth2.
    for (name, text) in [
        ("ip", "case $* in *'show dev eth0 '*) echo '2: eth0 inet 10.0.0.7/24' ;; esac\n"),
        ("dhclient", "case $* in *eth2*) exit 2 ;; esac\n"),
    ] {
        let script = format!("#!/bin/sh\necho \"{name} $*\" >>'{}'\n{text}", calls.display());
        std::fs::write(bin.join(name), script).unwrap();
        std::fs::set_permissions(bin.join(name), PermissionsExt::from_mode(0o755)).unwrap();
    }
    let machine = machine(&daemon, "virtualbox-other-nics").await;
    let net = root.path().join("net").display().to_string();
    let agent = Agent::boot(&daemon, &machine, root.path()).await.with_cli().env("NET_DIR", &net);
    assert_eq!(agent.walk().await, End::Complete, "{}", daemon.log());
    let calls = std::fs::read_to_string(calls).unwrap();
    let asked: Vec<_> = calls.lines().filter(|line| line.starts_with("dhclient")).collect();
    assert_eq!(asked, ["dhclient -1 eth1", "dhclient -1 eth2"], "{calls}");
}
