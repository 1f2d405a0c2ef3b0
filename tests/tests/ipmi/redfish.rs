//! The Redfish driver against sushy-tools: TLS, trust, power read back, mode `auto`.

use crate::rig::{PASSWORD, Rig, USER, attempts, simulator};
use drp_bmc_sim::{Identity, Profile, RedfishConfig, Simulator};
use drp_tests::peers::{Access, Sushy};
use serde_json::{Value, json};
use std::net::Ipv4Addr;

fn login(sushy: &Sushy, more: Value) -> Value {
    let mut params = json!({
        "ipmi/address": "127.0.0.1",
        "ipmi/port-redfish": sushy.address().port(),
        "ipmi/username": USER,
        "ipmi/password": PASSWORD,
        "ipmi/mode": "redfish",
        "ipmi/min-gap": 0,
        "ipmi/redfish-timeout": 10,
        "ipmi/verify-timeout": 25,
        "ipmi/timeout": 1,
    });
    for (name, value) in more.as_object().unwrap() {
        params[name] = value.clone();
    }
    params
}

#[tokio::test]
async fn power_is_changed_and_read_back() {
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    let rig = Rig::start().await;
    let run = async |verb: &str| {
        let params = login(&sushy, json!({"ipmi/tls-verify": "plain", "detected-bios-mode": ""}));
        rig.raw(verb, params).await.unwrap_or_else(|e| panic!("{verb}: {e}"))
    };
    let on = run("poweron").await;
    assert_eq!(
        (&on["state"], &on["verified"], &on["driver"]),
        (&json!("on"), &json!(true), &json!("redfish")),
        "{on}"
    );
    assert!(attempts(&on)[0].contains("Basic"), "{on}");
    assert!(run("poweron").await["text"].as_str().unwrap().contains("already"));
    let pxe = run("nextbootpxe").await;
    assert_eq!((&pxe["observed"], &pxe["verified"]), (&json!("pxe"), &json!(true)), "{pxe}");
    // It reads back Continuous whatever was asked, which is shown and not hidden.
    assert_eq!(pxe["details"]["kept"]["persistent"], true, "{pxe}");
    assert_eq!(run("identify").await["verified"], true);
    assert_eq!(run("identifyoff").await["verified"], true);
    let info = run("getInfo").await;
    assert_eq!(info["details"]["UUID"].as_str().map(str::len), Some(36), "{info}");
    assert_eq!(run("getBoot").await["details"]["BootSourceOverrideTarget"], "Pxe");
    assert!(run("bmcinfo").await["details"]["protocol_version"].as_str().is_some_and(|v| v.starts_with('1')));
    assert_eq!(run("status").await["details"]["Status"], "OK");
    let off = run("poweroff").await;
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)), "{off}");
    assert!(!sushy.output().contains(PASSWORD));
    rig.stop().await;
}

#[tokio::test]
async fn a_certificate_is_verified_pinned_or_recorded_on_first_use() {
    let Some(sushy) = Sushy::start(Access::TlsBasic, 1) else { return };
    let rig = Rig::start().await;
    let run = async |more: Value| rig.raw("powerstatus", login(&sushy, more)).await;
    let refused = run(json!({})).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (502, "CERTIFICATE"), "{refused}");
    let text = refused.to_string();
    let pin = &text[text.find("SHA256:").expect("the fingerprint is shown")..][..71];
    assert_eq!(run(json!({"ipmi/tls-fingerprint": pin})).await.unwrap()["state"], "off");
    assert_eq!(run(json!({"ipmi/tls-ca": sushy.certificate()})).await.unwrap()["state"], "off");
    assert_eq!(run(json!({"ipmi/tls-verify": "off"})).await.unwrap()["state"], "off");
    let other = run(json!({"ipmi/tls-fingerprint": "ab".repeat(32)})).await.unwrap_err();
    assert!(other.code == 502 && other.to_string().contains("not the pinned one"), "{other}");
    rig.stop().await;
}

#[tokio::test]
async fn auto_tries_redfish_then_ipmi_and_remembers_the_winner() {
    let (rig, bmc) = (Rig::start().await, simulator(|_| {}).await);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut params = crate::rig::login(bmc.address());
    params["ipmi/mode"] = json!("auto");
    params["ipmi/port-redfish"] = json!(closed);
    // Where a certificate would be looked at first, nobody listens: that, too, leads on to the next driver.
    let mut recording = params.clone();
    recording["ipmi/tls-verify"] = json!("first-use");
    let led_on = rig.raw("powerstatus", recording).await.unwrap();
    assert_eq!((&led_on["driver"], attempts(&led_on).len()), (&json!("ipmi"), 2), "{led_on}");
    let rig = {
        rig.stop().await;
        Rig::start().await
    };
    let first = rig.raw("powerstatus", params.clone()).await.unwrap();
    assert_eq!(
        (&first["driver"], &first["attempts"][0]["driver"]),
        (&json!("ipmi"), &json!("redfish")),
        "{first}"
    );
    assert!(attempts(&first)[0].contains("cannot be reached"), "{first}");
    let second = rig.raw("powerstatus", params.clone()).await.unwrap();
    assert_eq!(
        (second["attempts"].as_array().unwrap().len(), &second["driver"]),
        (1, &json!("ipmi")),
        "{second}"
    );
    // A refusal is the last word: the same credentials are not carried to the next driver.
    params["ipmi/password"] = json!("wrong-canary");
    params["ipmi/driver-order"] = json!(["ipmi", "redfish"]);
    let refused = rig.raw("powerstatus", params).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (401, "CREDENTIALS"), "{refused}");
    rig.stop().await;
}

/// One machine through IPMI and through Redfish with TLS, and params for mode `auto`.
async fn both_ways() -> (Simulator, Value) {
    let identity = Identity::generate(Ipv4Addr::LOCALHOST.into()).unwrap();
    let bmc = simulator(|config| {
        config.redfish = Some(RedfishConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            identity: Some(identity),
            profile: Profile::named("generic").unwrap().into(),
        });
    })
    .await;
    let mut params = crate::rig::login(bmc.address());
    params["ipmi/mode"] = json!("auto");
    params["ipmi/port-redfish"] = json!(bmc.redfish_address().unwrap().port());
    (bmc, params)
}

#[tokio::test]
async fn auto_ends_at_a_certificate_that_is_not_the_one_asked_for() {
    let (rig, (bmc, params)) = (Rig::start().await, both_ways().await);
    // Nobody said which certificate to believe: the next driver may, and it is remembered.
    let led_on = rig.raw("powerstatus", params.clone()).await.unwrap();
    assert_eq!((&led_on["driver"], &led_on["state"]), (&json!("ipmi"), &json!("off")), "{led_on}");
    let other = Identity::generate(Ipv4Addr::LOCALHOST.into()).unwrap();
    bmc.clear_log();
    for (name, value) in
        [("ipmi/tls-fingerprint", json!("ab".repeat(32))), ("ipmi/tls-ca", json!(other.pem()))]
    {
        let mut named = params.clone();
        named[name] = value;
        for verb in ["poweron", "powerstatus"] {
            let refused = rig.raw(verb, named.clone()).await.unwrap_err();
            assert_eq!(
                (refused.code, refused.r#type.as_str()),
                (502, "CERTIFICATE"),
                "{name} {verb}: {refused}"
            );
        }
    }
    let counts = bmc.counts();
    assert_eq!((bmc.power(), counts.power_ups), (false, 0));
    assert!(bmc.log().iter().all(|request| !request.method.is_empty()), "IPMI was asked");
    // Where no Redfish answers there is no certificate to distrust.
    let mut unreachable = params.clone();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    unreachable["ipmi/port-redfish"] = json!(closed);
    unreachable["ipmi/tls-fingerprint"] = json!("ab".repeat(32));
    assert_eq!(rig.raw("powerstatus", unreachable).await.unwrap()["driver"], "ipmi");
    rig.stop().await;
}

#[tokio::test]
async fn plain_against_a_port_with_tls_says_which_param() {
    let (rig, (_bmc, mut params)) = (Rig::start().await, both_ways().await);
    params["ipmi/mode"] = json!("redfish");
    params["ipmi/tls-verify"] = json!("plain");
    let refused = rig.raw("powerstatus", params).await.unwrap_err();
    assert!(refused.to_string().contains("ipmi/tls-verify is plain"), "{refused}");
    rig.stop().await;
}

#[tokio::test]
async fn a_wrong_password_is_tried_once() {
    let Some(sushy) = Sushy::start(Access::Basic, 1) else { return };
    let rig = Rig::start().await;
    let wrong = json!({"ipmi/tls-verify": "plain", "ipmi/password": "wrong-canary"});
    let refused = rig.raw("poweron", login(&sushy, wrong.clone())).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (401, "CREDENTIALS"), "{refused}");
    let tried = sushy.output().matches(" 401 ").count();
    let locked = rig.raw("poweron", login(&sushy, wrong.clone())).await.unwrap_err();
    assert_eq!((locked.code, locked.r#type.as_str()), (401, "LOCKED"), "{locked}");
    assert_eq!(sushy.output().matches(" 401 ").count(), tried, "it was not sent again");
    assert_eq!(rig.raw("unlock", login(&sushy, wrong)).await.unwrap()["unlocked"], true);
    let right = json!({"ipmi/tls-verify": "plain"});
    assert_eq!(rig.raw("powerstatus", login(&sushy, right)).await.unwrap()["state"], "off");
    rig.stop().await;
}
