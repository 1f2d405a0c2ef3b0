//! Promise P7: secrets are in no message, and turn up nowhere else.

use crate::rig::{NAME, Rig, errors};
use drp_tests::canary::Canary;
use drp_tests::peers::slack::{Fault, HOOK_SECRET, TOKEN};
use serde_json::json;

/// Secrets of a machine: a secure param, a param that is merely named so, one declared secure later, and one in words.
const SEALED: &str = "sealed-canary-4711";
const NAMED: &str = "named-canary-4711";
const DECLARED: &str = "declared-canary-4711";
const WORDS: &str = "words-canary-4711";

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_in_no_message_and_nowhere_else() {
    let everything = "{{ Object }} {{ Object.Params }} {{ Object.Params.site/door }} {{ Object.Params.site/sealed }} {{ Original }}";
    let rig = Rig::start(json!({
        "slack/events": ["machines.*.*", "lamp.*.*", "plugins.*.*", "system.*.*"],
        "slack/template": {"machines": {"Summary": everything, "Fields": {"door": "{{ Object.Params.site/door }}"}},
                           "plugins": everything, "lamp": everything, "system": everything},
    }))
    .await;
    let canary = Canary::new(&[TOKEN, HOOK_SECRET, SEALED]);
    let in_messages = Canary::new(&[TOKEN, HOOK_SECRET, SEALED, NAMED, DECLARED, WORDS]);
    let watch = canary.watch(rig.daemon.pid());
    let mut events = canary.events(&rig.daemon).await;
    let sealed = json!({"Name": "site/sealed", "Secure": true, "Schema": {"type": "string"}});
    rig.daemon.expect(201, "POST", "params", sealed).await;
    rig.daemon.expect(201, "POST", "machines", json!({"Name": "n1"})).await;
    for (param, value) in [("site/sealed", json!(SEALED)), ("site/root-password", json!(NAMED))] {
        let path = format!("machines/Name:n1/params/{param}");
        canary.look("result", rig.daemon.expect(200, "POST", &path, value).await.to_string());
    }
    // Declared after the plugin read which params are secure; the event is of somebody's own making and not sealed.
    let door = json!({"Name": "site/door", "Secure": true, "Schema": {"type": "object"}});
    rig.daemon.expect(201, "POST", "params", door).await;
    rig.event("lamp", "on", "l1", json!({"Params": {"site/door": {"pin": DECLARED}, "site/rack": "r7"}}))
        .await;
    rig.event(
        "lamp",
        "off",
        "l2",
        json!({"Text": format!("curl -H 'Authorization: Bearer {WORDS}' https://u:{WORDS}@h/")}),
    )
    .await;
    rig.slack.message("r7").await;
    rig.slack.message("(secret)@h").await;
    // By actions: the machine whole, and words with a secret in them.
    for (path, message) in [
        ("machines/Name:n1/actions/slackpost", "all: {{ Object }}".to_owned()),
        ("system/actions/slackpost", format!("oops xoxb-{WORDS}")),
    ] {
        let answer = rig.act(path, json!({"slack/message": message})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        canary.look("result", answer.text());
    }
    rig.slack.message("oops (secret)").await;
    // Everything that can fail, with answers that give the credentials back.
    rig.slack.faults([
        Fault::Error(TOKEN, 200),
        Fault::Page(503),
        Fault::Garbage,
        Fault::LoseAnswer,
        Fault::Error("invalid_auth", 200),
    ]);
    for _ in 0..5 {
        let answer = rig.act("system/actions/slackpost", json!({"slack/message": "fails"})).await;
        // Some of the faults are for the events that wait.
        canary.look(if answer.status == 200 { "result" } else { "error" }, answer.text());
    }
    rig.slack.down().await;
    let answer = rig.act("system/actions/slackpost", json!({"slack/message": "fails"})).await;
    canary.look("error", answer.text());
    canary.look("result", rig.status().await.to_string());
    rig.slack.up().await;
    canary.look("result", rig.daemon.get(&format!("plugins/{NAME}?aggregate=true")).await.to_string());
    canary.stop(watch);

    // The webhook's address, right and wrong.
    let watch = canary.watch(rig.daemon.pid());
    let hook = |url: String| json!({"slack/webhook-url": url, "slack/events": ["lamp.*.*"]});
    let url = rig.slack.webhook_url();
    canary.look("result", rig.reconfigure(hook(url.clone())).await.to_string());
    rig.slack.faults([Fault::LoseAnswer]);
    let answer = rig.act("system/actions/slackpost", json!({"slack/message": "by webhook"})).await;
    canary.look("error", answer.text());
    canary.look("result", rig.status().await.to_string());
    for wrong in [url.replace("http:", "nonsense:"), format!("{url}x")] {
        let path = format!("plugins/{NAME}/params/slack/webhook-url");
        canary.look("result", rig.daemon.expect(200, "POST", &path, json!(wrong)).await.to_string());
        canary.look("error", errors(&rig.daemon).await);
    }
    canary.stop(watch);
    canary.end_of(&rig.daemon, &mut events).await;
    canary.check(&["result", "error", "event", "daemon log", "log buffer", "environment", "argv", "file"]);

    for message in rig.slack.messages() {
        in_messages.look("message", message.whole());
    }
    for request in rig.slack.requests() {
        in_messages.look("body", format!("{} {}", request.query, request.body));
        let other = request.headers.iter().filter(|(name, _)| *name != "authorization");
        in_messages.look("header", format!("{:?}", other.collect::<Vec<_>>()));
    }
    in_messages.check(&["message", "body", "header"]);
}
