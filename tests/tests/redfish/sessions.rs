//! Sessions over Redfish: one for each BMC, closed or expired whatever ends the plugin.

use crate::rig::{PASSWORD, Rig, USER, client, login, simulator, target};
use drp_bmc_sim::{Effect, On, Op, Rule};
use drp_redfish::{Client, Error};
use drp_tests::daemon::Daemon;
use drp_tests::peers::wait_until;
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn a_thousand_actions_use_one_session_of_each_protocol() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |config| config.ipmi = true).await;
    let by_ipmi = json!({"ipmi/mode": "ipmi", "ipmi/port-ipmitool": bmc.address().port()});
    for round in 0..500 {
        let verb = ["powerstatus", "bootstatus", "bmcinfo", "nextbootpxe"][round % 4];
        rig.good(&bmc, verb).await;
        rig.on(&bmc, verb, by_ipmi.clone()).await.unwrap();
    }
    let calls = (0..20).map(|_| rig.on(&bmc, "powerstatus", json!({})));
    for result in futures_util::future::join_all(calls).await {
        assert_eq!(result.unwrap()["state"], "off");
    }
    let counts = bmc.counts();
    assert_eq!((counts.redfish_logins, counts.redfish_most_sessions), (1, 1));
    assert_eq!((counts.logins, counts.most_sessions), (1, 1));
    rig.stop().await;
    assert_eq!((bmc.redfish_sessions(), bmc.active_sessions()), (0, 0), "both are closed on stop");
    assert_eq!((bmc.counts().redfish_logouts, bmc.counts().closes), (1, 1));
}

#[tokio::test]
async fn an_expired_session_is_opened_anew_and_the_change_sent_once() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |_| {}).await;
    rig.good(&bmc, "powerstatus").await;
    bmc.forget_sessions();
    assert_eq!(rig.good(&bmc, "poweron").await["verified"], true);
    // In the middle: the session goes away right before the change.
    bmc.set_faults([Rule::new(On::Redfish(Op::Reset), Effect::Forget).times(1)]);
    assert_eq!(rig.good(&bmc, "poweroff").await["verified"], true);
    let counts = bmc.counts();
    assert_eq!((counts.power_ups, counts.power_downs), (1, 1));
    assert_eq!((counts.redfish_logins, counts.redfish_most_sessions), (3, 1));
    rig.stop().await;
    assert_eq!(bmc.redfish_sessions(), 0);
}

#[tokio::test]
async fn refused_credentials_are_tried_once() {
    let rig = Rig::start().await;
    for profile in ["generic", "ilo"] {
        let bmc = simulator(profile, |_| {}).await;
        let wrong = json!({"ipmi/password": "wrong-canary"});
        let refused = rig.on(&bmc, "poweron", wrong.clone()).await.unwrap_err();
        assert_eq!((refused.code, refused.r#type.as_str()), (401, "CREDENTIALS"), "{profile}: {refused}");
        for verb in ["poweron", "powerstatus", "getInfo"] {
            let locked = rig.on(&bmc, verb, wrong.clone()).await.unwrap_err();
            assert_eq!((locked.code, locked.r#type.as_str()), (401, "LOCKED"), "{profile}: {locked}");
        }
        assert_eq!(bmc.counts().redfish_refused, 1, "{profile}: the BMC counts one attempt");
        assert_eq!(rig.good(&bmc, "powerstatus").await["state"], "off");
        assert!(!serde_json::to_string(&bmc.log()).unwrap().contains("canary"));
    }
    // Credentials that are withdrawn while a session is open.
    let bmc = simulator("generic", |_| {}).await;
    rig.good(&bmc, "powerstatus").await;
    bmc.configure(|config| config.users[0].password = "changed".to_owned().into());
    bmc.forget_sessions();
    let refused = rig.on(&bmc, "poweron", json!({})).await.unwrap_err();
    assert_eq!((refused.code, refused.r#type.as_str()), (401, "CREDENTIALS"), "{refused}");
    assert_eq!((bmc.counts().redfish_refused, bmc.counts().power_ups), (1, 0));
    rig.stop().await;
}

#[tokio::test]
async fn a_bmc_whose_sessions_are_taken_is_asked_again_and_then_reported() {
    let rig = Rig::start().await;
    let bmc = simulator("generic", |config| config.sessions = 1).await;
    let other = client(&bmc).await;
    let full = Client::connect(&target(&bmc)).await.unwrap_err();
    assert!(matches!(full, Error::Exhausted { .. }), "{full}");
    let error = rig.on(&bmc, "poweron", json!({})).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (502, "NO_SESSION"), "{error}");
    other.close().await.unwrap();
    assert_eq!(rig.good(&bmc, "poweron").await["verified"], true);
    bmc.set_faults([Rule::new(On::Redfish(Op::Login), Effect::Exhausted).times(2)]);
    bmc.forget_sessions();
    assert_eq!(rig.good(&bmc, "poweroff").await["verified"], true, "the third try found a slot");
    rig.stop().await;
}

#[tokio::test]
async fn no_session_is_left_when_logging_in_goes_wrong_afterwards() {
    let bmc = simulator("generic", |_| {}).await;
    // A service whose root wants credentials and then has no systems; one whose list of systems is broken.
    for rules in [
        vec![
            Rule::new(On::Redfish(Op::Root), Effect::Http { status: 401, message: None, retry_after: None })
                .times(1),
            Rule::new(On::Redfish(Op::Root), Effect::Without { properties: vec!["Systems".into()] }),
        ],
        vec![
            Rule::new(On::Redfish(Op::Root), Effect::Http { status: 401, message: None, retry_after: None })
                .times(1),
            Rule::new(On::Redfish(Op::Root), Effect::Garbage),
        ],
        vec![Rule::new(On::Redfish(Op::Root), Effect::Without { properties: vec!["Systems".into()] })],
    ] {
        bmc.set_faults(rules.clone());
        Client::connect(&target(&bmc)).await.unwrap_err();
        assert!(wait_until(Duration::from_secs(5), || bmc.redfish_sessions() == 0), "{rules:?}");
    }
}

/// The pid of the daemon's ipmi plugin, by what it runs.
fn plugin_of(daemon: &Daemon) -> i32 {
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let entry = entry.ok()?;
        let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read(entry.path().join("cmdline")).ok()?;
        let program = line.split(|b| *b == 0).next()?.to_owned();
        let ours = std::str::from_utf8(&program).ok()?.starts_with(daemon.base().to_str()?);
        (ours && program.ends_with(b"/ipmi")).then_some(pid)
    });
    let pids: Vec<i32> = pids.collect();
    assert_eq!(pids.len(), 1, "{pids:?}");
    pids[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_daemon_closes_sessions_and_those_of_a_killed_plugin_expire() {
    let bmc = simulator("generic", |config| config.session_idle = Duration::from_secs(3)).await;
    let daemon = Daemon::builder().plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    let mut params = login(&bmc);
    params.as_object_mut().unwrap().remove("ipmi/password");
    daemon.expect(201, "POST", "machines", json!({"Name": "node-1", "Params": params})).await;
    daemon.expect(200, "POST", "machines/Name:node-1/params/ipmi/password", json!(PASSWORD)).await;
    let on = daemon.expect(200, "POST", "machines/Name:node-1/actions/poweron", json!({})).await;
    assert_eq!(
        (&on["state"], &on["verified"], &on["driver"]),
        (&json!("on"), &json!(true), &json!("redfish"))
    );
    assert_eq!(bmc.redfish_sessions(), 1);

    // Killed: nobody can log out, so the BMC's own time ends the session, and the next action opens its own.
    let pid = plugin_of(&daemon);
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL).unwrap();
    assert!(wait_until(Duration::from_secs(20), || bmc.redfish_sessions() == 0), "the session expired");
    assert_eq!((bmc.counts().redfish_expired, bmc.counts().redfish_logouts), (1, 0));
    daemon.wait_plugin("ipmi").await;
    let off = daemon.expect(200, "POST", "machines/Name:node-1/actions/poweroff", json!({})).await;
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)));

    // Stopped: the plugin logs out.
    let (status, log) = daemon.stop();
    assert!(status.success());
    assert_eq!((bmc.redfish_sessions(), bmc.counts().redfish_logouts), (0, 1));
    assert!(!log.contains(PASSWORD) && log.contains("powero") && !USER.is_empty());
    let counts = bmc.counts();
    assert_eq!((counts.power_ups, counts.power_downs, counts.redfish_most_sessions), (1, 1, 1));
}
