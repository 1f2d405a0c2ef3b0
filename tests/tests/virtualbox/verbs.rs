//! Every verb on machines, locally and over SSH.

use crate::rig::{Rig, UUID, Way};
use drp_tests::peers::Sshd;
use serde_json::{Value, json};

async fn every_verb(way: Way) {
    let Some(rig) = Rig::start(way).await else { return };
    let machine = rig.daemon.get("machines/Name:node%201").await;
    assert_eq!(machine["Params"]["virtualbox/id"], UUID.to_ascii_uppercase());
    let check = |result: &Value, state: &str, verified: bool| {
        assert_eq!((&result["state"], &result["verified"]), (&json!(state), &json!(verified)), "{result}");
        assert_eq!(result["driver"], if way == Way::Local { "local" } else { "ssh" });
        assert!(result["ms"].is_u64() && result["attempts"].as_array().unwrap().len() == 1, "{result}");
    };
    let status = rig.good("powerstatus", json!({})).await;
    assert_eq!((&status["state"], &status["details"]["vmstate"]), (&json!("off"), &json!("poweroff")));

    // The boot order is really set, while the machine is off.
    let boot = rig.good("nextbootpxe", json!({})).await;
    check(&boot, "off", true);
    assert_eq!((&boot["requested"], &boot["observed"]), (&json!("pxe"), &json!("pxe")));
    assert_eq!(rig.vbox.vm("node 1")["boot"], json!(["net", "disk", "none", "none"]));
    check(&rig.good("nextbootdisk", json!({})).await, "off", true);
    assert_eq!(rig.vbox.vm("node 1")["boot"], json!(["disk", "net", "none", "none"]));
    assert_eq!(rig.vbox.count("modifyvm"), 2);
    assert!(rig.good("nextbootdisk", json!({})).await["text"].as_str().unwrap().contains("nothing was sent"));
    assert_eq!(rig.vbox.count("modifyvm"), 2);

    check(&rig.good("poweron", json!({})).await, "on", true);
    assert_eq!(rig.vbox.vm("node 1")["headless"], true);
    assert!(rig.good("poweron", json!({})).await["text"].as_str().unwrap().contains("nothing was sent"));
    assert_eq!(rig.vbox.count("startvm"), 1);
    let running = rig.bad("nextbootpxe", json!({}), 409, "STATE").await;
    assert!(running.contains("off only") && running.contains("virtualbox/boot-wait"), "{running}");
    let late = rig.bad("nextbootpxe", json!({"virtualbox/boot-wait": 1}), 409, "STATE").await;
    assert!(late.contains("nothing was sent"), "{late}");

    let cycle = rig.good("powercycle", json!({})).await;
    check(&cycle, "on", false);
    assert!(cycle["text"].as_str().unwrap().starts_with("sent but not confirmed"), "{cycle}");
    assert_eq!(rig.vbox.vm("node 1")["resets"], 1);

    // A guest that does not heed the button is switched off; both steps are told.
    let soft = rig.good("powersoft", json!({"virtualbox/soft-timeout": 1})).await;
    assert_eq!((&soft["state"], &soft["verified"]), (&json!("off"), &json!(true)), "{soft}");
    let steps: Vec<_> =
        soft["details"]["steps"].as_array().unwrap().iter().map(|s| s["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["acpipowerbutton", "poweroff"]);
    assert_eq!((rig.vbox.count("controlvm"), rig.vbox.vm("node 1")["presses"].clone()), (3, json!(1)));
    check(&rig.good("powersoft", json!({})).await, "off", true);

    // A cycle of a machine that is off starts it; one that heeds is not switched off.
    check(&rig.good("powercycle", json!({})).await, "on", true);
    rig.vbox.set("node 1", "acpi", true);
    let soft = rig.good("powersoft", json!({})).await;
    assert!(soft["text"].as_str().unwrap().contains("the guest shut down"), "{soft}");
    assert_eq!(soft["details"]["steps"].as_array().unwrap().len(), 1);

    // Waiting for a machine to be off, for its boot order.
    rig.good("poweron", json!({})).await;
    let before = rig.vbox.log("showvminfo").len();
    let (boot, off) = tokio::join!(rig.good("nextbootpxe", json!({"virtualbox/boot-wait": 30})), async {
        while rig.vbox.log("showvminfo").len() < before + 3 {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        // What switches it off may be another action.
        rig.good("poweroff", json!({})).await
    });
    check(&off, "off", true);
    check(&boot, "off", true);
    assert_eq!(rig.vbox.vm("node 1")["boot"][0], "net");

    // Paused is on, and goes on when it is switched on.
    rig.good("poweron", json!({})).await;
    rig.vbox.set("node 1", "state", "paused");
    assert_eq!(rig.good("powerstatus", json!({})).await["state"], "on");
    check(&rig.good("poweron", json!({})).await, "on", true);
    assert_eq!(rig.vbox.vm("node 1")["state"], "running");
    check(&rig.good("poweroff", json!({})).await, "off", true);
    assert!(rig.good("poweroff", json!({})).await["text"].as_str().unwrap().contains("nothing was sent"));
    assert_eq!(rig.act("warp", json!({})).await.0, 400, "the daemon knows no such action");
    if let Some(sshd) = &rig.sshd {
        assert_eq!(sshd.logins(), 1, "one connection is kept: {}", sshd.log());
        let connections = Sshd::connections(sshd);
        assert_eq!(connections, 1);
    }
    let Rig { daemon, sshd, .. } = rig;
    assert!(daemon.stop().0.success());
    if let Some(sshd) = sshd {
        let gone =
            drp_tests::peers::wait_until(std::time::Duration::from_secs(5), || sshd.connections() == 0);
        assert!(gone, "the connection is closed on stop");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_here() {
    every_verb(Way::Local).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_over_ssh() {
    every_verb(Way::Ssh).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_on_their_way_are_unknown_and_waited_for() {
    let Some(rig) = Rig::start(Way::Local).await else { return };
    rig.vbox.faults(json!([{"on": "startvm", "effect": "later", "reads": 3}]));
    let on = rig.good("poweron", json!({})).await;
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)));
    rig.vbox.set("node 1", "state", "stopping");
    assert_eq!(rig.good("powerstatus", json!({})).await["state"], "unknown");
    let sent = rig.vbox.count("controlvm");
    let text = rig.bad("poweroff", json!({"virtualbox/verify-timeout": 1}), 502, "POWER_UNKNOWN").await;
    assert!(text.contains("stopping") && text.contains("nothing was sent"), "{text}");
    assert_eq!(rig.vbox.count("controlvm"), sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_of_a_machine_at_a_time() {
    let Some(rig) = Rig::start(Way::Local).await else { return };
    rig.vbox.faults(json!([{"on": "startvm", "effect": "later", "reads": 4}]));
    let (on, conflict) = tokio::join!(rig.good("poweron", json!({})), async {
        while rig.vbox.log("startvm").is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        rig.bad("poweroff", json!({}), 409, "CONFLICT").await
    });
    assert_eq!(on["state"], "on");
    assert!(conflict.contains("poweron of this machine is in progress"), "{conflict}");
}
