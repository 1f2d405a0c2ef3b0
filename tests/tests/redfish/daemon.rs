//! The whole path over Redfish: REST → daemon → ipmi plugin → HTTPS → simulated BMC.

use crate::rig::{PASSWORD, USER};
use drp_bmc_sim::{BmcConfig, Effect, Identity, On, Op, Profile, RedfishConfig, Rule, Simulator};
use drp_tests::canary::Canary;
use drp_tests::daemon::{Answer, Daemon, answer};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

const WRONG: &str = "wrong-canary-4711";

/// An iDRAC-like BMC with TLS.
async fn bmc(listen: SocketAddr) -> (Simulator, Identity) {
    let identity = Identity::generate(listen.ip()).unwrap();
    let redfish = RedfishConfig {
        listen,
        identity: Some(identity.clone()),
        profile: Arc::new(Profile::named("idrac").unwrap()),
    };
    let config =
        BmcConfig { ipmi: false, redfish: Some(redfish), ..BmcConfig::new(USER, PASSWORD.to_owned()) };
    (Simulator::start(config).await.unwrap(), identity)
}

/// A daemon with the plugin, and a machine whose BMC listens there.
async fn with_machine(at: SocketAddr) -> Daemon {
    let daemon = Daemon::builder().plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    let machine = json!({"Name": "node-1", "Params": {
        "ipmi/address": "127.0.0.1", "ipmi/username": USER, "ipmi/mode": "redfish", "ipmi/port-redfish": at.port(),
        "ipmi/tls-verify": "first-use", "ipmi/redfish-timeout": 3, "ipmi/verify-timeout": 8, "ipmi/soft-timeout": 1,
        "ipmi/virtual-media-url": "http://127.0.0.1/a.iso", "ipmi/virtual-media-boot": true,
    }});
    daemon.expect(201, "POST", "machines", machine).await;
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(PASSWORD)).await;
    daemon
}

async fn act(daemon: &Daemon, verb: &str) -> Answer {
    let path = format!("/api/v3/machines/Name:node-1/actions/{verb}");
    answer(daemon.request("POST", &path).json(&json!({})).timeout(Duration::from_secs(120))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_recorded_on_first_use_and_another_one_refused() {
    let (first, identity) = bmc((Ipv4Addr::LOCALHOST, 0).into()).await;
    let at = first.redfish_address().unwrap();
    let daemon = with_machine(at).await;
    let on = act(&daemon, "poweron").await;
    assert_eq!(on.status, 200, "{}", on.text());
    assert_eq!((&on.json()["state"], &on.json()["verified"]), (&json!("on"), &json!(true)));
    let pinned = daemon.get("machines/Name:node-1/params/ipmi/tls-fingerprint").await;
    assert_eq!(pinned, json!(identity.fingerprint()));
    // The reset is done and its answer lost: counted once, and said as it is.
    first.set_faults([Rule::new(On::Redfish(Op::Reset), Effect::LoseReply).times(1)]);
    let reset = act(&daemon, "powerreset").await;
    assert_eq!((reset.status, first.counts().resets), (504, 1), "{}", reset.text());
    assert!(reset.text().contains("sent but not confirmed"), "{}", reset.text());

    // Somebody else answers at that address: no credentials leave.
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    let (second, other) = bmc(at).await;
    let refused = act(&daemon, "poweroff").await;
    assert_eq!(refused.status, 502, "{}", refused.text());
    assert!(refused.text().contains("not the pinned one"), "{}", refused.text());
    assert_ne!(identity.fingerprint(), other.fingerprint());
    assert_eq!(second.counts().redfish_requests, 0);
    let told = refused.text();
    assert!(told.contains(other.fingerprint()), "what it showed is said: {told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_turn_up_nowhere() {
    let (bmc, _) = bmc((Ipv4Addr::LOCALHOST, 0).into()).await;
    let daemon = with_machine(bmc.redfish_address().unwrap()).await;
    let provider = drp_plugin_testkit::define(drp_tests::daemon::binary("ipmi")).await.unwrap();
    let verbs: Vec<String> = provider.available_actions.iter().map(|a| a.command.clone()).collect();
    assert!(verbs.len() > 35, "{verbs:?}");
    let canary = Canary::new(&[PASSWORD, WRONG]);
    let mut events = canary.events(&daemon).await;
    let watch = canary.watch(daemon.pid());
    let trouble: [Vec<Rule>; 4] = [
        vec![],
        vec![Rule::new(
            On::Redfish(Op::Change),
            Effect::Http { status: 400, message: Some("GeneralError".into()), retry_after: None },
        )],
        vec![Rule::new(On::Redfish(Op::System), Effect::Short { len: 30 })],
        vec![Rule::new(On::Redfish(Op::Login), Effect::Garbage)],
    ];
    for rules in trouble {
        bmc.forget_sessions();
        bmc.set_faults(rules.clone());
        for verb in &verbs {
            let done = act(&daemon, verb).await;
            canary.look("result", format!("{verb} {} {}", done.status, done.text()));
        }
    }
    bmc.set_faults([]);
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(WRONG)).await;
    for _ in 0..2 {
        let refused = act(&daemon, "poweron").await;
        assert_eq!(refused.status, 401, "{}", refused.text());
        canary.look("error", refused.text());
    }
    assert_eq!(bmc.counts().redfish_refused, 1);
    canary.look("error", act(&daemon, "unlock").await.text());
    canary.look("request log", serde_json::to_string(&bmc.log()).unwrap());
    let whole: Value = daemon.get("machines/Name:node-1?aggregate=true").await;
    canary.look("object", whole.to_string());
    canary.end_of(&daemon, &mut events).await;
    events.close().await;
    canary.stop(watch);
    canary.check(&[
        "result",
        "error",
        "object",
        "request log",
        "event",
        "daemon log",
        "argv",
        "environment",
        "file",
    ]);
}
