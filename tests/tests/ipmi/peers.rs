//! The plugin against BMCs that are not ours: `ipmi_sim`, pyghmi, and a QEMU machine behind `ipmi_sim`.

use crate::rig::{Rig, attempts};
use drp_tests::peers::{IpmiSim, Ipmitool, PyghmiBmc, wait_until};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn ipmi_sim_is_powered_and_read_back() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    let at = bmc.address();
    let status = rig.good(at, "powerstatus").await;
    assert_eq!((&status["state"], &status["verified"]), (&json!("off"), &json!(true)));
    // ipmi_sim knows no SHA-256, and says so.
    assert!(attempts(&status)[0].contains("suite 3 was asked for instead"), "{status}");
    assert_eq!(rig.good(at, "poweron").await["verified"], true);
    assert_eq!(rig.good(at, "poweron").await["verified"], true);
    assert_eq!(bmc.chassis_calls("set power 1"), 1);
    let cycle = rig.good(at, "powercycle").await;
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)), "{cycle}");
    assert_eq!(rig.good(at, "powerreset").await["state"], "on");
    assert_eq!(bmc.chassis_calls("set reset 1"), 1);
    let soft = rig.good(at, "powersoft").await;
    assert_eq!((&soft["state"], &soft["verified"]), (&json!("off"), &json!(true)), "{soft}");
    assert_eq!(bmc.chassis_calls("set shutdown 1"), 1);
    rig.good(at, "poweron").await;
    assert_eq!(rig.good(at, "poweroff").await["verified"], true);
    if let Some(second) = Ipmitool::new(at, 3) {
        assert!(second.run("chassis power status").good().contains("is off"));
    }
    let info = rig.good(at, "bmcinfo").await;
    assert_eq!(info["details"]["session"], "cipher suite 3");
    assert_eq!(info["details"]["manufacturer_id"], 0x1291);
    rig.stop().await;
}

#[tokio::test]
async fn ipmi_sim_keeps_the_boot_device_and_drops_the_flags() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    let at = bmc.address();
    for (verb, kept) in
        [("nextbootpxe", "pxe"), ("nextbootcd", "cdrom"), ("nextbootbios", "bios"), ("forcebootpxe", "pxe")]
    {
        let set = rig.on(at, verb, json!({"detected-bios-mode": "uefi"})).await.unwrap();
        assert_eq!(set["verified"], true, "{set}");
        assert!(set["text"].as_str().unwrap().contains("does not read back: valid"), "{set}");
        assert_eq!(bmc.chassis_file("boot").as_deref(), Some(kept));
    }
    // It keeps disk as its default, and cannot say that it was asked for.
    let disk = rig.good(at, "nextbootdisk").await;
    assert_eq!(disk["requested"], "disk");
    assert_eq!(bmc.chassis_file("boot").as_deref(), Some("default"));
    assert_eq!(disk["verified"], disk["observed"] == "disk", "{disk}");
    let identify = rig.on(at, "identify", json!({"ipmi/identify-duration": 5})).await.unwrap();
    assert_eq!(identify["requested"], "identify for 5 s");
    assert_eq!(bmc.chassis_file("identify").as_deref(), Some("5 0"));
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_ipmi_sim_is_commanded_once() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    let at = bmc.address();
    rig.good(at, "powerstatus").await;
    // The whole simulator stalls while its chassis program runs, longer than the timeout.
    bmc.set_chassis_file("delay", "3");
    let on = rig.on(at, "poweron", json!({"ipmi/timeout": 2, "ipmi/verify-timeout": 20})).await.unwrap();
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)), "{on}");
    assert_eq!(bmc.chassis_calls("set power 1"), 1);
    bmc.set_chassis_file("delay", "");
    bmc.set_chassis_file("fail", "no power today");
    let error = rig.on(at, "poweroff", json!({})).await.unwrap_err();
    assert_eq!(error.code, 502, "{error}");
    assert_eq!(rig.good(at, "powerstatus").await["state"], "on");
    bmc.pause(true);
    let error = rig.on(at, "powerstatus", json!({"ipmi/timeout": 1})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (504, "SILENT"), "{error}");
    bmc.pause(false);
    assert_eq!(rig.good(at, "powerstatus").await["state"], "on");
    rig.stop().await;
}

#[tokio::test]
async fn ipmi_sim_refuses_a_wrong_password_once() {
    let Some(bmc) = IpmiSim::start() else { return };
    let rig = Rig::start().await;
    for kind in ["CREDENTIALS", "LOCKED"] {
        let wrong = json!({"ipmi/password": "wrong"});
        let error = rig.on(bmc.address(), "poweron", wrong).await.unwrap_err();
        assert_eq!((error.code, error.r#type.as_str()), (401, kind), "{error}");
    }
    let user = json!({"ipmi/username": "nobody", "ipmi/cipher-suite": 3});
    assert_eq!(rig.on(bmc.address(), "poweron", user).await.unwrap_err().code, 401);
    assert_eq!(bmc.chassis_calls("set power 1"), 0);
    rig.stop().await;
}

/// `ipmi_sim` has 63 session slots and gives them back late: whoever leaks fills them.
#[tokio::test]
async fn ipmi_sim_never_runs_out_of_sessions() {
    let Some(bmc) = IpmiSim::start() else { return };
    for _ in 0..10 {
        let rig = Rig::start().await;
        for round in 0..12 {
            // Another credential each time, so another session each time.
            let suite = if round % 2 == 0 { json!(3) } else { json!("auto") };
            let status = rig.on(bmc.address(), "powerstatus", json!({"ipmi/cipher-suite": suite})).await;
            assert_eq!(status.unwrap()["state"], "off");
        }
        rig.stop().await;
    }
}

#[tokio::test]
async fn pyghmi_is_powered_though_it_lacks_cycle_and_identify() {
    let Some(bmc) = PyghmiBmc::start() else { return };
    let rig = Rig::start().await;
    let at = bmc.address();
    assert_eq!(rig.good(at, "powerstatus").await["state"], "off");
    assert_eq!(rig.good(at, "poweron").await["verified"], true);
    let cycle = rig.good(at, "powercycle").await;
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)));
    assert!(cycle["text"].as_str().unwrap().contains("no power cycle"), "{cycle}");
    let pxe = rig.good(at, "nextbootpxe").await;
    assert_eq!((&pxe["observed"], &pxe["verified"]), (&json!("pxe"), &json!(true)), "{pxe}");
    let error = rig.on(at, "identify", json!({})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (501, "UNSUPPORTED"), "{error}");
    assert_eq!(rig.good(at, "bmcinfo").await["details"]["protocol_version"], "2.0");
    assert_eq!(rig.good(at, "poweroff").await["verified"], true);
    // It answers suite 3 whatever is asked for: with 17 asked for and nothing else, nobody talks to it.
    let error = rig.on(at, "powerstatus", json!({"ipmi/cipher-suite": 17})).await.unwrap_err();
    assert_eq!(error.code, 501, "{error}");
    rig.stop().await;
}

#[tokio::test]
async fn a_real_machine_is_powered_on_cycled_and_off() {
    let Some(bmc) = IpmiSim::start_vm(None) else { return };
    let rig = Rig::start().await;
    let at = bmc.address();
    let patient = || json!({"ipmi/timeout": 8, "ipmi/verify-timeout": 30});
    assert_eq!(rig.on(at, "powerstatus", patient()).await.unwrap()["state"], "off");
    assert_eq!(rig.on(at, "nextbootpxe", patient()).await.unwrap()["verified"], true);
    assert_eq!(rig.on(at, "poweron", patient()).await.unwrap()["verified"], true);
    let first = bmc.vm_pid().expect("QEMU runs");
    let cycle = rig.on(at, "powercycle", patient()).await.unwrap();
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)), "{cycle}");
    assert_ne!(bmc.vm_pid().expect("QEMU runs again"), first);
    let off = rig.on(at, "poweroff", patient()).await.unwrap();
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)));
    assert!(wait_until(Duration::from_secs(5), || bmc.vm_pid().is_none()), "QEMU is gone");
    rig.stop().await;
}
