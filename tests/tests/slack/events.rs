//! What is told, and what is not.

use crate::rig::{Rig, told};
use drp_tests::peers::slack::Slack;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn machines_jobs_and_plugins_are_told_by_default_and_nothing_else() {
    let rig = Rig::start(json!({})).await;
    let machine = rig
        .daemon
        .expect(
            201,
            "POST",
            "machines",
            json!({"Name": "node-1", "Description": "rack 7", "Address": "192.0.2.7"}),
        )
        .await;
    let created = rig.slack.message("Machine *node-1* was created").await;
    assert_eq!(created.channel, "ops");
    let whole = created.whole();
    for part in
        ["*Address*\\n192.0.2.7", "*Description*\\nrack 7", "user:rocketskates", "machines.create", " UTC"]
    {
        assert!(whole.contains(part), "{part} in {whole}");
    }
    // Nobody asked for these.
    rig.daemon.expect(201, "POST", "profiles", json!({"Name": "quiet-profile"})).await;
    let id = machine["Uuid"].as_str().unwrap();
    rig.daemon.expect(200, "POST", &format!("machines/{id}/params/quiet-param"), json!(1)).await;

    // A plugin in trouble, and a job that fails by it.
    rig.daemon.expect(201, "POST", "plugins", json!({"Name": "bad", "Provider": "stress"})).await;
    rig.daemon.wait_plugin("bad").await;
    let path = "/api/v3/system/actions/crash?plugin=bad";
    assert_eq!(rig.daemon.call("POST", path, json!({})).await.status, 409);
    let crashed = rig.slack.message("Plugin *bad*: Plugin crashed").await;
    assert!(crashed.whole().contains("plugins.save"), "{crashed:?}");
    rig.daemon.wait_plugin("bad").await;
    let tasked = json!({"Name": "node-2", "Tasks": ["action:bad:error"]});
    let tasked = rig.daemon.expect(201, "POST", "machines", tasked).await;
    let job = rig.daemon.call("POST", "/api/v3/jobs", json!({"Machine": tasked["Uuid"]})).await;
    assert_eq!(job.json()["State"], "failed");
    let failed = rig.slack.message("Task *action:bad:error* failed on machine *node-2*").await;
    assert!(failed.whole().contains("jobs."), "{failed:?}");

    rig.daemon.expect(200, "DELETE", &format!("machines/{id}"), Value::Null).await;
    rig.slack.message("Machine *node-1* was deleted").await;
    let everything: String = rig.slack.messages().iter().map(|m| m.whole()).collect();
    assert!(!everything.contains("quiet"), "{everything}");
    for request in rig.slack.requests() {
        assert_eq!(request.query, "", "nothing is in a query string");
        assert!(!request.body.contains("canary"), "{request:?}");
        assert_eq!(request.headers["content-type"], "application/json; charset=utf-8");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_is_told_once() {
    let rig = Rig::start(json!({"slack/events": ["jobs.create,update,save.* where State=failed"]})).await;
    rig.event("jobs", "update", "j1", json!({"State": "running", "Task": "t1"})).await;
    rig.event("jobs", "update", "j1", json!({"State": "failed", "Task": "t1", "Machine": "nobody"})).await;
    rig.event("jobs", "save", "j2", json!({"State": "failed", "Task": "t2"})).await;
    rig.slack.message("Task *t2* failed").await;
    let messages = rig.slack.messages();
    assert_eq!(told(&messages, "ops"), 2, "{messages:#?}");
    assert!(messages[0].text().contains("Task *t1* failed on machine *nobody*"), "{messages:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_conditions_and_templates() {
    let rig = Rig::start(json!({
        "slack/channels": ["#ops", "C02"],
        "slack/events": ["lamp.on,off.*", "machines.update.* where Description=ready and Runnable", "profiles.*.green"],
        "slack/template": {
            "lamp.on": {"Summary": "<@U7> {{ Object.Name }} shines {{ Object.How }}", "Fields": {"Where": "{{ Object.Place }}"}},
            "lamp": "lamp {{ Key }} is {{ Action }}",
        },
    }))
    .await;
    rig.event("lamp", "on", "l1", json!({"Name": "<!channel> & co", "How": ["a", "b"], "Place": "hall"}))
        .await;
    rig.event("lamp", "broken", "dark-lamp", json!({})).await;
    rig.event("lamp", "off", "l3", json!({})).await;
    let shown = rig.slack.message("shines").await;
    assert_eq!(shown.text(), "<@U7> &lt;!channel&gt; &amp; co shines a, b");
    assert!(shown.whole().contains("*Where*\\nhall"), "{shown:?}");
    rig.slack.message("lamp l3 is off").await;
    for name in ["green", "blue-profile"] {
        rig.daemon.expect(201, "POST", "profiles", json!({"Name": name})).await;
    }
    rig.slack.message("Profile *green* was created").await;
    let machine = rig.daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let path = format!("machines/{}", machine["Uuid"].as_str().unwrap());
    for text in ["almost", "ready", "ready"] {
        let patch = json!([{"op": "replace", "path": "/Description", "value": text}]);
        rig.daemon.expect(200, "PATCH", &path, patch).await;
    }
    let changed = rig.slack.message("Machine *m1* was changed").await;
    assert!(changed.whole().contains("*Description*\\nalmost → ready"), "{changed:?}");
    // Both channels are told the same, and nothing else is.
    let all =
        rig.slack.until("both channels were told", |m| told(m, "ops") == 4 && told(m, "dev") == 4).await;
    let everything: String = all.iter().map(|m| m.whole()).collect();
    assert!(!everything.contains("dark-lamp") && !everything.contains("blue-profile"), "{everything}");
}

#[tokio::test(flavor = "multi_thread")]
async fn its_own_troubles_are_not_told_again_and_again() {
    let rig = Rig::start(json!({
        "slack/channels": ["#ops", "#other"], "slack/events": ["log.warn,error.*", "lamp.*.*"],
    }))
    .await;
    // The bot is not in #other, which is logged by the plugin; that line is an event.
    rig.event("lamp", "on", "l1", json!({})).await;
    rig.daemon.wait_log("not_in_channel");
    rig.slack.message("Lamp *l1*: on").await;
    rig.event("lamp", "off", "l2", json!({})).await;
    rig.slack.message("Lamp *l2*: off").await;
    let everything: String = rig.slack.messages().iter().map(|m| m.whole()).collect();
    assert!(!everything.contains("not_in_channel"), "{everything}");
    let status = rig.until("#other refuses", |status| status["channels"][1]["error"] != "").await;
    let other = &status["channels"][1];
    assert_eq!(other["channel"], "#other");
    assert!(other["error"].as_str().unwrap().contains("not_in_channel"), "{status:#}");
    assert!(other["next"].as_str().unwrap().contains("/invite"), "{status:#}");
    // Invited, it gets what waited.
    rig.slack.channel("other", "C03", true);
    rig.slack.until("#other was told", |m| told(m, "other") == 2).await;
    rig.until("#other is well", |status| status["channels"][1]["error"] == "").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_is_told_before_the_end() {
    let rig = Rig::start(json!({"slack/pace": 3600, "slack/digest-after": 100})).await;
    for name in ["n1", "n2", "n3", "n4"] {
        rig.machine(name).await;
    }
    rig.slack.message("*n1* was created").await;
    rig.until("three wait", |status| status["channels"][0]["pending"] == 3).await;
    assert_eq!(rig.slack.messages().len(), 1, "the pace is an hour");
    let Rig { slack, daemon } = rig;
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    let messages = slack.messages();
    assert_eq!(told(&messages, "ops"), 4, "{messages:#?}\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn over_https_and_by_webhook() {
    let slack = Slack::start_tls().await;
    let ca = slack.certificate().to_owned();
    let hook = json!({"slack/bot-key": null, "slack/api-url": null, "slack/channels": null,
                      "slack/webhook-url": slack.webhook_url(), "slack/tls-ca": ca});
    let rig = Rig::with(slack, hook).await;
    rig.machine("n1").await;
    let message = rig.slack.message("*n1* was created").await;
    assert_eq!(message.channel, "webhook");
    assert!(message.body.get("channel").is_none(), "{message:?}");
    let answer = rig.act("system/actions/slackpost", json!({"slack/message": "hello"})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    rig.slack.message("hello").await;
    assert_eq!(rig.status().await["way"], "webhook");
    // The same with a token, by a change of the plugin object.
    rig.reconfigure(crate::rig::params(&rig.slack, json!({"slack/tls-ca": ca}))).await;
    rig.machine("n2").await;
    assert_eq!(rig.slack.message("*n2* was created").await.channel, "ops");
}
