//! The racadm driver through a real daemon, against the stand-in of `tests/peers/racadm.py`.

use crate::through::{act, bad, daemon, good};
use drp_tests::canary::Canary;
use drp_tests::daemon::Daemon;
use drp_tests::peers::{PASSWORD, Racadm, USER, wait_until};
use serde_json::{Value, json};
use std::time::Duration;

fn params() -> Value {
    json!({
        "ipmi/address": "192.0.2.7", "ipmi/username": USER, "ipmi/mode": "racadm", "ipmi/tls-verify": "off",
        "ipmi/min-gap": 0, "ipmi/verify-timeout": 8, "ipmi/soft-timeout": 1, "ipmi/racadm-timeout": 20,
    })
}

async fn start(idrac: &Racadm) -> Daemon {
    let path = format!("{}:/usr/bin:/bin", idrac.folder().display());
    daemon(Daemon::builder().env("PATH", path), params()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_does_what_it_says_and_reads_it_back() {
    let Some(idrac) = Racadm::start() else { return };
    let daemon = start(&idrac).await;
    let run = async |verb: &str| good(&daemon, verb, json!({})).await;
    let power = async |verb: &str, state: &str, verified: bool| {
        let result = run(verb).await;
        assert_eq!(
            (&result["state"], &result["verified"]),
            (&json!(state), &json!(verified)),
            "{verb} {result}"
        );
        assert_eq!(result["driver"], "racadm");
        result
    };
    power("powerstatus", "off", true).await;
    bad(&daemon, "powerreset", json!({}), 409, "STATE").await;
    bad(&daemon, "nmi", json!({}), 409, "STATE").await;
    power("poweron", "on", true).await;
    assert!(power("poweron", "on", true).await["text"].as_str().unwrap().contains("nothing was sent"));
    assert_eq!(idrac.count("powerup"), 1);
    power("powerreset", "on", false).await;
    power("powercycle", "on", false).await;
    power("nmi", "on", false).await;
    assert_eq!((idrac.count("hardreset"), idrac.count("powercycle"), idrac.count("nmi")), (1, 1, 1));
    power("powersoft", "off", true).await;
    assert_eq!((idrac.count("graceshutdown"), idrac.count("powerdown")), (1, 0));
    power("powercycle", "on", true).await;
    idrac.set("heeds", false);
    let soft = power("powersoft", "off", true).await;
    assert!(soft["text"].as_str().unwrap().contains("hard"), "{soft}");
    assert_eq!((idrac.count("graceshutdown"), idrac.count("powerdown")), (2, 1));
    power("poweron", "on", true).await;
    power("poweroff", "off", true).await;

    for (verb, device, once, name) in [
        ("nextbootpxe", "pxe", "Enabled", "PXE"),
        ("nextbootdisk", "disk", "Enabled", "HDD"),
        ("nextbootcd", "cd", "Enabled", "VCD-DVD"),
        ("nextbootbios", "bios", "Enabled", "BIOS"),
        ("forcebootpxe", "pxe", "Disabled", "PXE"),
        ("forcebootdisk", "disk", "Disabled", "HDD"),
        ("forcebootcd", "cd", "Disabled", "VCD-DVD"),
    ] {
        let result = run(verb).await;
        assert_eq!((&result["observed"], &result["verified"]), (&json!(device), &json!(true)), "{result}");
        let state = idrac.state();
        assert_eq!((&state["once"], &state["first"]), (&json!(once), &json!(name)), "{verb}");
        assert_eq!(result["details"]["kept"]["persistent"], once == "Disabled", "{result}");
    }
    assert_eq!(run("bootstatus").await["observed"], "cd");
    assert_eq!(run("getBoot").await["details"]["FirstBootDevice"], "VCD-DVD");
    assert_eq!(run("identify").await["verified"], true);
    assert_eq!(idrac.state()["led"], true);
    assert_eq!(run("identifyoff").await["verified"], true);
    assert_eq!(idrac.state()["led"], false);
    let info = run("bmcinfo").await;
    assert_eq!(
        (&info["details"]["firmware"], &info["details"]["manufacturer"]),
        (&json!("6.10.30.00"), &json!("Dell"))
    );
    assert_eq!(run("getInfo").await["details"]["System Information"]["System Model"], "PowerEdge R650");
    assert_eq!(run("sensors").await["details"]["sensors"][0]["value"], 21.0);
    assert_eq!(run("sel").await["details"]["entries"][0]["event"], "Log cleared.");
    assert_eq!(run("selclear").await["observed"], "empty");
    assert_eq!(run("sel").await["details"]["entries"], json!([]));
    assert_eq!(run("lan").await["details"]["interfaces"][0]["ipv4"]["address"], "192.0.2.7");
    run("bmcreset").await;
    assert_eq!(idrac.count("racreset"), 1);

    // What racadm has nothing for is refused by name, with those that can, and nothing runs.
    idrac.forget();
    for verb in ["nextboothttp", "getBios", "users", "mountVirtualMedia", "statusVirtualMedia", "status"] {
        let image = json!({"ipmi/virtual-media-url": "http://192.0.2.1/a.iso"});
        let text = bad(&daemon, verb, image, 501, "UNSUPPORTED").await;
        assert!(text.contains("racadm"), "{verb}: {text}");
    }
    let plan = good(&daemon, "powerplan", json!({"ipmi/plan-verb": "nextbootpxe"})).await;
    let step = plan["details"]["verbs"]["nextbootpxe"][0]["request"].as_str().unwrap();
    assert!(step.contains("set iDRAC.ServerBoot.BootOnce Enabled"), "{step}");
    assert!(idrac.calls().is_empty(), "a plan runs nothing");
    // The old misspelling, and the driver in the order of mode auto.
    assert_eq!(good(&daemon, "powerstatus", json!({"ipmi/mode": "racadmn"})).await["driver"], "racadm");
    let auto = json!({"ipmi/mode": "auto", "ipmi/driver-order": ["racadm", "ipmi"]});
    assert_eq!(good(&daemon, "powerstatus", auto).await["driver"], "racadm");
    assert_eq!(idrac.calls()[0]["argv"][1], "192.0.2.7");
    good(&daemon, "powerstatus", json!({"ipmi/port-racadm": 4443})).await;
    assert_eq!(idrac.calls().last().unwrap()["argv"][1], "192.0.2.7:4443");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_secret_is_in_arguments_environment_answers_or_logs() {
    const WRONG: &str = "wrong-canary-4711";
    let Some(idrac) = Racadm::start() else { return };
    let daemon = start(&idrac).await;
    let canary = Canary::new(&[PASSWORD, WRONG]);
    let watch = canary.watch(daemon.pid());
    let mut events = canary.events(&daemon).await;
    for verb in [
        "poweron",
        "nextbootpxe",
        "identify",
        "bmcinfo",
        "sensors",
        "sel",
        "bmcreset",
        "powersoft",
        "getBios",
    ] {
        canary.look("result", format!("{:?}", act(&daemon, verb, json!({})).await));
    }
    for fault in
        ["unreachable", "sessions", "garbage", "flood", "repeat", "refuse", "busy", "unsupported", "ask"]
    {
        idrac.fault("power", fault, 9);
        let result = act(&daemon, "poweron", json!({"ipmi/verify-timeout": 1})).await;
        assert!(result.is_err(), "{fault}: {result:?}");
        canary.look("result", format!("{result:?}"));
        idrac.fault("nothing", "", 1);
        good(&daemon, "unlock", json!({})).await;
    }
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(WRONG)).await;
    canary.look("result", bad(&daemon, "poweron", json!({}), 401, "CREDENTIALS").await);
    let calls = idrac.calls();
    assert!(calls.len() > 20);
    for call in &calls {
        canary.look("argv of racadm", call["argv"].to_string());
        canary.look("environment of racadm", call["env"].to_string());
        let mut names: Vec<_> = call["env"].as_object().unwrap().keys().map(String::as_str).collect();
        // Python itself sets this one when the locale is C.
        names.retain(|name| *name != "LC_CTYPE");
        assert!(names.iter().all(|name| ["HOME", "LANG", "PATH"].contains(name)), "{names:?}");
    }
    canary.end_of(&daemon, &mut events).await;
    canary.stop(watch);
    canary.check(&["result", "event", "daemon log", "argv of racadm", "environment of racadm"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_have_codes_and_advice() {
    let Some(idrac) = Racadm::start() else { return };
    let daemon = start(&idrac).await;
    let quick = json!({"ipmi/racadm-timeout": 2, "ipmi/verify-timeout": 1});
    for (fault, code, kind, word) in [
        ("unreachable", 504, "UNREACHABLE", "port-racadm"),
        ("sessions", 502, "NO_SESSION", "maximum number of user sessions"),
        ("garbage", 502, "PROTOCOL", "answered"),
        ("flood", 502, "PROTOCOL", "1 MiB"),
        ("refuse", 502, "REFUSED", "RAC0516"),
        ("busy", 502, "BMC_BUSY", "in progress"),
        ("unsupported", 501, "UNSUPPORTED", "not supported"),
        ("unknown", 502, "POWER_UNKNOWN", "nothing was sent"),
        ("hang", 504, "SILENT", "was killed"),
        ("ask", 401, "CREDENTIALS", "second time"),
    ] {
        idrac.fault("powerstatus", fault, 9);
        let text = bad(&daemon, "poweron", quick.clone(), code, kind).await;
        assert!(text.contains(word) && text.contains("What to do"), "{fault}: {text}");
        idrac.fault("nothing", "", 1);
        good(&daemon, "unlock", json!({})).await;
    }
    assert_eq!(idrac.count("powerup"), 0);
    let sleeper = idrac.sleeper().expect("the hanging call started a process");
    let gone =
        wait_until(Duration::from_secs(5), || !std::path::Path::new(&format!("/proc/{sleeper}")).exists());
    assert!(gone, "what a killed call started is killed with it");

    // Certificates: verified is the default, racadm stops, and what it cannot do is said.
    let verify = json!({"ipmi/tls-verify": "verify"});
    let text = bad(&daemon, "poweron", verify.clone(), 502, "CERTIFICATE").await;
    assert!(text.contains("self signed") && text.contains("tls-verify"), "{text}");
    let text = bad(&daemon, "nextbootpxe", verify.clone(), 502, "CERTIFICATE").await;
    assert!(text.contains("self signed"), "{text}");
    idrac.set("certificate", "good");
    assert_eq!(good(&daemon, "powerstatus", verify).await["state"], "off");
    let pinned = json!({"ipmi/tls-fingerprint": "ab".repeat(32)});
    assert!(bad(&daemon, "powerstatus", pinned, 501, "UNSUPPORTED").await.contains("cannot pin"));
    // Params.
    for odd in [
        json!({"ipmi/port-racadm": 65_536}),
        json!({"ipmi/username": "two\nlines"}),
        json!({"ipmi/address": "-r"}),
        json!({"ipmi/racadm-timeout": 0}),
    ] {
        let (code, _, text) = act(&daemon, "powerstatus", odd.clone()).await.expect_err("odd");
        let name = odd.as_object().unwrap().keys().next().unwrap();
        assert!((code == 400 || code == 422) && text.contains(name), "{odd}: {code} {text}");
    }
    assert!(act(&daemon, "nonsense", json!({})).await.is_err());
    // A wrong password is tried once.
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!("wrong-canary-4711")).await;
    idrac.forget();
    bad(&daemon, "poweron", json!({}), 401, "CREDENTIALS").await;
    bad(&daemon, "poweron", json!({}), 401, "LOCKED").await;
    assert_eq!(idrac.calls().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_answer_is_never_a_second_command() {
    let Some(idrac) = Racadm::start() else { return };
    let daemon = start(&idrac).await;
    let quick = json!({"ipmi/racadm-timeout": 2});
    // Up and down, and the boot device: read back, and found done.
    for (verb, on, count) in
        [("poweron", "powerup", 1), ("poweroff", "powerdown", 1), ("poweron", "powerup", 2)]
    {
        idrac.fault(on, "lost", 1);
        let result = good(&daemon, verb, quick.clone()).await;
        assert_eq!((&result["verified"], idrac.count(on)), (&json!(true), count), "{result}");
    }
    idrac.fault("FirstBootDevice", "lost", 1);
    let result = good(&daemon, "nextbootpxe", quick.clone()).await;
    assert_eq!((&result["verified"], &result["observed"]), (&json!(true), &json!("pxe")), "{result}");
    // What counts is sent once, whatever happens.
    for (verb, on) in
        [("powercycle", "powercycle"), ("powerreset", "hardreset"), ("nmi", "nmi"), ("bmcreset", "racreset")]
    {
        idrac.fault(on, "lost", 1);
        let text = bad(&daemon, verb, quick.clone(), 504, "UNCONFIRMED").await;
        assert!(text.contains("do not repeat"), "{text}");
        assert_eq!(idrac.count(on), 1, "{verb}");
    }
    // Accepted and not done: not confirmed, and not sent again.
    idrac.forget();
    idrac.fault("powerdown", "ignore", 9);
    let text = bad(&daemon, "poweroff", json!({"ipmi/verify-timeout": 2}), 504, "UNCONFIRMED").await;
    assert!(text.contains("power reads on"), "{text}");
    let sent = idrac.calls().iter().filter(|call| call["words"][1] == "powerdown").count();
    assert_eq!((sent, idrac.count("powerdown")), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_program_the_error_names_it_and_how_to_get_it() {
    let daemon = daemon(Daemon::builder().env("PATH", "/usr/bin:/bin"), params()).await;
    let text = bad(&daemon, "poweron", json!({}), 501, "UNSUPPORTED").await;
    assert!(
        text.contains("racadm") && text.contains("srvadmin-idracadm8") && text.contains("redfish"),
        "{text}"
    );
}
