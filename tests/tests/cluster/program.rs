//! The program `cluster` itself: its definition, and records that are none.

use crate::rig::{PLUGIN, Place, diamond};
use drp_tests::daemon::binary;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};

fn run(arguments: &[&str]) -> Output {
    Command::new(binary("cluster")).args(arguments).env("RS_TOKEN", "catalog").output().unwrap()
}

fn define(record: &Path) -> Result<Value, String> {
    let output = run(&["--extension", record.to_str().unwrap(), "define"]);
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).unwrap()),
        false => Err(String::from_utf8(output.stderr).unwrap()),
    }
}

#[test]
fn a_cluster_offers_every_operation_on_its_own_plugin() {
    let place = Place::new(&diamond(), &json!({"parallel": 2}));
    let provider = define(&place.record_file()).unwrap();
    assert_eq!((&provider["Name"], &provider["AutoStart"]), (&json!(PLUGIN), &json!(true)));
    let actions = provider["AvailableActions"].as_array().unwrap();
    for operation in drp_protocol::extension_operations::CLUSTER {
        let action = actions.iter().find(|action| action["Command"] == operation.name).expect(operation.name);
        assert_eq!(action["Model"], "plugins");
        let params =
            |field: &str| serde_json::from_value::<Vec<String>>(action[field].clone()).unwrap_or_default();
        for input in operation.inputs {
            assert!(
                params(if input.required { "RequiredParams" } else { "OptionalParams" })
                    .contains(&input.name.to_owned())
            );
        }
        assert_eq!(
            params("OptionalParams").contains(&"check".to_owned()),
            operation.check,
            "{}",
            operation.name
        );
        assert_eq!(
            params("OptionalParams").contains(&"wait".to_owned()),
            operation.wait,
            "{}",
            operation.name
        );
    }
    let content: Value = serde_json::from_str(provider["Content"].as_str().unwrap()).unwrap();
    let parallel = &content["sections"]["params"]["mesh-cluster/parallel"]["Schema"];
    assert_eq!(parallel, &json!({"type": "integer", "minimum": 1, "maximum": 64, "default": 2}));
    assert!(
        content["sections"]["params"].get("config").is_none(),
        "inputs of operations are nobody's content"
    );
}

#[test]
fn records_that_cannot_be_hosted_are_told() {
    let place = Place::new(&diamond(), &json!({}));
    let mut circle = diamond();
    circle[1]["dependencies"] = json!(["top"]);
    place.define("1.0.0", &circle, &json!({}));
    let error = define(&place.record_file()).unwrap_err();
    assert!(error.contains("depend on each other in a circle: top -> left -> base -> top"), "{error}");
    let record = place.record_file();
    for (text, words) in [
        ("", "is not the record of an extension"),
        ("{\"type\": \"cluster\"}", "is not the record of an extension"),
        (r#"{"type":"provider","name":"x","version":"1.0.0","root":"/"}"#, "x is no cluster but a provider"),
        (r#"{"type":"cluster","name":"x","version":"1.0.0","root":"/"}"#, "cluster x has no definition"),
        (
            r#"{"type":"cluster","name":"x","version":"1.0.0","root":"/","cluster":{"name":"x","components":[]}}"#,
            "no component to deploy",
        ),
        (r#"{"type":"cluster","name":"x","version":"1.0.0","root":"/","cluster":[]}"#, "cannot be read"),
    ] {
        std::fs::write(&record, text).unwrap();
        let error = define(&record).unwrap_err();
        assert!(error.contains(words), "{text}: {error}");
    }
    std::fs::write(&record, vec![b' '; (16 << 20) + 5]).unwrap();
    assert!(define(&record).unwrap_err().contains("longer than"));
    std::fs::remove_file(&record).unwrap();
    assert!(define(&record).unwrap_err().contains("cannot read"));
    assert!(!run(&["--extension"]).status.success());
}

#[test]
fn without_an_extension_it_says_what_it_is_for() {
    let output = run(&["define"]);
    let provider: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&provider["Name"], &provider["AvailableActions"]), (&json!("cluster"), &json!([])));
    assert!(provider["Documentation"].as_str().unwrap().contains("--extension"));
}
