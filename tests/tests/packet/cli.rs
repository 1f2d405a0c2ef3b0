//! The commands of the documentation, as people type them.

use crate::rig::{Rig, builder, params};
use drp_tests::daemon::{Daemon, binary};
use drp_tests::peers::metal::{MetalApi, Scheme};
use serde_json::{Value, json};
use std::process::{Command, Stdio};

fn drp(daemon: &Daemon, words: &[&str]) -> (i32, String) {
    let mut command = Command::new(binary("drp"));
    command.arg("--base-root").arg(daemon.base()).args(words).env_remove("RS_ENDPOINT");
    let output = command.stdin(Stdio::null()).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_is_made_switched_and_given_back() {
    let metal = MetalApi::start(Scheme::Https).await;
    let daemon = builder().start();
    let object = json!({"Name": "metal", "Provider": "packet-ipmi", "Params": params(&metal, json!({}))});
    let (code, said) = drp(&daemon, &["plugins", "create", &object.to_string()]);
    assert_eq!(code, 0, "{said}");
    daemon.wait_plugin("metal").await;
    let rig = Rig { daemon, metal };
    let make =
        ["plugins", "runaction", "metal", "createVm", "packet/name", "node-2", "packet/plan", "c3.small.x86"];
    let (code, said) = drp(&rig.daemon, &make);
    assert!(code == 0 && said.contains("Created "), "{said}");
    let id = rig.state("node-2", "active").await["Params"]["packet/uuid"].as_str().unwrap().to_owned();
    let (code, said) = drp(&rig.daemon, &["machines", "get", "Name:node-2", "param", "packet/state"]);
    assert_eq!((code, said.trim()), (0, "\"active\""));
    let (code, said) =
        drp(&rig.daemon, &["machines", "runaction", "Name:node-2", "poweroff", "--format", "json"]);
    assert_eq!(code, 0, "{said}");
    let off: Value = serde_json::from_str(&said).unwrap();
    assert_eq!((&off["state"], &off["verified"]), (&json!("off"), &json!(true)));
    for command in ["destroyVm", "stopVm"] {
        let (code, said) =
            drp(&rig.daemon, &["plugins", "runaction", "metal", command, "packet/uuid", "no-such"]);
        assert!(code != 0 && said.contains("not there") && said.contains("What to do"), "{said}");
    }
    let (code, said) = drp(&rig.daemon, &["plugins", "runaction", "metal", "destroyVm", "packet/uuid", &id]);
    assert!(code == 0 && said.contains("Destroyed"), "{said}");
    rig.daemon.wait_for("machines/Name:node-2", |a| a.status == 404).await;
}
