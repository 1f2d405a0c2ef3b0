//! The lpar driver through a real daemon, against the stand-in HMC of `tests/src/peers/hmc.rs`.

use crate::through::{act, bad, daemon, good};
use drp_tests::canary::Canary;
use drp_tests::daemon::Daemon;
use drp_tests::peers::{Hmc, HmcFault, PARTITIONS, PASSWORD, USER, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

async fn start(hmc: &Hmc) -> Daemon {
    let params = json!({
        "ipmi/address": "127.0.0.1", "ipmi/username": USER, "ipmi/mode": "lpar", "ipmi/port-lpar": hmc.address().port(),
        "ipmi/lpar-id": PARTITIONS[0], "ipmi/tls-ca": hmc.certificate(), "ipmi/min-gap": 0, "ipmi/verify-timeout": 8,
        "ipmi/soft-timeout": 1, "ipmi/lpar-timeout": 10,
    });
    daemon(Daemon::builder(), params).await
}

fn count(hmc: &Hmc, text: &str) -> usize {
    hmc.world().started.iter().filter(|job| job.contains(text)).count()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_does_what_it_says_on_one_session() {
    let hmc = Hmc::start().await;
    let daemon = start(&hmc).await;
    let run = async |verb: &str, state: &str, verified: bool| {
        let result = good(&daemon, verb, json!({})).await;
        assert_eq!(
            (&result["state"], &result["verified"]),
            (&json!(state), &json!(verified)),
            "{verb} {result}"
        );
        assert_eq!(result["driver"], "lpar");
        result
    };
    run("powerstatus", "off", true).await;
    bad(&daemon, "powerreset", json!({}), 409, "STATE").await;
    run("poweron", "on", true).await;
    assert_eq!(
        hmc.world().started,
        [format!("PowerOn {} novsi=true force=false bootmode=norm", PARTITIONS[0])]
    );
    run("poweron", "on", true).await;
    assert_eq!(hmc.world().started.len(), 1, "nothing is sent to a partition that runs");
    run("powerreset", "on", false).await;
    run("powercycle", "on", false).await;
    assert_eq!(count(&hmc, "PowerOff") - count(&hmc, "restart=false"), 2);
    run("nmi", "on", false).await;
    assert_eq!(count(&hmc, "operation=dumprestart"), 1);
    run("powersoft", "off", true).await;
    assert_eq!(count(&hmc, "immediate=false restart=false operation=osshutdown"), 1);
    run("powercycle", "on", true).await;
    hmc.world().heeds = false;
    run("powersoft", "off", true).await;
    assert_eq!(count(&hmc, "immediate=true restart=false operation=shutdown"), 1, "soft, then hard");
    run("poweron", "on", true).await;
    run("poweroff", "off", true).await;
    let info = run("getInfo", "off", true).await;
    assert_eq!(
        (&info["details"]["PartitionName"], &info["details"]["PartitionID"]),
        (&json!("lpar-7"), &json!("7"))
    );
    let info = run("bmcinfo", "off", true).await;
    assert_eq!(
        (&info["details"]["firmware"], &info["details"]["model"]),
        (&json!("V10R2M1040"), &json!("HMC hmc1"))
    );
    // The old driver answered these with success and did nothing.
    for verb in [
        "nextbootpxe",
        "nextbootdisk",
        "nextbootcd",
        "nextbootbios",
        "nextboothttp",
        "forcebootpxe",
        "forcebootdisk",
        "forcebootcd",
        "bootstatus",
        "identify",
        "identifyoff",
        "bmcreset",
        "sensors",
        "sel",
        "users",
        "lan",
        "getBios",
        "status",
    ] {
        let text = bad(&daemon, verb, json!({}), 501, "UNSUPPORTED").await;
        assert!(text.contains("driver lpar cannot"), "{verb}: {text}");
    }
    let plan = good(&daemon, "powerplan", json!({"ipmi/plan-verb": "poweroff"})).await;
    assert!(
        plan["details"]["verbs"]["poweroff"][1]["request"].as_str().unwrap().contains("immediate=true"),
        "{plan}"
    );
    let auto = json!({"ipmi/mode": "auto", "ipmi/driver-order": ["lpar"]});
    assert_eq!(good(&daemon, "powerstatus", auto).await["driver"], "lpar");
    {
        let world = hmc.world();
        assert_eq!((world.logons, world.peak, world.logoffs), (1, 1, 0));
    }
    assert_eq!(hmc.jobs_left(), 0, "jobs that ended are removed");
    let (status, _) = daemon.stop();
    assert!(status.success());
    let world = hmc.world();
    assert_eq!((world.logoffs, world.sessions.len()), (1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_of_one_hmc_share_its_session_and_do_not_wait_for_each_other() {
    let hmc = Hmc::start().await;
    hmc.world().polls = 4;
    let daemon = start(&hmc).await;
    let other = json!({"ipmi/lpar-id": PARTITIONS[1]});
    let (one, two) =
        tokio::join!(good(&daemon, "poweron", json!({})), good(&daemon, "poweron", other.clone()));
    assert_eq!((&one["state"], &two["state"]), (&json!("on"), &json!("on")));
    for _ in 0..20 {
        let (a, b) = tokio::join!(
            good(&daemon, "powerstatus", json!({})),
            good(&daemon, "powerstatus", other.clone())
        );
        assert_eq!((&a["state"], &b["state"]), (&json!("on"), &json!("on")));
    }
    let (status, _) = daemon.stop();
    assert!(status.success());
    let world = hmc.world();
    assert_eq!((world.logons, world.peak, world.logoffs, world.sessions.len()), (1, 1, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_codes_and_leave_no_session() {
    let hmc = Hmc::start().await;
    let daemon = start(&hmc).await;
    let quick = json!({"ipmi/lpar-timeout": 2, "ipmi/verify-timeout": 1});
    let read = "GET /rest/api/uom/LogicalPartition";
    for (on, fault, code, kind, word) in [
        (read, HmcFault::Refuse(403, "not authorized"), 502, "REFUSED", "task role"),
        (read, HmcFault::Refuse(503, "starting"), 502, "BMC_BUSY", "starting"),
        (read, HmcFault::Refuse(500, "HSCL1"), 502, "REFUSED", "HSCL1"),
        (read, HmcFault::Garbage("<html>hello</html>"), 502, "PROTOCOL", "without a LogicalPartition"),
        (read, HmcFault::Garbage("<!DOCTYPE a [<!ENTITY b \"c\">]><a>&b;</a>"), 502, "PROTOCOL", "not XML"),
        (read, HmcFault::Slow(Duration::from_secs(5)), 504, "SILENT", "did not answer"),
        ("Logon", HmcFault::Garbage("<LogonResponse/>"), 502, "PROTOCOL", "X-API-Session"),
        (
            "Logon",
            HmcFault::Refuse(400, "The maximum number of web sessions has been reached."),
            502,
            "NO_SESSION",
            "maximum",
        ),
        ("do/PowerOn", HmcFault::Refuse(400, "HSCL3681"), 502, "REFUSED", "HSCL3681"),
        ("do/PowerOn", HmcFault::JobEnds("COMPLETED_WITH_ERROR", "HSCLA46"), 502, "REFUSED", "HSCLA46"),
        (
            "do/PowerOn",
            HmcFault::JobEnds("FAILED_BEFORE_COMPLETION", "lost it"),
            504,
            "UNCONFIRMED",
            "lost it",
        ),
        ("do/PowerOn", HmcFault::Ignore, 504, "UNCONFIRMED", "power reads off"),
    ] {
        hmc.fault(on, fault.clone(), 99);
        let text = bad(&daemon, "poweron", quick.clone(), code, kind).await;
        assert!(text.contains(word) && text.contains("What to do"), "{fault:?}: {text}");
        hmc.clear_faults();
    }
    let unknown = json!({"ipmi/lpar-id": "AAAA-1"});
    let text = bad(&daemon, "poweron", unknown, 400, "PARAM").await;
    assert!(text.contains("AAAA-1") && text.contains("ipmi/lpar-id"), "{text}");
    // In transition is neither on nor off, and nothing is sent.
    let before = hmc.world().started.len();
    for state in ["starting", "shutting down", "not available", "suspended"] {
        hmc.world().states.insert(PARTITIONS[0].to_owned(), state.to_owned());
        assert_eq!(good(&daemon, "powerstatus", json!({})).await["state"], "unknown");
        bad(&daemon, "poweroff", json!({}), 502, "POWER_UNKNOWN").await;
    }
    assert_eq!(hmc.world().started.len(), before);
    for state in ["open firmware", "error"] {
        hmc.world().states.insert(PARTITIONS[0].to_owned(), state.to_owned());
        assert_eq!(good(&daemon, "poweroff", json!({})).await["state"], "off", "{state}");
    }
    // The HMC forgets the session: a new one is opened, and the verb does what it says.
    hmc.world().sessions.clear();
    assert_eq!(good(&daemon, "poweron", json!({})).await["verified"], true);
    // Certificates.
    let trust = |more: Value| {
        let mut params = json!({"ipmi/tls-ca": ""});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        params
    };
    let text = bad(&daemon, "powerstatus", trust(json!({})), 502, "CERTIFICATE").await;
    let pin = &text[text.find("SHA256:").expect("the fingerprint is shown")..][..71];
    assert_eq!(
        good(&daemon, "powerstatus", trust(json!({"ipmi/tls-fingerprint": pin}))).await["state"],
        "on"
    );
    assert_eq!(good(&daemon, "powerstatus", trust(json!({"ipmi/tls-verify": "off"}))).await["state"], "on");
    let other = json!({"ipmi/tls-fingerprint": "ab".repeat(32)});
    assert!(
        bad(&daemon, "powerstatus", trust(other), 502, "CERTIFICATE").await.contains("not the pinned one")
    );
    assert_eq!(
        good(&daemon, "powerstatus", trust(json!({"ipmi/tls-verify": "first-use"}))).await["state"],
        "on"
    );
    let recorded =
        daemon.expect(200, "GET", "machines/Name:node-1/params/ipmi/tls-fingerprint", Value::Null).await;
    assert_eq!(recorded, json!(pin));
    // Params.
    for odd in
        [json!({"ipmi/lpar-id": "../x"}), json!({"ipmi/lpar-id": ""}), json!({"ipmi/port-lpar": 65_536})]
    {
        let (code, _, text) = act(&daemon, "powerstatus", odd.clone()).await.expect_err("odd");
        let name = odd.as_object().unwrap().keys().next().unwrap();
        assert!((code == 400 || code == 422) && text.contains(name), "{odd}: {code} {text}");
    }
    daemon.expect(200, "DELETE", "machines/Name:node-1/params/ipmi/lpar-id", Value::Null).await;
    assert!(bad(&daemon, "powerstatus", json!({}), 400, "PARAM").await.contains("ipmi/lpar-id is not set"));
    // A port where nobody listens.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = json!({"ipmi/lpar-id": PARTITIONS[0], "ipmi/port-lpar": closed});
    bad(&daemon, "powerstatus", nobody, 504, "UNREACHABLE").await;
    let (status, _) = daemon.stop();
    assert!(status.success());
    let world = hmc.world();
    assert!(
        world.sessions.is_empty(),
        "{:?} after {} logons, {} logoffs",
        world.sessions,
        world.logons,
        world.logoffs
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_never_a_second_job() {
    let hmc = Hmc::start().await;
    let daemon = start(&hmc).await;
    let quick = json!({"ipmi/lpar-timeout": 1});
    for (verb, operation) in [("poweron", "PowerOn"), ("poweroff", "PowerOff")] {
        hmc.fault(&format!("do/{operation}"), HmcFault::Lost, 1);
        let result = good(&daemon, verb, quick.clone()).await;
        assert_eq!((&result["verified"], count(&hmc, operation)), (&json!(true), 1), "{result}");
    }
    good(&daemon, "poweron", json!({})).await;
    for verb in ["powercycle", "powerreset", "nmi"] {
        let before = hmc.world().started.len();
        hmc.fault("do/PowerOff", HmcFault::Lost, 1);
        let text = bad(&daemon, verb, quick.clone(), 504, "UNCONFIRMED").await;
        assert!(text.contains("do not repeat"), "{text}");
        assert_eq!(hmc.world().started.len(), before + 1, "{verb}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_tried_once_for_all_partitions_and_secrets_turn_up_nowhere() {
    const WRONG: &str = "wrong-canary-4711";
    let hmc = Hmc::start().await;
    let daemon = start(&hmc).await;
    let canary = Canary::new(&[PASSWORD, WRONG, "gDHtF9lOmKjiHPkdaR0Bv4Ep"]);
    let watch = canary.watch(daemon.pid());
    let mut events = canary.events(&daemon).await;
    for verb in ["poweron", "getInfo", "bmcinfo", "powercycle", "nextbootpxe", "poweroff"] {
        canary.look("result", format!("{:?}", act(&daemon, verb, json!({})).await));
    }
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(WRONG)).await;
    canary.look("result", bad(&daemon, "poweron", json!({}), 401, "CREDENTIALS").await);
    let other = json!({"ipmi/lpar-id": PARTITIONS[1]});
    canary.look("result", bad(&daemon, "poweron", other, 401, "LOCKED").await);
    assert_eq!(hmc.world().refused, 1);
    assert_eq!(good(&daemon, "unlock", json!({})).await["unlocked"], true);
    canary.end_of(&daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["result", "event", "daemon log"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logon_that_is_under_way_when_the_plugin_stops_is_logged_off() {
    let hmc = Hmc::start().await;
    let daemon = start(&hmc).await;
    hmc.fault("PUT /rest/api/web/Logon", HmcFault::Slow(Duration::from_secs(1)), 1);
    let request = daemon.request("POST", "/api/v3/machines/Name:node-1/actions/powerstatus").json(&json!({}));
    let running = tokio::spawn(request.send());
    while hmc.world().requests.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::task::block_in_place(|| {
        let (status, _) = daemon.stop();
        assert!(status.success());
    });
    assert!(
        wait_until(Duration::from_secs(3), || hmc.world().sessions.is_empty()),
        "{:?}",
        hmc.world().sessions
    );
    assert_eq!(hmc.world().logons, 1);
    running.abort();
}
