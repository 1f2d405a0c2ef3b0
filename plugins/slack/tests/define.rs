//! What the plugin says about itself.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{check_define, check_page, define};
use serde_json::{Value, json};

const SLACK: &str = env!("CARGO_BIN_EXE_slack");
const PAGE: &str = include_str!("../../../docs/plugins/slack.md");

#[tokio::test]
async fn define_is_golden() {
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/define.json");
    check_define(SLACK, env!("CARGO_PKG_VERSION"), golden).await.unwrap();
}

#[tokio::test]
async fn the_definition_keeps_what_users_of_digital_rebar_know() {
    let provider = define(SLACK).await.unwrap();
    assert_eq!((provider.name.as_str(), provider.plugin_version), ("slack", 4));
    // Never every event, and never by itself.
    assert!(!provider.auto_start && !provider.has_publish);
    assert!(provider.optional_params.iter().any(|param| param == "slack/bot-key"));
    let actions: Vec<_> =
        provider.available_actions.iter().map(|a| (a.command_set(), a.command.as_str())).collect();
    assert_eq!(actions, [("machines", "slackpost"), ("system", "slackpost"), ("system", "slackstatus")]);
    let content: Value = serde_json::from_str(&provider.content).unwrap();
    let params = content["sections"]["params"].as_object().unwrap();
    for secret in ["slack/bot-key", "slack/webhook-url"] {
        assert_eq!(params[secret]["Secure"], json!(true), "{secret}");
        assert_eq!(params[secret]["Schema"].get("default"), None, "{secret} has a published default");
    }
    let actions = provider.available_actions.iter();
    let taken = actions.flat_map(|a| a.required_params.iter().chain(&a.optional_params));
    for param in taken.chain(&provider.optional_params) {
        assert!(params.contains_key(param), "{param} is not declared");
    }
    for param in params.values() {
        assert!(!param["Description"].as_str().unwrap().is_empty(), "{param}");
    }
    for field in ["DisplayName", "Description", "Documentation", "Icon", "Color", "Tags"] {
        assert!(!content["meta"][field].as_str().unwrap().is_empty(), "{field}");
    }
    let example = &content["sections"]["profiles"]["slack-example"]["Params"];
    for param in example.as_object().unwrap().keys() {
        assert!(params.contains_key(param) && params[param]["Secure"] != json!(true), "{param}");
    }
}

#[tokio::test]
async fn the_documentation_names_every_action_param_and_error() {
    let provider = define(SLACK).await.unwrap();
    for action in &provider.available_actions {
        assert!(PAGE.contains(&format!("`{}`", action.command)), "{} is not documented", action.command);
        for param in &action.optional_params {
            assert!(PAGE.contains(&format!("`{param}`")), "{param} is not documented");
        }
    }
    for param in &provider.optional_params {
        assert!(PAGE.contains(&format!("`{param}`")), "{param} is not documented");
    }
    let problems = include_str!("../src/problem.rs");
    let mut names = 0;
    // Each entry is `("name", Kind::…`, on one line or on several.
    for name in problems.split("Kind::").filter_map(|before| before.trim_end().strip_suffix("\",")) {
        let name = name.rsplit('"').next().unwrap();
        assert!(PAGE.contains(&format!("`{name}`")), "Slack's error {name} is not documented");
        names += 1;
    }
    assert_eq!(names, 42, "the whole table of errors was found");
    for word in [
        "PARAM",
        "CREDENTIALS",
        "CHANNEL",
        "MESSAGE",
        "REFUSED",
        "RATE_LIMITED",
        "CERTIFICATE",
        "UNREACHABLE",
        "UNCONFIRMED",
        "STATE",
        "UNKNOWN",
    ] {
        assert!(PAGE.contains(&format!("`{word}`")), "error type {word} is not documented");
    }
}

#[tokio::test]
async fn the_generated_parts_of_the_page_are_what_define_says() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plugins/slack.md");
    check_page(page, &define(SLACK).await.unwrap()).unwrap();
}
