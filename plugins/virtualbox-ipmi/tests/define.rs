//! What the plugin says about itself.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{check_define, check_page, define};
use serde_json::{Value, json};

const PLUGIN: &str = env!("CARGO_BIN_EXE_virtualbox-ipmi");

#[tokio::test]
async fn define_is_golden() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/define.json");
    check_define(PLUGIN, env!("CARGO_PKG_VERSION"), golden).await.unwrap();
}

#[tokio::test]
async fn the_definition_keeps_what_users_of_digital_rebar_know() {
    let provider = define(PLUGIN).await.unwrap();
    assert!(!provider.auto_start && !provider.has_publish);
    assert_eq!((provider.name.as_str(), provider.plugin_version), ("virtualbox-ipmi", 4));
    assert_eq!(provider.required_params, ["virtualbox/user"]);
    assert!(provider.optional_params.iter().any(|p| p == "virtualbox/vm-path"));
    let action = |command: &str| provider.available_actions.iter().find(|a| a.command == command).unwrap();
    for command in
        ["poweron", "poweroff", "powercycle", "nextbootpxe", "nextbootdisk", "powerstatus", "powersoft"]
    {
        assert_eq!(action(command).model, "machines");
        assert_eq!(action(command).required_params, ["virtualbox/id"], "{command}");
    }
    for command in ["createVm", "startVm", "stopVm", "destroyVm"] {
        assert_eq!(action(command).model, "plugins");
        assert_eq!(action(command).required_params, ["virtualbox/user"], "{command}");
        for known in ["virtualbox/id", "virtualbox/name"] {
            assert!(action(command).optional_params.iter().any(|p| p == known), "{command} {known}");
        }
    }
    for known in ["cpus", "disk-size-mb", "mem-size-mb", "vram-size-mb"] {
        let known = format!("virtualbox/{known}");
        assert!(action("createVm").optional_params.contains(&known), "{known}");
    }
    let content: Value = serde_json::from_str(&provider.content).unwrap();
    let sections = &content["sections"];
    let params = &sections["params"];
    assert_eq!(params["virtualbox/ssh-key"]["Secure"], json!(true));
    for (param, default) in
        [("cpus", 2), ("mem-size-mb", 2048), ("disk-size-mb", 20480), ("vram-size-mb", 128)]
    {
        assert_eq!(params[format!("virtualbox/{param}")]["Schema"]["default"], default);
    }
    for (section, name) in [
        ("stages", "virtualbox-discover"),
        ("stages", "virtualbox-other-nics"),
        ("tasks", "virtualbox-discover-uuid"),
        ("workflows", "discover-virtualbox"),
        ("templates", "virtualbox-discover-uuid.sh.tmpl"),
        ("templates", "virtualbox-other-nics.sh.tmpl"),
    ] {
        assert!(sections[section].get(name).is_some(), "{section}/{name}");
    }
    for action in &provider.available_actions {
        for param in action.required_params.iter().chain(&action.optional_params) {
            assert!(params.get(param).is_some(), "{param} is not declared");
        }
    }
}

#[tokio::test]
async fn the_documentation_names_every_action_param_and_error() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/virtualbox-ipmi.md");
    check_page(path, &define(PLUGIN).await.unwrap()).unwrap();
    let page = std::fs::read_to_string(path).unwrap();
    let kinds = include_str!("../../lib/vbox/src/error.rs").split("=> \"").skip(1);
    let own = include_str!("../src/answer.rs").split(", \"").skip(1);
    for word in kinds.chain(own).filter_map(|rest| rest.split('"').next()) {
        if word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            assert!(page.contains(&format!("`{word}`")), "error type {word} is not documented");
        }
    }
}
