//! What the plugin says about itself.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{check_define, check_page, define};
use serde_json::{Value, json};
use std::collections::BTreeSet;

const PACKET: &str = env!("CARGO_BIN_EXE_packet-ipmi");

#[tokio::test]
async fn define_is_golden() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/define.json");
    check_define(PACKET, env!("CARGO_PKG_VERSION"), golden).await.unwrap();
}

#[tokio::test]
async fn the_definition_keeps_what_users_of_digital_rebar_know() {
    let provider = define(PACKET).await.unwrap();
    assert!(!provider.auto_start && !provider.has_publish);
    assert_eq!((provider.name.as_str(), provider.plugin_version), ("packet-ipmi", 4));
    assert_eq!(provider.required_params, ["packet/api-key"]);
    for optional in ["packet/project-id", "packet/import-existing"] {
        assert!(provider.optional_params.iter().any(|p| p == optional), "{optional}");
    }
    let known: [(&str, &str, &[&str], &[&str]); 11] = [
        (
            "createVm",
            "plugins",
            &["packet/api-key"],
            &["packet/name", "packet/facility", "packet/plan", "packet/project-id"],
        ),
        ("startVm", "plugins", &["packet/api-key"], &["packet/uuid"]),
        ("stopVm", "plugins", &["packet/api-key"], &["packet/uuid"]),
        ("destroyVm", "plugins", &["packet/api-key"], &["packet/uuid"]),
        ("poweron", "machines", &["packet/uuid"], &[]),
        ("poweroff", "machines", &["packet/uuid"], &[]),
        ("powercycle", "machines", &["packet/uuid"], &[]),
        ("powerstatus", "machines", &["packet/uuid"], &[]),
        ("nextbootpxe", "machines", &["packet/uuid"], &[]),
        ("nextbootdisk", "machines", &["packet/uuid"], &[]),
        ("updatepxe", "machines", &["packet/uuid"], &["packet/ipxe-script-url", "packet/always-pxe"]),
    ];
    assert_eq!(provider.available_actions.len(), known.len());
    for (command, model, required, optional) in known {
        let action = provider.available_actions.iter().find(|a| a.command == command).unwrap();
        assert_eq!(
            (action.model.as_str(), action.required_params.as_slice()),
            (model, &required.map_strings()[..])
        );
        for param in optional {
            assert!(action.optional_params.iter().any(|p| p == param), "{command} {param}");
        }
    }
}

trait Strings {
    fn map_strings(&self) -> Vec<String>;
}

impl Strings for &[&str] {
    fn map_strings(&self) -> Vec<String> {
        self.iter().map(|s| (*s).to_owned()).collect()
    }
}

#[tokio::test]
async fn the_content_is_whole() {
    let provider = define(PACKET).await.unwrap();
    let content: Value = serde_json::from_str(&provider.content).unwrap();
    let sections = &content["sections"];
    let params = &sections["params"];
    assert_eq!(params["packet/api-key"]["Secure"], json!(true));
    let secure = params.as_object().unwrap().values().filter(|param| param["Secure"] == json!(true)).count();
    assert_eq!(secure, 1);
    for (name, default) in [
        ("packet/facility", json!("ewr1")),
        ("packet/plan", json!("baremetal_0")),
        ("packet/always-pxe", json!(true)),
        ("packet/import-existing", json!(false)),
    ] {
        assert_eq!(params[name]["Schema"]["default"], default, "{name}");
    }
    for (name, param) in params.as_object().unwrap() {
        assert!(param["Schema"]["type"].is_string() && param["Description"].is_string(), "{name}");
    }
    assert_eq!(
        sections["profiles"]["packet-console"]["Params"]["kernel-console"],
        json!("console=ttyS1,115200")
    );
    assert_eq!(
        sections["stages"]["packet-discover"]["Tasks"],
        json!(["packet-discover", "packet-console", "packet-ssh-keys"])
    );
    assert_eq!(sections["stages"]["packet-ssh-keys"]["Tasks"], json!(["packet-ssh-keys"]));
    assert_eq!(
        sections["workflows"]["discover-packet"]["Stages"],
        json!(["discover", "packet-discover", "sledgehammer-wait"])
    );
    let templates: BTreeSet<_> =
        sections["templates"].as_object().unwrap().keys().map(String::as_str).collect();
    let known = ["packet-console.sh.tmpl", "packet-discover-metadata.sh.tmpl", "packet-ssh-keys.sh.tmpl"];
    assert_eq!(templates, BTreeSet::from(known));
    for (name, task) in sections["tasks"].as_object().unwrap() {
        let id = task["Templates"][0]["ID"].as_str().unwrap();
        assert!(templates.contains(id), "task {name} names {id}");
    }
    // Every param that an action or the plugin takes is declared.
    let taken =
        provider.available_actions.iter().flat_map(|a| a.required_params.iter().chain(&a.optional_params));
    for param in taken.chain(&provider.required_params).chain(&provider.optional_params) {
        assert!(params.get(param).is_some(), "{param} is not declared");
    }
}

#[tokio::test]
async fn the_documentation_is_true_and_names_every_action_and_error() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/packet-ipmi.md");
    let provider = define(PACKET).await.unwrap();
    check_page(page, &provider).unwrap();
    let page = std::fs::read_to_string(page).unwrap();
    for action in &provider.available_actions {
        assert!(page.contains(&format!("`{}`", action.command)), "{} is not documented", action.command);
    }
    // The types of errors, as the sources have them.
    let sources = [
        include_str!("../src/metal/error.rs"),
        include_str!("../src/answer.rs"),
        include_str!("../src/plugin.rs"),
        include_str!("../src/work.rs"),
        include_str!("../src/provision.rs"),
    ];
    let words = sources.iter().flat_map(|text| text.split('"').skip(1).step_by(2));
    let kinds: BTreeSet<_> = words
        .filter(|word| word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_'))
        .filter(|word| !["POST", "DELETE", "EVENT", "INTERNAL"].contains(word))
        .collect();
    assert!(kinds.len() > 12, "{kinds:?}");
    for kind in kinds {
        assert!(page.contains(&format!("`{kind}`")), "error type {kind} is not documented");
    }
}
