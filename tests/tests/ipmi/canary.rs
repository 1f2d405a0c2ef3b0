//! Promise P7: secrets turn up nowhere: not in answers, errors, logs, events, output, arguments, environment, files.

use crate::rig::{PASSWORD, Rig, login, simulator};
use drp_bmc_sim::{Effect, On, Rule};
use drp_tests::canary::Canary;
use serde_json::{Value, json};

const WRONG: &str = "wrong-canary-4711";
const KG: &str = "kg-canary-4711";

#[tokio::test]
async fn secrets_turn_up_nowhere() {
    let rig = Rig::start().await;
    let bmc = simulator(|config| config.kg = Some(drp_protocol::Secret::new(KG.as_bytes().to_vec()))).await;
    let provider = drp_plugin_testkit::define(drp_tests::daemon::binary("ipmi")).await.unwrap();
    let commands: Vec<_> = provider.available_actions.iter().map(|a| a.command.clone()).collect();
    assert!(commands.len() >= 19);
    let canary = Canary::new(&[PASSWORD, WRONG, KG]);
    let pid = i32::try_from(rig.plugin.pid().unwrap()).unwrap();
    let watch = canary.watch(pid);
    let mut faults: Vec<Vec<Rule>> = vec![
        vec![],
        vec![Rule::new(On::AnyCommand, Effect::Completion { code: 0xd4 })],
        vec![Rule::new(On::AnyCommand, Effect::Short { len: 0 })],
        vec![Rule::new(On::Open, Effect::Status { code: 0x12 })],
        vec![Rule::new(On::Rakp3, Effect::Garbage)],
    ];
    faults.push(vec![Rule::new(On::Any, Effect::LoseRequest)]);
    for (round, rules) in faults.into_iter().enumerate() {
        bmc.forget_sessions();
        for command in commands.iter().map(String::as_str).chain(["getBios", "nonsense"]) {
            if round == 5 && !["powerstatus", "poweron", "identify"].contains(&command) {
                continue;
            }
            bmc.set_faults(rules.clone());
            let more = json!({"ipmi/kg": KG, "ipmi/timeout": 1, "ipmi/verify-timeout": 1});
            let result = rig.on(bmc.address(), command, more).await;
            let told = result.as_ref().err().map(ToString::to_string).unwrap_or_default();
            canary.look("result", format!("{command} {result:?} {told}"));
        }
        rig.on(bmc.address(), "unlock", json!({})).await.unwrap();
    }
    bmc.clear_faults();
    // Secrets that are wrong, of the wrong type, or in the wrong place.
    for odd in [
        json!({"ipmi/password": WRONG}),
        json!({"ipmi/password": [WRONG]}),
        json!({"ipmi/password": {WRONG: WRONG}}),
        json!({"ipmi/password": WRONG.repeat(4)}),
        json!({"ipmi/kg": WRONG}),
        json!({"ipmi/kg": format!("0x{WRONG}")}),
        json!({"ipmi/kg": WRONG.repeat(4)}),
    ] {
        let result = rig.on(bmc.address(), "powerstatus", odd).await;
        assert!(result.is_err());
        canary.look("error", format!("{result:?}"));
    }
    let mut sealed = login(bmc.address());
    sealed["ipmi/password"] = Value::Null;
    canary.look("error", format!("{:?}", rig.raw("poweron", sealed).await));

    canary.look("output", format!("{:?} {:?}", rig.plugin.stdout(), rig.plugin.stderr()));
    canary.stop(watch);
    let scratch = rig.daemon.scratch().to_owned();
    let Rig { daemon, mut plugin } = rig;
    assert!(plugin.stop().await.unwrap().success());
    let lines = daemon.logs();
    assert!(lines.iter().any(|l| l.message.contains("powerstatus")), "the plugin logs what it does");
    canary.look("plugin log", serde_json::to_string(&lines).unwrap());
    canary.look("event", serde_json::to_string(&daemon.events()).unwrap());
    canary.look("output", format!("{:?} {:?}", plugin.stdout(), plugin.stderr()));
    canary.files(&scratch, &[]);
    canary.check(&["result", "error", "output", "plugin log", "event", "argv", "environment"]);
}
