//! Every error code of plugins §2.1, each with what happened, whose fault it is and what to do.

use crate::rig::{PASSWORD, Rig, attempts, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_protocol::Error;
use serde_json::json;
use std::time::{Duration, Instant};

/// An error with this code, in three sentences.
fn is(error: &Error, code: u16, kind: &str) {
    assert_eq!((error.code, error.r#type.as_str()), (code, kind), "{error}");
    assert!(error.messages[1].starts_with("Whose fault: "), "{error}");
    assert!(error.messages[2].starts_with("What to do: "), "{error}");
    assert!(!error.to_string().contains(PASSWORD), "{error}");
}

#[tokio::test]
async fn bad_params_are_named() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    for (name, value) in [
        ("ipmi/address", json!("not an address")),
        ("ipmi/address", json!(null)),
        ("ipmi/username", json!("far-too-long-a-name")),
        ("ipmi/password", json!(17)),
        ("ipmi/port-ipmitool", json!("many")),
        ("ipmi/mode", json!({"a": 1})),
        ("ipmi/mode", json!("carrier-pigeon")),
        ("ipmi/cipher-suite", json!(0)),
        ("ipmi/kg", json!("0xzz")),
        ("ipmi/timeout", json!(1e30)),
        ("ipmi/verify-timeout", json!(-5)),
        ("ipmi/identify-duration", json!(1000)),
    ] {
        for verb in ["poweron", "powerstatus", "identify"] {
            let error = rig.on(bmc.address(), verb, json!({ name: value })).await.unwrap_err();
            assert_eq!(error.code, 400, "{error}");
            assert!(error.to_string().contains(name), "{error}");
        }
    }
    // Whatever arrives, the plugin lives on and nothing was sent.
    for odd in
        [json!({}), json!({"ipmi/address": []}), json!({"ipmi/mode": "auto", "ipmi/driver-order": "ipmi"})]
    {
        assert_eq!(rig.raw("poweron", odd).await.unwrap_err().code, 400);
    }
    assert_eq!(bmc.counts().datagrams, 0);
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    rig.stop().await;
}

#[tokio::test]
async fn what_no_driver_can_do_is_said_by_name() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    is(&rig.on(bmc.address(), "makecoffee", json!({})).await.unwrap_err(), 404, "UNKNOWN");
    for verb in ["status", "getBios", "mountVirtualMedia", "nextboothttp"] {
        let error = rig.on(bmc.address(), verb, json!({})).await.unwrap_err();
        is(&error, 501, "UNSUPPORTED");
        assert!(error.messages[0].contains(&format!("driver ipmi cannot {verb}")), "{error}");
        assert!(error.to_string().contains("set ipmi/mode to redfish, which can"), "{error}");
    }
    // The BMC itself has no such command (IPMI 2.0 §5.2, completion code 0xC1).
    bmc.set_faults([Rule::new(On::Command(0, 4), Effect::Completion { code: 0xc1 })]);
    is(&rig.on(bmc.address(), "identify", json!({})).await.unwrap_err(), 501, "UNSUPPORTED");
    rig.stop().await;
}

#[tokio::test]
async fn a_refusal_of_the_bmc_is_told_in_words() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| config.powered = true).await;
    bmc.set_faults([Rule::new(On::Command(0, 2), Effect::Completion { code: 0xd4 })]);
    let error = rig.on(bmc.address(), "poweroff", json!({})).await.unwrap_err();
    is(&error, 502, "REFUSED");
    assert!(error.messages[0].contains("insufficient privilege"), "{error}");
    assert!(bmc.power());
    bmc.set_faults([Rule::new(On::Command(0, 2), Effect::Completion { code: 0xc0 }).times(2)]);
    let outcome = rig.good(bmc.address(), "poweroff").await;
    assert!(attempts(&outcome)[0].contains("busy"), "{outcome}");
    assert_eq!(bmc.counts().power_downs, 1);
    bmc.set_faults([Rule::new(On::Command(0, 2), Effect::Completion { code: 0xc0 })]);
    is(&rig.on(bmc.address(), "poweron", json!({})).await.unwrap_err(), 502, "BMC_BUSY");
    assert_eq!(bmc.counts().power_ups, 0);
    let error = rig.on(bmc.address(), "powerreset", json!({})).await.unwrap_err();
    is(&error, 409, "STATE");
    rig.stop().await;
}

#[tokio::test]
async fn answers_that_make_no_sense_are_502() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    bmc.set_faults([Rule::new(On::Command(0, 1), Effect::Short { len: 1 })]);
    is(&rig.on(bmc.address(), "powerstatus", json!({})).await.unwrap_err(), 502, "PROTOCOL");
    bmc.set_faults([Rule::new(On::Command(0, 1), Effect::Trailing { len: 30 })]);
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    bmc.set_faults([Rule::new(On::Command(0, 1), Effect::Foreign)]);
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    rig.stop().await;
}

#[tokio::test]
async fn refused_credentials_are_tried_once_until_they_change_or_unlock() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let wrong = json!({"ipmi/password": "wrong-canary"});
    let error = rig.on(bmc.address(), "poweron", wrong.clone()).await.unwrap_err();
    is(&error, 401, "CREDENTIALS");
    assert!(
        error.messages[0].contains("\"admin\"") && !error.to_string().contains("wrong-canary"),
        "{error}"
    );
    for verb in ["poweron", "powerstatus", "identify", "bmcinfo"] {
        is(&rig.on(bmc.address(), verb, wrong.clone()).await.unwrap_err(), 401, "LOCKED");
    }
    assert_eq!(bmc.counts().opens, 1, "refused credentials were tried again");
    let user = json!({"ipmi/username": "nobody"});
    is(&rig.on(bmc.address(), "powerstatus", user.clone()).await.unwrap_err(), 401, "CREDENTIALS");
    is(&rig.on(bmc.address(), "powerstatus", user).await.unwrap_err(), 401, "LOCKED");
    assert_eq!(bmc.counts().opens, 2);
    // The right password is another credential.
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    let unlocked = rig.on(bmc.address(), "unlock", wrong.clone()).await.unwrap();
    assert_eq!(unlocked["unlocked"], true);
    is(&rig.on(bmc.address(), "powerstatus", wrong).await.unwrap_err(), 401, "CREDENTIALS");
    assert_eq!(rig.good(bmc.address(), "unlock").await["unlocked"], true);
    assert_eq!(rig.good(bmc.address(), "unlock").await["unlocked"], false);
    rig.stop().await;
}

#[tokio::test]
async fn a_wrong_kg_is_a_refused_credential() {
    let rig = Rig::start().await;
    let kg = drp_protocol::Secret::new(b"kg-canary".to_vec());
    let bmc = simulator(|config| config.kg = Some(kg)).await;
    is(&rig.on(bmc.address(), "powerstatus", json!({})).await.unwrap_err(), 401, "CREDENTIALS");
    let error = rig.on(bmc.address(), "powerstatus", json!({"ipmi/kg": "wrong-canary"})).await.unwrap_err();
    is(&error, 401, "CREDENTIALS");
    assert!(!error.to_string().contains("canary"), "{error}");
    let status =
        rig.on(bmc.address(), "powerstatus", json!({"ipmi/kg": "0x6b672d63616e617279"})).await.unwrap();
    assert_eq!(status["state"], "off");
    rig.stop().await;
}

#[tokio::test]
async fn silence_is_504_and_never_off() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    bmc.set_faults([Rule::new(On::Any, Effect::LoseRequest)]);
    let begun = Instant::now();
    is(&rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 1})).await.unwrap_err(), 504, "SILENT");
    assert!(begun.elapsed() < Duration::from_secs(20), "it has a bound");
    // Nobody listens there at all.
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = rig.on(port, "powerstatus", json!({"ipmi/timeout": 1})).await.unwrap_err();
    assert_eq!(error.code, 504, "{error}");
    let error =
        rig.on(port, "powerstatus", json!({"ipmi/address": "no-such-bmc.invalid"})).await.unwrap_err();
    is(&error, 504, "UNREACHABLE");
    assert!(error.messages[0].contains("no-such-bmc.invalid"), "{error}");
    rig.stop().await;
}

#[tokio::test]
async fn some_lost_packets_do_not_matter() {
    let rig = &Rig::start().await;
    let steps = [On::Open, On::Rakp1, On::Rakp3, On::Command(6, 0x3b), On::Command(0, 1)];
    let effects = [Effect::LoseRequest, Effect::LoseReply, Effect::Duplicate];
    let cases = steps.into_iter().flat_map(|on| effects.clone().map(|effect| (on, effect)));
    let cases = cases.map(async |(on, effect)| {
        let bmc = simulator(|_| {}).await;
        bmc.set_faults([Rule::new(on, effect.clone()).times(1)]);
        let result = rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 5})).await;
        assert_eq!(result.unwrap_or_else(|e| panic!("{on:?} {effect:?}: {e}"))["state"], "off");
    });
    futures_util::future::join_all(cases).await;
}

#[tokio::test]
async fn a_late_answer_is_never_taken_for_the_next_one() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    assert_eq!(rig.good(bmc.address(), "powerstatus").await["state"], "off");
    for on in [true, false, true] {
        // This answer comes when the caller has given up.
        bmc.set_faults([Rule::new(On::Command(0, 1), Effect::Late { ms: 1500 }).times(1)]);
        let _late = rig.on(bmc.address(), "powerstatus", json!({"ipmi/timeout": 1})).await;
        bmc.set_power(on);
        let state = rig.good(bmc.address(), "powerstatus").await["state"].clone();
        assert_eq!(state, if on { "on" } else { "off" });
    }
    rig.stop().await;
}

#[tokio::test]
async fn a_bmc_without_free_sessions_is_502_after_a_few_tries() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    bmc.set_faults([Rule::new(On::Open, Effect::Status { code: 1 }).times(1)]);
    let status = rig.good(bmc.address(), "powerstatus").await;
    assert!(attempts(&status)[0].contains("no free session"), "{status}");
    bmc.forget_sessions();
    let other =
        simulator(|config| config.faults = vec![Rule::new(On::Open, Effect::Status { code: 1 })]).await;
    is(&rig.on(other.address(), "powerstatus", json!({})).await.unwrap_err(), 502, "NO_SESSION");
    rig.stop().await;
}

#[tokio::test]
async fn two_power_changes_at_once_are_a_409() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| config.power_delay = Duration::from_secs(2)).await;
    let (first, second) = tokio::join!(rig.on(bmc.address(), "poweron", json!({})), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        rig.on(bmc.address(), "poweroff", json!({})).await
    });
    assert_eq!(first.unwrap()["verified"], true);
    let error = second.unwrap_err();
    is(&error, 409, "CONFLICT");
    assert!(error.messages[0].contains("poweron"), "{error}");
    rig.stop().await;
}

#[tokio::test]
async fn config_needs_a_daemon_that_opens_secure_params() {
    let rig = Rig::start().await;
    rig.daemon.api().set_features(&["api-v3"]);
    let error = rig.plugin.config(json!({})).await.unwrap().nested_error().unwrap();
    assert_eq!((error.code, error.messages[0].as_str()), (500, "dr-provision missing secure-param-upgrade"));
    rig.stop().await;
}

#[tokio::test]
async fn config_needs_a_daemon_that_answers() {
    let rig = Rig::start().await;
    let nowhere = [("RS_ENDPOINT", "https://127.0.0.1:9")];
    let plugin = rig.daemon.launch_with(drp_tests::daemon::binary("ipmi"), "ipmi-2", &nowhere).await.unwrap();
    let error = plugin.config(json!({})).await.unwrap().nested_error().unwrap();
    assert_eq!(error.code, 500, "{error}");
    rig.stop().await;
}
