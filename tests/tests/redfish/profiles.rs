//! Each vendor's ways: the same verbs, the same results.

use crate::rig::{Rig, simulator};
use drp_bmc_sim::{BmcConfig, Profile, Simulator};
use serde_json::{Value, json};
use std::time::Duration;

const URL: &str = "http://127.0.0.1/images/rescue.iso";

#[tokio::test]
async fn power_boot_media_and_inventory_of_every_profile() {
    let rig = Rig::start().await;
    for profile in Profile::names() {
        // Long enough to be seen by whoever reads, on a loaded machine, too.
        let bmc = simulator(profile, |config| config.cycle_off = Duration::from_millis(2500)).await;
        let say = |verb: &str, outcome: &Value| format!("{profile} {verb}: {outcome}");
        let run = async |verb: &str, more: Value| {
            rig.on(&bmc, verb, more).await.unwrap_or_else(|e| panic!("{profile} {verb}: {e}"))
        };
        for (verb, state) in [
            ("powerstatus", "off"),
            ("poweron", "on"),
            ("poweron", "on"),
            ("powercycle", "on"),
            ("powersoft", "off"),
            ("powersoft", "off"),
            ("poweron", "on"),
            ("poweroff", "off"),
            ("poweroff", "off"),
        ] {
            let outcome = run(verb, json!({})).await;
            assert_eq!(
                (&outcome["state"], &outcome["verified"]),
                (&json!(state), &json!(true)),
                "{}",
                say(verb, &outcome)
            );
        }
        run("poweron", json!({})).await;
        assert_eq!(run("powerreset", json!({})).await["state"], "on");
        assert_eq!(run("nmi", json!({})).await["observed"], "accepted");

        for (verb, device) in [
            ("nextbootpxe", "pxe"),
            ("forcebootdisk", "disk"),
            ("nextbootcd", "cd"),
            ("nextbootbios", "bios"),
        ] {
            let outcome = run(verb, json!({"detected-bios-mode": "uefi"})).await;
            assert_eq!(
                (&outcome["observed"], &outcome["verified"]),
                (&json!(device), &json!(true)),
                "{}",
                say(verb, &outcome)
            );
            assert_eq!(run("bootstatus", json!({})).await["observed"], device, "{profile}");
        }
        assert_eq!(run("identify", json!({})).await["verified"], true, "{profile}");
        assert!(bmc.identify().is_some());
        assert_eq!(run("identifyoff", json!({})).await["verified"], true, "{profile}");

        let media = json!({"ipmi/virtual-media-url": URL, "ipmi/virtual-media-boot": true});
        let mounted = run("mountVirtualMedia", media.clone()).await;
        assert_eq!(
            (&mounted["observed"], &mounted["verified"]),
            (&json!(URL), &json!(true)),
            "{}",
            say("mount", &mounted)
        );
        let cd = Profile::named(profile)
            .unwrap()
            .media
            .slots
            .into_iter()
            .find(|s| s.types.iter().any(|t| t == "CD"));
        assert_eq!(bmc.media(&cd.unwrap().id).as_deref(), Some(URL), "{profile}: the slot for CDs holds it");
        assert_eq!(run("bootstatus", json!({})).await["observed"], "cd", "{profile}");
        let other =
            json!({"ipmi/virtual-media-url": "http://127.0.0.1/other.iso", "ipmi/virtual-media-boot": false});
        let refused = rig.on(&bmc, "mountVirtualMedia", other).await.unwrap_err();
        assert_eq!((refused.code, refused.r#type.as_str()), (409, "STATE"), "{profile}: {refused}");
        assert_eq!(run("unmountVirtualMedia", json!({})).await["verified"], true, "{profile}");
        assert_eq!(run("statusVirtualMedia", json!({})).await["details"]["inserted"], false, "{profile}");
        assert_eq!((bmc.counts().inserts, bmc.counts().ejects), (1, 1), "{profile}");

        for (verb, pointer) in [
            ("getInfo", "/details/UUID"),
            ("getBoot", "/details/BootSourceOverrideTarget"),
            ("getBios", "/details/Attributes/BootMode"),
            ("getMemory", "/details/3/CapacityMiB"),
            ("getProcessor", "/details/1/Model"),
            ("getStorage", "/details/0/Drives"),
            ("getSimpleStorage", "/details/0/Devices"),
            ("getNetworkInterfaces", "/details/0/Id"),
            ("getEthernetInterfaces", "/details/1/MACAddress"),
            ("getSecureBoot", "/details/SecureBootEnable"),
        ] {
            let outcome = run(verb, json!({})).await;
            assert!(outcome.pointer(pointer).is_some_and(|v| !v.is_null()), "{}", say(verb, &outcome));
        }
        let health = run("status", json!({})).await;
        for part in ["Status", "ProcessorStatus", "MemoryStatus", "StorageStatus", "EthernetStatus"] {
            assert_eq!(health["details"][part], "OK", "{}", say("status", &health));
        }
        let info = run("bmcinfo", json!({})).await;
        let firmware = Profile::named(profile).unwrap().firmware;
        assert!(info["details"]["firmware"] == firmware.as_str(), "{}", say("bmcinfo", &info));
        assert_eq!(run("bmcreset", json!({})).await["observed"], "accepted", "{profile}");
        assert_eq!(run("powerstatus", json!({})).await["state"], "on", "{profile}: after the BMC's restart");
        let counts = bmc.counts();
        assert_eq!(
            (counts.redfish_logins, counts.redfish_most_sessions),
            (2, 1),
            "{profile}: one before the restart, one after"
        );
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_service_that_answers_202_is_followed() {
    let rig = Rig::start().await;
    let mut profile = Profile::named("generic").unwrap();
    (profile.acted, profile.task_ms) = (202, 400);
    let config =
        BmcConfig { ipmi: false, ..BmcConfig::new(crate::rig::USER, crate::rig::PASSWORD.to_owned()) };
    let bmc = Simulator::start(config.with_redfish(profile)).await.unwrap();
    let on = rig.good(&bmc, "poweron").await;
    assert_eq!((&on["state"], &on["verified"]), (&json!("on"), &json!(true)));
    assert!(bmc.log().iter().any(|entry| entry.what == "redfish-task"), "the monitor was asked");
    rig.stop().await;
}

#[tokio::test]
async fn both_protocols_lead_to_one_machine() {
    let rig = Rig::start().await;
    let bmc = simulator("idrac", |config| config.ipmi = true).await;
    let by_ipmi = json!({"ipmi/mode": "ipmi", "ipmi/port-ipmitool": bmc.address().port(), "ipmi/timeout": 2});
    assert_eq!(rig.on(&bmc, "poweron", by_ipmi.clone()).await.unwrap()["state"], "on");
    assert_eq!(rig.good(&bmc, "powerstatus").await["state"], "on");
    assert_eq!(rig.good(&bmc, "nextbootpxe").await["verified"], true);
    assert_eq!(rig.on(&bmc, "bootstatus", by_ipmi.clone()).await.unwrap()["observed"], "pxe");
    assert_eq!(rig.good(&bmc, "identify").await["verified"], true);
    assert_eq!(rig.good(&bmc, "poweroff").await["state"], "off");
    assert_eq!(rig.on(&bmc, "powerstatus", by_ipmi).await.unwrap()["state"], "off");
    let counts = bmc.counts();
    assert_eq!((counts.power_ups, counts.power_downs), (1, 1));
    assert_eq!((counts.logins, counts.redfish_logins), (1, 1));
    rig.stop().await;
    assert_eq!((bmc.active_sessions(), bmc.redfish_sessions()), (0, 0));
}
