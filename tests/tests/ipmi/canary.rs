//! Promise P7: secrets turn up nowhere: not in answers, errors, logs, events, output, arguments, environment, files.

use crate::rig::{PASSWORD, Rig, login, simulator};
use drp_bmc_sim::{Effect, On, Rule};
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
    let mut seen = String::new();
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
            seen.push_str(&format!(
                "{command} {result:?} {}\n",
                result.as_ref().err().map(ToString::to_string).unwrap_or_default()
            ));
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
        seen.push_str(&format!("{result:?}\n"));
    }
    let mut sealed = login(bmc.address());
    sealed["ipmi/password"] = Value::Null;
    seen.push_str(&format!("{:?}\n", rig.raw("poweron", sealed).await));

    let pid = rig.plugin.pid().unwrap();
    for file in ["cmdline", "environ", "comm"] {
        let bytes = std::fs::read(format!("/proc/{pid}/{file}")).unwrap();
        seen.push_str(&String::from_utf8_lossy(&bytes));
    }
    seen.push_str(&format!("{:?} {:?}", rig.plugin.stdout(), rig.plugin.stderr()));
    let scratch = rig.daemon.scratch().to_owned();
    let Rig { daemon, mut plugin } = rig;
    assert!(plugin.stop().await.unwrap().success());
    let lines = daemon.logs();
    assert!(lines.iter().any(|l| l.message.contains("powerstatus")), "the plugin logs what it does");
    seen.push_str(&serde_json::to_string(&lines).unwrap());
    seen.push_str(&serde_json::to_string(&daemon.events()).unwrap());
    seen.push_str(&format!("{:?} {:?}", plugin.stdout(), plugin.stderr()));
    for entry in std::fs::read_dir(&scratch).unwrap().flatten() {
        if entry.path().is_file() {
            seen.push_str(&String::from_utf8_lossy(&std::fs::read(entry.path()).unwrap()));
        }
    }
    for secret in [PASSWORD, WRONG, KG] {
        let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
        for form in [secret.to_owned(), hex, format!("{:?}", secret.as_bytes())] {
            assert!(!seen.contains(&form), "a secret turned up: …{}…", around(&seen, &form));
        }
    }
}

fn around(text: &str, needle: &str) -> String {
    let at = text.find(needle).unwrap_or(0);
    text.get(at.saturating_sub(200)..(at + 100).min(text.len())).unwrap_or_default().to_owned()
}
