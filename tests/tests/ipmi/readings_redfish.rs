//! Sensors, event log, users and network settings over Redfish: the simulator with each vendor's shapes, and sushy-tools.

use crate::rig::Rig;
use drp_bmc_sim::{BmcConfig, Profile, Simulator};
use drp_tests::peers::{Access, PASSWORD, Sushy, USER};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

async fn simulator(profile: &str, powered: bool) -> Simulator {
    let mut config = BmcConfig::new(USER, PASSWORD.to_owned()).with_redfish(Profile::named(profile).unwrap());
    config.powered = powered;
    Simulator::start(config).await.unwrap()
}

fn login(address: SocketAddr) -> Value {
    json!({
        "ipmi/address": address.ip().to_string(), "ipmi/port-redfish": address.port(), "ipmi/username": USER,
        "ipmi/password": PASSWORD, "ipmi/mode": "redfish", "ipmi/tls-verify": "plain", "ipmi/min-gap": 0,
        "ipmi/redfish-timeout": 10, "ipmi/verify-timeout": 5,
    })
}

async fn good(rig: &Rig, bmc: &Simulator, verb: &str) -> Value {
    let address = bmc.redfish_address().unwrap();
    rig.raw(verb, login(address)).await.unwrap_or_else(|error| panic!("{verb}: {error}"))
}

#[tokio::test]
async fn a_service_that_takes_its_time_gives_what_there_was_time_for() {
    let rig = Rig::start().await;
    let config = BmcConfig::new(USER, PASSWORD.to_owned()).with_redfish(Profile::named("generic").unwrap());
    // Each sensor is one request of its own: nine of them take longer than three answers may.
    let bmc = Simulator::start(BmcConfig { latency: Duration::from_millis(1_200), ..config }).await.unwrap();
    let mut params = login(bmc.redfish_address().unwrap());
    params["ipmi/redfish-timeout"] = json!(3);
    let answer = rig.raw("sensors", params).await.unwrap();
    let (details, missing) = (&answer["details"], &answer["details"]["missing"]);
    assert!(details["sensors"].as_array().unwrap().len() < 9, "{answer}");
    assert!(missing.as_str().unwrap().contains("no time"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn every_vendor_shape_becomes_the_same_form() {
    let rig = Rig::start().await;
    for profile in Profile::names() {
        let bmc = simulator(profile, true).await;
        let answer = good(&rig, &bmc, "sensors").await;
        let list = answer["details"]["sensors"].as_array().unwrap();
        let of = |name: &str| {
            list.iter().find(|s| s["name"] == name).unwrap_or_else(|| panic!("{profile}: {answer}"))
        };
        let cpu = of("CPU1 Temp");
        assert_eq!(
            (&cpu["kind"], &cpu["value"], &cpu["unit"], &cpu["status"]),
            (&json!("temperature"), &json!(48.0), &json!("C"), &json!("ok")),
            "{profile}: {cpu}"
        );
        assert_eq!(cpu["thresholds"]["upper_critical"], 95.0, "{profile}: {cpu}");
        let fan = of("Fan 1");
        assert_eq!(
            (&fan["kind"], &fan["value"], &fan["unit"]),
            (&json!("fan"), &json!(5400.0), &json!("rpm")),
            "{fan}"
        );
        assert_eq!((&of("12V")["value"], &of("12V")["unit"]), (&json!(12.1), &json!("V")), "{profile}");

        let log = good(&rig, &bmc, "sel").await;
        let entries = log["details"]["entries"].as_array().unwrap();
        assert_eq!((&log["details"]["total"], entries.len()), (&json!(3), 3), "{profile}: {log}");
        // Oldest first, whatever order the service has.
        assert_eq!(entries[0]["time"], "2026-01-05T08:00:00Z", "{profile}: {log}");
        assert_eq!(
            (&entries[2]["severity"], &entries[2]["event"]),
            (&json!("warning"), &json!("Fan 2 is below its lower warning limit.")),
            "{profile}"
        );

        let users = good(&rig, &bmc, "users").await;
        let list = users["details"]["users"].as_array().unwrap();
        assert_eq!(list.len(), 1, "{profile}: {users}");
        assert_eq!(
            (&list[0]["name"], &list[0]["privilege"]),
            (&json!(USER), &json!("administrator")),
            "{profile}"
        );
        assert_eq!(list[0]["enabled"], true, "{profile}");

        let lan = good(&rig, &bmc, "lan").await;
        let interface = &lan["details"]["interfaces"][0];
        assert_eq!(interface["ipv4"]["source"], "static", "{profile}: {lan}");
        assert!(interface["ipv4"]["address"].as_str().unwrap().starts_with("192.0.2."), "{profile}: {lan}");
        assert!(interface["mac"].as_str().unwrap().starts_with("02:42:ff:00:"), "{profile}: {lan}");
        for answer in [answer, log, users, lan] {
            assert!(!answer.to_string().contains(PASSWORD) && answer["driver"] == "redfish", "{profile}");
        }
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_machine_that_is_off_has_sensors_without_readings() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", false).await;
    let answer = good(&rig, &bmc, "sensors").await;
    let list = answer["details"]["sensors"].as_array().unwrap();
    let cpu = list.iter().find(|s| s["name"] == "CPU1 Temp").unwrap();
    assert_eq!((&cpu["value"], &cpu["status"]), (&Value::Null, &json!("unreadable")), "{cpu}");
    assert!(!cpu["why"].as_str().unwrap().is_empty());
    assert!(answer["text"].as_str().unwrap().contains("unreadable"), "{answer}");
    rig.stop().await;
}

#[tokio::test]
async fn the_log_is_cleared_once_and_read_back() {
    let rig = Rig::start().await;
    for profile in Profile::names() {
        let bmc = simulator(profile, true).await;
        let answer = good(&rig, &bmc, "selclear").await;
        assert_eq!(
            (&answer["verified"], &answer["observed"]),
            (&json!(true), &json!("empty")),
            "{profile}: {answer}"
        );
        assert_eq!(
            (answer["details"]["removed"].as_u64(), bmc.counts().log_clears),
            (Some(3), 1),
            "{profile}"
        );
        let again = good(&rig, &bmc, "selclear").await;
        assert!(again["text"].as_str().unwrap().contains("nothing was sent"), "{profile}: {again}");
        assert_eq!(bmc.counts().log_clears, 1, "{profile}");
    }
    rig.stop().await;
}

/// sushy-tools has no log, no accounts, and no sensors of a fake machine: clear answers, and the plugin goes on.
#[tokio::test]
async fn what_sushy_does_not_have_is_said() {
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    let rig = Rig::start().await;
    for verb in ["sel", "selclear", "users"] {
        let error = rig.raw(verb, login(sushy.address())).await.unwrap_err();
        assert!(matches!(error.code, 501 | 502), "{verb}: {error}");
        assert!(error.messages[2].starts_with("What to do: "), "{verb}: {error}");
    }
    for verb in ["sensors", "lan"] {
        match rig.raw(verb, login(sushy.address())).await {
            Ok(answer) => assert!(answer["details"].is_object(), "{verb}: {answer}"),
            Err(error) => assert!(matches!(error.code, 501 | 502), "{verb}: {error}"),
        }
    }
    assert_eq!(rig.raw("powerstatus", login(sushy.address())).await.unwrap()["state"], "off");
    rig.stop().await;
}
