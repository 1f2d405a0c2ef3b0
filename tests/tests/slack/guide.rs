//! The commands of docs/plugins/slack.md, as they stand there.

use crate::rig::daemon;
use drp_plugin_testkit::FakeDaemon;
use drp_protocol::Event;
use drp_tests::daemon::{Daemon, binary};
use drp_tests::peers::slack::{Slack, TOKEN};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};

const PAGE: &str = include_str!("../../../docs/plugins/slack.md");

/// Runs a command of the page with the daemon's local socket, and gives what it prints.
fn run(daemon: &Daemon, command: &str, input: &str) -> String {
    assert!(PAGE.contains(command), "{command} is not on the page");
    let shell = command.replacen("drp ", "\"$DRP\" ", 1);
    let mut child = Command::new("sh")
        .args(["-c", &shell])
        .env("DRP", binary("drp"))
        .env("DRP_SOCKET", &daemon.socket)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {shown}{errors}\n{}", daemon.log());
    assert!(!format!("{shown}{errors}").contains(TOKEN), "{command}: {shown}{errors}");
    shown
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_of_the_page() {
    let slack = Slack::start().await;
    let daemon = daemon();
    // So that the page's own commands do not ask the real Slack.
    daemon.expect(200, "POST", "profiles/global/params/slack/api-url", json!(slack.api_url())).await;
    let create = r##"drp plugins create '{"Name": "slack", "Provider": "slack", "Params": {"slack/channels": ["#ops"]}}'"##;
    run(&daemon, create, "");
    let missing =
        |a: &drp_tests::daemon::Answer| a.text().contains("neither slack/bot-key nor slack/webhook-url");
    daemon.wait_for("plugins/slack", missing).await;
    run(&daemon, "drp plugins set slack param slack/bot-key to -", &json!(TOKEN).to_string());
    daemon.wait_plugin("slack").await;
    let status = run(&daemon, "drp system runaction slackstatus", "");
    assert!(status.contains("DRP test"), "{status}");
    run(
        &daemon,
        r##"drp system runaction slackpost slack/message "maintenance at 18:00" slack/channel '"#dev"'"##,
        "",
    );
    assert_eq!(slack.message("maintenance at 18:00").await.channel, "dev");
    daemon.expect(201, "POST", "machines", json!({"Name": "node-1"})).await;
    let back =
        r##"drp machines runaction Name:node-1 slackpost slack/message '"*{{ Object.Name }}* is back"'"##;
    run(&daemon, back, "");
    slack.message("*node-1* is back").await;
    // In a list of tasks.
    assert!(PAGE.contains("`action:slackpost`"));
    let tasked = json!({"Name": "node-2", "Tasks": ["action:slackpost"],
                        "Params": {"slack/message": "{{ Object.Name }} got so far"}});
    let tasked = daemon.expect(201, "POST", "machines", tasked).await;
    daemon.call("POST", "/api/v3/jobs", json!({"Machine": tasked["Uuid"]})).await;
    slack.message("node-2 got so far").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_rule_and_template_of_the_page_is_taken() {
    let rules: Vec<&str> = PAGE
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split_once('`'))
        .map(|(rule, _)| rule)
        .filter(|rule| rule.splitn(3, '.').count() == 3)
        .collect();
    assert!(rules.len() >= 7, "{rules:?}");
    let block = PAGE.split("```json\n").nth(1).unwrap().split("```").next().unwrap();
    let template: Value = serde_json::from_str(block).unwrap();
    let slack = Slack::start().await;
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = daemon.launch(binary("slack"), "bell").await.unwrap();
    let params = crate::rig::params(&slack, json!({"slack/events": rules, "slack/template": template}));
    plugin.config(params).await.unwrap().success().unwrap();
    // A stream that breaks is told with the next message.
    let before = daemon.api().registered().len();
    daemon.api().hang_up();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while daemon.api().registered().len() < 2 * before {
        assert!(std::time::Instant::now() < end, "the stream does not come back");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let event =
        |key: &str| Event::now("machines", "create", key, json!({"Name": "n1", "Address": "192.0.2.7"}));
    daemon.api().emit(&event("k1"));
    let told = slack.message(":tada: *n1* at 192.0.2.7 is here").await;
    assert!(
        told.whole().contains("the event stream broke once; events in between may be missing"),
        "{told:?}"
    );
    assert!(plugin.stop().await.unwrap().success());
}
