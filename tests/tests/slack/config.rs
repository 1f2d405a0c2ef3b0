//! Settings: what is wrong with them is said, and a change takes effect without leak or repetition.

use crate::rig::{NAME, Rig, create, daemon, errors, params, told};
use drp_plugin_testkit::FakeDaemon;
use drp_protocol::Event;
use drp_tests::daemon::binary;
use drp_tests::peers::slack::Slack;
use serde_json::{Value, json};

/// What the plugin object says when it has these params.
async fn refused(slack: &Slack, more: Value) -> String {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = daemon.launch(binary("slack"), NAME).await.unwrap();
    let error = plugin.config(params(slack, more)).await.unwrap().error().unwrap();
    assert!(plugin.stop().await.unwrap().success());
    assert_ne!(error.code, 403, "which would withdraw the provider");
    error.messages.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_an_error_of_the_plugin_that_names_slacks() {
    let slack = Slack::start().await;
    let daemon = daemon();
    create(&daemon, params(&slack, json!({"slack/bot-key": "xoxb-wrong"}))).await;
    let shown = errors(&daemon).await;
    for part in ["CREDENTIALS", "invalid_auth", "What to do: set slack/bot-key"] {
        assert!(shown.contains(part), "{part} in {shown}");
    }
    assert!(!shown.contains("xoxb-wrong"), "{shown}");
    // Corrected, it runs.
    daemon
        .expect(
            200,
            "POST",
            &format!("plugins/{NAME}/params/slack/bot-key"),
            json!(drp_tests::peers::slack::TOKEN),
        )
        .await;
    daemon.wait_plugin(NAME).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "n1"})).await;
    slack.message("*n1* was created").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_refusal_says_what_to_do() {
    let slack = Slack::start().await;
    for (error, advice) in [
        ("account_inactive", "install the app again"),
        ("token_revoked", "install the app again"),
        ("token_expired", "fresh slack/bot-key"),
        ("not_allowed_token_type", "xoxb-"),
        ("ekm_access_denied", "administrator"),
    ] {
        slack.refuse_token(Some(error));
        let shown = refused(&slack, json!({})).await;
        assert!(shown.contains(error) && shown.contains(advice), "{shown}");
    }
    slack.refuse_token(None);
    slack.scopes("channels:read");
    let shown = refused(&slack, json!({})).await;
    assert!(shown.contains("missing_scope") && shown.contains("lacks chat:write"), "{shown}");
    slack.scopes("chat:write");
    let shown = refused(&slack, json!({"slack/channels": null})).await;
    assert!(shown.contains("missing_scope") && shown.contains("channels:read"), "{shown}");

    let hook = |url: String| json!({"slack/bot-key": null, "slack/channels": null, "slack/webhook-url": url});
    let good = slack.webhook_url();
    for (url, named) in [(format!("{good}x"), "invalid_token"), (good.replace("B01", "B99"), "no_service")] {
        let shown = refused(&slack, hook(url)).await;
        assert!(shown.contains(named) && shown.contains("slack/webhook-url"), "{shown}");
        assert!(!shown.contains("Canary"), "{shown}");
    }
    slack.archive_webhook();
    assert!(refused(&slack, hook(good)).await.contains("channel_is_archived"));
    assert_eq!(slack.messages().len(), 0, "checking posts nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn params_that_are_missing_or_wrong_are_named() {
    let slack = Slack::start().await;
    for (more, named) in [
        (json!({"slack/bot-key": null}), "neither slack/bot-key nor slack/webhook-url"),
        (
            json!({"slack/webhook-url": "https://hooks.slack.com/services/T/B/x"}),
            "both slack/bot-key and slack/webhook-url",
        ),
        (json!({"slack/bot-key": 7}), "slack/bot-key is no text"),
        (json!({"slack/api-url": "http://192.0.2.1/api"}), "slack/api-url is neither https"),
        (json!({"slack/channels": "ops"}), "slack/channels is no list"),
        (json!({"slack/events": ["*.*.*"]}), "it would tell Slack everything"),
        (json!({"slack/events": ["machines"]}), "slack/events: `machines`"),
        (json!({"slack/events": ["machine.create.*"]}), "did you mean `machines`?"),
        (json!({"slack/events": ["machines.update.* where Runnable==false"]}), "there is no operator `==`"),
        (json!({"slack/template": {"jobs": "{{ x }}"}}), "slack/template: jobs"),
        (json!({"slack/pace": 0}), "slack/pace is 0"),
        (json!({"slack/tls-ca": "no PEM"}), "slack/tls-ca"),
    ] {
        let shown = refused(&slack, more.clone()).await;
        assert!(shown.contains(named) && shown.contains("What to do: "), "{more}: {shown}");
    }
    assert!(slack.requests().is_empty(), "nothing is sent before the settings are right");
    // The daemon knows the schemas and refuses most of it before.
    let daemon = daemon();
    let plugin = json!({"Name": NAME, "Provider": "slack", "Params": {"slack/channels": "ops"}});
    let answer = daemon.call("POST", "/api/v3/plugins", plugin).await;
    assert!(answer.status == 422 && answer.text().contains("slack/channels"), "{}", answer.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_nobody_vouches_for_is_refused() {
    let slack = Slack::start_tls().await;
    let shown = refused(&slack, json!({})).await;
    assert!(shown.contains("certificate") && shown.contains("slack/tls-ca"), "{shown}");
    let other = Slack::start_tls().await;
    let shown = refused(&slack, json!({"slack/tls-ca": other.certificate()})).await;
    assert!(shown.contains("is not believed"), "{shown}");
    assert!(slack.requests().is_empty(), "no token goes to whom is not believed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_is_away_at_the_start_is_no_error() {
    let slack = Slack::start().await;
    slack.down().await;
    let rig = Rig::with(slack, json!({})).await;
    rig.machine("n1").await;
    rig.daemon.wait_log("could not be checked yet");
    rig.slack.up().await;
    rig.slack.message("*n1* was created").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_channels_all_that_the_bot_is_in_are_told() {
    let slack = Slack::start().await;
    slack.private_channel("secret-lab", "C07");
    slack.channel("old", "C08", true);
    slack.archive("old");
    let rig = Rig::with(slack, json!({"slack/channels": null})).await;
    rig.machine("n1").await;
    let all = |m: &[_]| ["ops", "dev", "secret-lab"].iter().all(|channel| told(m, channel) == 1);
    let messages = rig.slack.until("three channels were told", all).await;
    assert_eq!(messages.len(), 3, "{messages:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_config_replaces_the_old_sender() {
    let slack = Slack::start().await;
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = daemon.launch(binary("slack"), NAME).await.unwrap();
    let with =
        |channel: &str| params(&slack, json!({"slack/channels": [channel], "slack/events": ["lamp.*.*"]}));
    plugin.config(with("#ops")).await.unwrap().success().unwrap();
    let lamp = |key: &str| daemon.api().emit(&Event::now("lamp", "on", key, json!({})));
    lamp("l1");
    slack.message("Lamp *l1*: on").await;
    let before = threads_and_files(plugin.pid().unwrap());
    for _ in 0..5 {
        plugin.config(with("#dev")).await.unwrap().success().unwrap();
    }
    lamp("l2");
    slack.message("Lamp *l2*: on").await;
    // A config that fails leaves the running sender as it is.
    plugin.config(params(&slack, json!({"slack/bot-key": "xoxb-wrong"}))).await.unwrap().error().unwrap();
    lamp("l3");
    let messages = slack.until("l3 was told", |m| m.iter().any(|m| m.whole().contains("*l3*"))).await;
    let seen: Vec<_> = messages.iter().map(|m| m.channel.as_str()).collect();
    assert_eq!(seen, ["ops", "dev", "dev"], "{messages:#?}");
    let after = threads_and_files(plugin.pid().unwrap());
    assert!(after <= before + 4, "{before} files and threads became {after}");
    assert!(plugin.stop().await.unwrap().success());
    assert_eq!(slack.messages().len(), 3);
}

fn threads_and_files(pid: u32) -> usize {
    let count = |what: &str| std::fs::read_dir(format!("/proc/{pid}/{what}")).unwrap().count();
    count("task") + count("fd")
}
