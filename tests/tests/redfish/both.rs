//! One faults file for both protocols: the same trouble, the same answer of the plugin, whichever driver meets it.

use crate::rig::{Rig, login};
use drp_bmc_sim::{BmcConfig, Profile, Scenario, Simulator};
use serde_json::{Value, json};

/// A BMC of both protocols with what a faults file says.
async fn bmc(file: &str, powered: bool) -> Simulator {
    let scenario = Scenario::read(file).unwrap();
    let profile = Profile::named("generic").unwrap();
    let mut config = BmcConfig::new(crate::rig::USER, crate::rig::PASSWORD.to_owned()).with_redfish(profile);
    config.powered = powered;
    scenario.settings.apply(&mut config).unwrap();
    config.faults = scenario.rules;
    Simulator::start(config).await.unwrap()
}

fn params(bmc: &Simulator, mode: &str) -> Value {
    let mut params = login(bmc);
    params["ipmi/mode"] = json!(mode);
    params["ipmi/port-ipmitool"] = json!(bmc.address().port());
    params["ipmi/timeout"] = json!(1);
    params
}

#[tokio::test]
async fn the_same_faults_have_the_same_end_in_both_drivers() {
    let rig = &Rig::start().await;
    // Rules, verb, machine on at the start, how it ends: the type of the error, or nothing for success.
    let cases = [
        (
            "[{on: chassis-control, times: 2, effect: {kind: busy}}, {on: redfish-reset, times: 2, effect: {kind: busy, retry_after: 1}}]",
            "poweron",
            false,
            "",
        ),
        (
            "[{on: chassis-control, effect: {kind: busy}}, {on: redfish-reset, effect: {kind: busy}}]",
            "poweron",
            false,
            "BMC_BUSY",
        ),
        ("[{effect: {kind: exhausted}}]", "powerstatus", false, "NO_SESSION"),
        ("[{times: 2, effect: {kind: exhausted}}]", "poweron", false, ""),
        (
            "[{on: rakp3, effect: {kind: unauthorized}}, {on: redfish-login, effect: {kind: unauthorized}}]",
            "poweron",
            false,
            "CREDENTIALS",
        ),
        (
            "[{on: chassis-control, times: 1, effect: {kind: lose-reply}}, {on: redfish-reset, times: 1, effect: {kind: lose-reply}}]",
            "poweroff",
            true,
            "",
        ),
        (
            "[{on: chassis-control, times: 1, effect: {kind: lose-reply}}, {on: redfish-reset, times: 1, effect: {kind: lose-reply}}]",
            "powerreset",
            true,
            "UNCONFIRMED",
        ),
        (
            "[{on: chassis-control, effect: {kind: stuck}}, {on: redfish-reset, effect: {kind: stuck}}]",
            "poweroff",
            true,
            "UNCONFIRMED",
        ),
        (
            "[{on: chassis-status, times: 1, effect: {kind: garbage}}, {on: redfish-system, skip: 1, times: 1, effect: {kind: garbage}}]",
            "nextbootpxe",
            true,
            "",
        ),
        ("settings: {power_delay_ms: 1200, latency_ms: 20}", "poweroff", true, ""),
        ("settings: {soft_ignored: true}", "powersoft", true, ""),
    ];
    let cases = cases.iter().flat_map(|case| ["ipmi", "redfish"].map(|mode| (case, mode)));
    let runs = cases.map(async |((file, verb, powered, end), mode)| {
        let bmc = bmc(file, *powered).await;
        let mut params = params(&bmc, mode);
        params["ipmi/verify-timeout"] = json!(6);
        match (rig.raw(verb, params).await, *end) {
            (Ok(outcome), "") => {
                assert_eq!(outcome["driver"], mode, "{outcome}");
                assert_eq!(outcome["verified"], true, "{mode} {verb} {file}: {outcome}");
            }
            (Err(error), end) => assert_eq!(error.r#type, end, "{mode} {verb} {file}: {error}"),
            (Ok(outcome), end) => panic!("{mode} {verb} {file}: {end} was expected: {outcome}"),
        }
        let counts = bmc.counts();
        assert!(
            counts.power_ups + counts.power_downs + counts.resets <= 1,
            "{mode} {verb} {file}: {counts:?}"
        );
        assert!(counts.most_sessions <= 1 && counts.redfish_most_sessions <= 1, "{mode} {verb} {file}");
        assert!(counts.refused + counts.redfish_refused <= 1, "{mode} {verb} {file}");
    });
    futures_util::future::join_all(runs).await;
}

#[tokio::test]
async fn a_bmc_in_transition_refuses_in_both_and_its_restart_is_one() {
    let rig = Rig::start().await;
    let bmc = bmc("settings: {power_delay_ms: 60000, busy_in_transition: true, boot_ms: 1500}", true).await;
    let quick = |mode: &str| {
        let mut params = params(&bmc, mode);
        params["ipmi/verify-timeout"] = json!(1);
        params
    };
    let first = rig.raw("poweroff", quick("ipmi")).await.unwrap_err();
    assert_eq!(first.r#type, "UNCONFIRMED", "{first}");
    let refused = rig.raw("powerreset", quick("ipmi")).await.unwrap_err();
    assert_eq!(refused.r#type, "BMC_BUSY", "{refused}");
    // Over Redfish it reads as on its way, which is neither on nor off, and gets no command.
    bmc.configure(|config| config.power_delay = std::time::Duration::ZERO);
    let refused = rig.raw("powerreset", quick("redfish")).await.unwrap_err();
    assert_eq!(refused.r#type, "BMC_BUSY", "{refused}");
    assert_eq!((bmc.counts().power_downs, bmc.counts().resets), (1, 0));
    // Restarted through one protocol, its sessions are gone in the other, too.
    assert_eq!(rig.raw("bmcreset", quick("redfish")).await.unwrap()["observed"], "accepted");
    assert_eq!((bmc.active_sessions(), bmc.redfish_sessions()), (0, 0));
    let silent = rig.raw("powerstatus", quick("ipmi")).await;
    assert!(silent.is_ok() || silent.as_ref().is_err_and(|e| e.code == 504), "{silent:?}");
    assert_eq!(rig.raw("powerstatus", quick("redfish")).await.unwrap()["state"], "on");
    rig.stop().await;
}

#[tokio::test]
async fn users_log_and_light_are_one_as_well() {
    let rig = Rig::start().await;
    let bmc = bmc("[]", true).await;
    let run = async |verb: &str, mode: &str| {
        rig.raw(verb, params(&bmc, mode)).await.unwrap_or_else(|e| panic!("{mode} {verb}: {e}"))
    };
    bmc.configure(|config| {
        let (name, password) = ("second".to_owned(), "second-password".to_owned().into());
        config.users.push(drp_bmc_sim::User { name, password, privilege: drp_ipmi::Privilege::Operator });
    });
    for mode in ["ipmi", "redfish"] {
        let users = run("users", mode).await;
        assert!(users.to_string().contains("\"second\""), "{mode}: {users}");
        assert!(
            !run("sensors", mode).await["details"].is_null() && !run("lan", mode).await["details"].is_null()
        );
    }
    let entries = |outcome: &Value| outcome["details"]["entries"].as_array().map_or(0, Vec::len);
    assert!(entries(&run("sel", "redfish").await) >= 3);
    assert_eq!(run("selclear", "ipmi").await["verified"], true);
    assert_eq!(entries(&run("sel", "redfish").await), 0, "cleared over IPMI, it is empty over Redfish");
    assert!(rig.raw("identify", params(&bmc, "redfish")).await.is_ok());
    let light = bmc.identify();
    assert!(light.is_some());
    assert_eq!(run("identifyoff", "ipmi").await["verified"], true);
    assert!(bmc.identify().is_none());
    rig.stop().await;
}
