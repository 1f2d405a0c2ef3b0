//! What the plugin says about itself.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{check_define, check_page, define};
use serde_json::{Value, json};

const IPMI: &str = env!("CARGO_BIN_EXE_ipmi");

#[tokio::test]
async fn define_is_golden() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/define.json");
    check_define(IPMI, env!("CARGO_PKG_VERSION"), golden).await.unwrap();
}

#[tokio::test]
async fn the_definition_keeps_what_users_of_digital_rebar_know() {
    let provider = define(IPMI).await.unwrap();
    assert!(provider.auto_start && !provider.has_publish);
    assert_eq!((provider.name.as_str(), provider.plugin_version), ("ipmi", 4));
    assert!(provider.required_params.is_empty());
    assert_eq!(provider.optional_params, ["ipmi/local-allowed"]);
    for command in [
        "poweron",
        "poweroff",
        "powercycle",
        "powerstatus",
        "nextbootcd",
        "nextbootpxe",
        "nextbootdisk",
        "forcebootpxe",
        "forcebootdisk",
        "identify",
    ] {
        let action = provider.available_actions.iter().find(|a| a.command == command).unwrap();
        assert_eq!(action.model, "machines");
        assert_eq!(
            action.required_params,
            ["ipmi/username", "ipmi/password", "ipmi/address", "ipmi/mode"],
            "{command}"
        );
        for known in
            ["ipmi/port-ipmitool", "ipmi/port-racadm", "ipmi/port-redfish", "ipmi/port-lpar", "ipmi/lpar-id"]
        {
            assert!(action.optional_params.iter().any(|p| p == known), "{command} {known}");
        }
    }
    let content: Value = serde_json::from_str(&provider.content).unwrap();
    let params = &content["sections"]["params"];
    for secret in ["ipmi/password", "ipmi/kg", "ipmi/configure/password", "ipmi/configure/key"] {
        assert_eq!(params[secret]["Secure"], json!(true), "{secret}");
        assert_eq!(params[secret]["Schema"].get("default"), None, "{secret} has a published default");
    }
    assert_eq!(params["ipmi/mode"]["Schema"]["default"], "ipmi");
    // Every param that an action takes is declared here, except the one that belongs to another pack.
    for action in &provider.available_actions {
        for param in action.required_params.iter().chain(&action.optional_params) {
            assert!(param == "detected-bios-mode" || params.get(param).is_some(), "{param} is not declared");
        }
    }
}

#[tokio::test]
async fn the_documentation_names_every_action_param_and_error() {
    let page = include_str!("../../../docs/plugins/ipmi.md");
    let provider = define(IPMI).await.unwrap();
    for action in &provider.available_actions {
        assert!(page.contains(&format!("`{}`", action.command)), "{} is not documented", action.command);
        for param in &action.optional_params {
            let other_driver = ["racadm", "redfish", "lpar"].iter().any(|driver| param.contains(driver));
            assert!(other_driver || page.contains(param), "{param} is not documented");
        }
    }
    let kinds = include_str!("../../lib/bmc/src/error.rs");
    for word in kinds.split("=> \"").skip(1).filter_map(|rest| rest.split('"').next()) {
        if word.chars().all(|c| c.is_ascii_uppercase() || c == '_') {
            assert!(page.contains(&format!("`{word}`")), "error type {word} is not documented");
        }
    }
}

#[tokio::test]
async fn the_generated_parts_of_the_page_are_what_define_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/ipmi.md");
    check_page(page, &define(IPMI).await.unwrap()).unwrap();
}
