//! What people post themselves, and what they see of the channels.

use crate::rig::Rig;
use drp_tests::daemon::binary;
use drp_tests::peers::slack::{Fault, Slack, TOKEN};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn slackpost_on_machines_and_system() {
    let rig = Rig::start(json!({"slack/channels": ["#ops", "#dev"], "slack/events": []})).await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "node-1", "Description": "<rack>"})).await;
    let on = "machines/Name:node-1/actions/slackpost";
    let posted = rig.act(on, json!({"slack/message": "*{{ Object.Name }}* ({{ Object.Description }}) is back", "slack/channel": "#dev"})).await;
    assert_eq!(posted.status, 200, "{}", posted.text());
    assert_eq!(posted.json()["posted"][0]["channel"], "#dev");
    assert!(posted.json()["posted"][0]["ts"].as_str().unwrap().starts_with("17"), "{}", posted.text());
    let message = rig.slack.message("is back").await;
    assert_eq!((message.channel.as_str(), message.text()), ("dev", "*node-1* (&lt;rack&gt;) is back"));
    // Without words: the machine itself, in all channels.
    let card = rig.act(on, json!({})).await;
    assert_eq!(card.json()["posted"].as_array().unwrap().len(), 2, "{}", card.text());
    let card = rig.slack.message("Machine *node-1*").await;
    assert!(card.whole().contains("*Description*\\n&lt;rack&gt;"), "{card:?}");
    // On the system words are words.
    let system = "system/actions/slackpost";
    let words = "<!here> {{ maintenance }} at 18:00";
    assert_eq!(rig.act(system, json!({"slack/message": words})).await.status, 200);
    assert_eq!(rig.slack.message("maintenance").await.text(), words);
    let actions = rig.daemon.get("machines/Name:node-1/actions").await;
    assert!(actions.to_string().contains("slackpost"), "{actions}");
}

#[tokio::test(flavor = "multi_thread")]
async fn slackpost_says_what_is_wrong() {
    let rig = Rig::start(json!({"slack/events": []})).await;
    rig.slack.private_channel("lab", "C09");
    rig.slack.channel("archived", "C10", true);
    rig.slack.archive("archived");
    let system = "system/actions/slackpost";
    let hello = |channel: &str| json!({"slack/message": "hello", "slack/channel": channel});
    for (params, code, kind, named) in [
        (json!({}), 400, "PARAM", "slack/message is missing"),
        (json!({"slack/message": "x".repeat(40_001)}), 400, "PARAM", "40001 characters"),
        (hello("two words"), 400, "PARAM", "slack/channel: `two words` is no channel"),
        (hello("#nowhere"), 502, "CHANNEL", "channel_not_found"),
        (hello("#other"), 502, "CHANNEL", "not_in_channel"),
        (hello("#archived"), 502, "CHANNEL", "is_archived"),
    ] {
        let answer = rig.act(system, params.clone()).await;
        let error = answer.json();
        assert_eq!((answer.status, &error["Type"]), (code, &json!(kind)), "{params}: {error}");
        assert!(error.to_string().contains(named) && error.to_string().contains("What to do: "), "{error}");
    }
    for (fault, code, kind, named) in [
        (Fault::Error("restricted_action", 200), 502, "CHANNEL", "restricted_action"),
        (Fault::Error("never_heard_of", 200), 502, "CHANNEL", "never_heard_of"),
        (Fault::Error("token_revoked", 200), 401, "CREDENTIALS", "token_revoked"),
        (Fault::Error("msg_too_long", 200), 400, "MESSAGE", "msg_too_long"),
        (Fault::Error("service_unavailable", 503), 502, "REFUSED", "service_unavailable"),
        (Fault::Page(502), 504, "UNCONFIRMED", "status 502"),
        (Fault::Garbage, 504, "UNCONFIRMED", "it is not known"),
        (Fault::Limited(1), 502, "RATE_LIMITED", "429"),
    ] {
        rig.slack.faults([fault.clone()]);
        let answer = rig.act(system, hello("#ops")).await;
        let error = answer.json();
        assert_eq!((answer.status, &error["Type"]), (code, &json!(kind)), "{fault:?}: {error}");
        assert!(error.to_string().contains(named), "{error}");
    }
    let machine = rig.daemon.expect(201, "POST", "machines", json!({"Name": "n1"})).await;
    let path = format!("machines/{}/actions/slackpost", machine["Uuid"].as_str().unwrap());
    let wrong = rig.act(&path, json!({"slack/message": "{{ Name }}"})).await;
    assert!(wrong.status == 400 && wrong.text().contains("`Name` is no field"), "{}", wrong.text());
    assert_eq!(rig.slack.messages().len(), 0, "none of it was posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn slackpost_posts_at_most_once() {
    let rig = Rig::start(json!({"slack/events": []})).await;
    rig.slack.faults([Fault::LoseAnswer]);
    let system = "system/actions/slackpost";
    let answer = rig.act(system, json!({"slack/message": "only once"})).await;
    assert_eq!((answer.status, &answer.json()["Type"]), (504, &json!("UNCONFIRMED")), "{}", answer.text());
    // A long pause of Slack's is told at once and not waited for.
    rig.slack.faults([Fault::Limited(3000)]);
    assert_eq!(rig.act(system, json!({"slack/message": "too much"})).await.status, 502);
    let answer = rig.act(system, json!({"slack/message": "too soon"})).await;
    assert_eq!((answer.status, &answer.json()["Type"]), (502, &json!("RATE_LIMITED")), "{}", answer.text());
    assert!(
        answer.text().contains("not posted") && answer.text().contains("ask again after"),
        "{}",
        answer.text()
    );
    assert!(!answer.text().contains("it is tried again"), "{}", answer.text());
    let texts: Vec<_> = rig.slack.messages().iter().map(|m| m.text().to_owned()).collect();
    assert_eq!(texts, ["only once"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_has_one_channel() {
    let slack = Slack::start().await;
    let hook = json!({"slack/bot-key": null, "slack/api-url": null, "slack/channels": null,
                      "slack/webhook-url": slack.webhook_url()});
    let rig = Rig::with(slack, hook).await;
    let answer =
        rig.act("system/actions/slackpost", json!({"slack/message": "x", "slack/channel": "#ops"})).await;
    assert!(
        answer.status == 400 && answer.text().contains("a webhook posts into the one channel"),
        "{}",
        answer.text()
    );
    for (fault, code, named) in [
        (Fault::Error("invalid_token", 403), 401, "invalid_token"),
        (Fault::Error("action_prohibited", 403), 502, "action_prohibited"),
        (Fault::Error("channel_is_archived", 410), 502, "channel_is_archived"),
        (Fault::Error("rollup_error", 500), 504, "status 500"),
        (Fault::LoseAnswer, 504, "it is not known"),
    ] {
        rig.slack.faults([fault.clone()]);
        let answer = rig.act("system/actions/slackpost", json!({"slack/message": "x"})).await;
        assert!(answer.status == code && answer.text().contains(named), "{fault:?}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn slackstatus_shows_how_the_channels_do() {
    let rig = Rig::start(json!({"slack/channels": ["#ops", "#nowhere"]})).await;
    rig.machine("n1").await;
    rig.slack.message("*n1* was created").await;
    rig.daemon.wait_log("channel_not_found");
    let status = rig.until("n1 is sent", |status| status["channels"][0]["sent"] == 1).await;
    assert_eq!(
        status["check"],
        json!({"ok": true, "workspace": "DRP test", "user": "drp", "scopes": ["chat:write", "channels:read", "groups:read"]})
    );
    assert_eq!((&status["way"], &status["events"][0]), (&json!("bot"), &json!("machines.create,delete.*")));
    let ops = &status["channels"][0];
    assert_eq!((&ops["channel"], &ops["sent"], &ops["error"]), (&json!("#ops"), &json!(1), &json!("")));
    let nowhere = &status["channels"][1];
    assert_eq!((&nowhere["pending"], &nowhere["sent"]), (&json!(1), &json!(0)), "{status:#}");
    assert!(nowhere["error"].as_str().unwrap().contains("channel_not_found"), "{status:#}");
    assert!(nowhere["next"].as_str().unwrap().contains("slack/channels"), "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_message_needs_no_daemon() {
    let slack = Slack::start().await;
    let mut command = std::process::Command::new(binary("drp"));
    command.args(["plugin", "run", binary("slack").to_str().unwrap(), "--action", "slackpost"]);
    command.args(["--param", "slack/message=by hand", "--config", "slack/bot-key=-"]);
    command.args([
        "--config",
        &format!("slack/api-url={}", slack.api_url()),
        "--config",
        "slack/channels=[\"#ops\"]",
    ]);
    let mut child = command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), format!("{TOKEN:?}").as_bytes()).unwrap();
    let output = tokio::task::spawn_blocking(move || child.wait_with_output().unwrap());
    let output = tokio::time::timeout(Duration::from_secs(60), output).await.unwrap().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{shown}{}", String::from_utf8_lossy(&output.stderr));
    let answer: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(answer["posted"][0]["channel"], "#ops", "{shown}");
    slack.message("by hand").await;
}
