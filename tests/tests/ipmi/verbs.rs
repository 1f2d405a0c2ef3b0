//! Every verb against the simulator.

use crate::rig::{Rig, attempts, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_ipmi::{BootDevice, CipherSuite};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn power_is_changed_and_read_back() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let status = rig.good(bmc.address(), "powerstatus").await;
    assert_eq!((&status["state"], &status["verified"]), (&json!("off"), &json!(true)));
    let on = rig.good(bmc.address(), "poweron").await;
    assert!(bmc.power());
    let fields: Vec<_> = on.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(
        fields,
        ["attempts", "driver", "ms", "observed", "requested", "state", "text", "verified"],
        "the result of plugins §2.1"
    );
    assert_eq!(on["attempts"], json!([{"driver": "ipmi", "error": "", "ms": on["attempts"][0]["ms"]}]));
    assert_eq!((&on["state"], &on["requested"], &on["observed"]), (&json!("on"), &json!("on"), &json!("on")));
    assert_eq!((&on["driver"], &on["verified"]), (&json!("ipmi"), &json!(true)));
    assert!(on["ms"].is_u64());
    assert!(rig.good(bmc.address(), "poweron").await["text"].as_str().unwrap().contains("already"));
    let cycle = rig.good(bmc.address(), "powercycle").await;
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)));
    let reset = rig.good(bmc.address(), "powerreset").await;
    assert_eq!((&reset["state"], &reset["verified"]), (&json!("on"), &json!(false)));
    assert!(reset["text"].as_str().unwrap().starts_with("sent but not confirmed"));
    assert_eq!(rig.good(bmc.address(), "powersoft").await["state"], "off");
    rig.good(bmc.address(), "poweron").await;
    assert_eq!(rig.good(bmc.address(), "poweroff").await["state"], "off");
    assert!(!bmc.power());
    let counts = bmc.counts();
    assert_eq!(
        (counts.power_ups, counts.power_downs, counts.cycles, counts.resets, counts.softs),
        (2, 1, 1, 1, 1)
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_slow_machine_is_waited_for() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| config.power_delay = Duration::from_millis(1500)).await;
    let on = rig.good(bmc.address(), "poweron").await;
    assert!(on["ms"].as_u64().unwrap() >= 1400, "{on}");
    assert_eq!(bmc.counts().power_ups, 1);
    rig.stop().await;
}

#[tokio::test]
async fn a_soft_shutdown_that_is_ignored_is_followed_by_a_hard_one() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| (config.soft_delay, config.powered) = (None, true)).await;
    let off = rig.good(bmc.address(), "powersoft").await;
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)));
    assert!(attempts(&off)[0].starts_with("soft shutdown: power was on after"), "{off}");
    assert_eq!((bmc.counts().softs, bmc.counts().power_downs), (1, 1));
    rig.stop().await;
}

#[tokio::test]
async fn a_cycle_of_a_machine_that_is_off_switches_it_on() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let cycle = rig.good(bmc.address(), "powercycle").await;
    assert_eq!((&cycle["state"], &cycle["verified"]), (&json!("on"), &json!(true)));
    assert!(cycle["text"].as_str().unwrap().contains("was off"), "{cycle}");
    assert_eq!((bmc.counts().cycles, bmc.counts().power_ups), (0, 1));
    rig.stop().await;
}

#[tokio::test]
async fn boot_devices_are_set_and_read_back() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for (verb, device, persistent) in [
        ("nextbootpxe", BootDevice::Pxe, false),
        ("nextbootdisk", BootDevice::Disk, false),
        ("nextbootcd", BootDevice::Cdrom, false),
        ("nextbootbios", BootDevice::BiosSetup, false),
        ("forcebootpxe", BootDevice::Pxe, true),
        ("forcebootdisk", BootDevice::Disk, true),
        ("forcebootcd", BootDevice::Cdrom, true),
    ] {
        for (mode, efi) in [(json!("uefi"), true), (json!("legacy-bios"), false), (json!(null), false)] {
            let set = rig.on(bmc.address(), verb, json!({"detected-bios-mode": mode})).await.unwrap();
            assert_eq!((&set["verified"], &set["state"]), (&json!(true), &json!("off")), "{set}");
            assert_eq!(set["requested"], set["observed"]);
            assert_eq!(
                set["text"].as_str().unwrap().contains("detected-bios-mode is not set"),
                mode.is_null()
            );
            let flags = bmc.boot_flags();
            assert_eq!(
                (flags.device, flags.valid, flags.persistent, flags.efi),
                (device, true, persistent, efi)
            );
            let status = rig.good(bmc.address(), "bootstatus").await;
            assert_eq!(
                (&status["observed"], &status["details"]["persistent"]),
                (&set["observed"], &json!(persistent))
            );
        }
    }
    rig.on(bmc.address(), "nextbootpxe", json!({})).await.unwrap();
    rig.good(bmc.address(), "poweron").await;
    assert_eq!(bmc.boots(), [BootDevice::Pxe]);
    let used_up = rig.good(bmc.address(), "bootstatus").await;
    assert_eq!((&used_up["observed"], &used_up["text"]), (&json!("none"), &json!("no boot override")));
    rig.stop().await;
}

#[tokio::test]
async fn the_light_blinks_and_stops() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let on = rig.on(bmc.address(), "identify", json!({"ipmi/identify-duration": 30.0})).await.unwrap();
    assert_eq!((&on["requested"], &on["verified"]), (&json!("identify for 30 s"), &json!(true)), "{on}");
    assert_eq!(bmc.identify(), Some(drp_ipmi::Identify::Seconds(30)));
    assert_eq!(rig.good(bmc.address(), "identifyoff").await["observed"], "off");
    assert_eq!(bmc.identify(), None);
    rig.stop().await;
}

#[tokio::test]
async fn bmcinfo_says_what_it_is_and_over_which_suite() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let info = rig.good(bmc.address(), "bmcinfo").await;
    assert_eq!(info["details"]["session"], "cipher suite 17");
    assert_eq!(
        (&info["details"]["device_id"], &info["details"]["protocol_version"]),
        (&json!(32), &json!("2.0"))
    );
    rig.stop().await;
}

#[tokio::test]
async fn a_plan_sends_nothing() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let plan = rig.on(bmc.address(), "powerplan", json!({"ipmi/plan-verb": "powersoft"})).await.unwrap();
    let steps = plan["details"]["verbs"]["powersoft"].as_array().unwrap();
    assert_eq!(steps.len(), 5);
    assert_eq!(steps[1]["request"], "IPMI netfn 0x00 cmd 0x02, data 05");
    assert_eq!((&plan["state"], &plan["verified"]), (&json!("unknown"), &json!(false)));
    let all = rig.good(bmc.address(), "powerplan").await;
    let all = all["details"]["verbs"].as_object().unwrap();
    assert!(all.len() == 39 && all["getBios"] == json!([]), "{}", all.len());
    assert_eq!(bmc.counts().datagrams, 0);
    rig.stop().await;
}

#[tokio::test]
async fn suites_are_what_was_asked_for_and_a_refusal_is_shown() {
    let rig = Rig::start().await;
    let old = simulator(|config| config.suites = vec![CipherSuite::Suite3]).await;
    let auto = rig.good(old.address(), "bmcinfo").await;
    assert_eq!(auto["details"]["session"], "cipher suite 3");
    let shown = attempts(&auto);
    assert!(shown[0].contains("suite 17") && shown[0].contains("suite 3 was asked for instead"), "{auto}");
    let only17 = simulator(|config| config.suites = vec![CipherSuite::Suite3]).await;
    let refused =
        rig.on(only17.address(), "powerstatus", json!({"ipmi/cipher-suite": 17})).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (501, "UNSUPPORTED"), "{refused}");
    assert!(refused.to_string().contains("ipmi/cipher-suite"), "{refused}");
    assert_eq!(only17.counts().logins, 0);
    let only3 = simulator(|config| config.suites = vec![CipherSuite::Suite17]).await;
    let refused =
        rig.on(only3.address(), "powerstatus", json!({"ipmi/cipher-suite": "3"})).await.unwrap_err();
    assert_eq!(refused.code, 501, "{refused}");
    // A BMC that answers with another suite than asked for is not talked to over it.
    let liar =
        simulator(|config| config.faults = vec![Rule::new(On::Open, Effect::WrongSuite { suite: 0 })]).await;
    let refused = rig.on(liar.address(), "powerstatus", json!({"ipmi/cipher-suite": 3})).await.unwrap_err();
    assert_eq!(refused.code, 501, "{refused}");
    assert_eq!((liar.counts().logins, liar.counts().commands), (0, 0));
    let refused = rig.on(liar.address(), "powerstatus", json!({})).await.unwrap_err();
    assert_eq!(refused.code, 501, "{refused}");
    assert_eq!((liar.counts().logins, liar.counts().commands), (0, 0));
    rig.stop().await;
}

#[tokio::test]
async fn auto_mode_shows_the_drivers_it_passed_over() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let status = rig.on(bmc.address(), "powerstatus", json!({"ipmi/mode": "auto"})).await.unwrap();
    assert_eq!(status["attempts"][0]["driver"], "redfish");
    assert_eq!(status["driver"], "ipmi");
    assert_eq!(
        rig.on(bmc.address(), "powerstatus", json!({"ipmi/mode": "ipmitool"})).await.unwrap()["state"],
        "off"
    );
    rig.stop().await;
}
