//! Bursts, pace, refusals, losses: what Slack and networks do to a notifier.

use crate::rig::{Rig, told};
use drp_tests::peers::slack::Fault;
use futures_util::{StreamExt, stream};
use serde_json::json;
use std::time::Duration;

/// Publishes that many events, some at a time.
async fn burst(rig: &Rig, count: usize) {
    let events =
        (0..count).map(|i| async move { rig.event("lamp", "on", &format!("l{i}"), json!({})).await });
    stream::iter(events).buffer_unordered(8).collect::<Vec<()>>().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_is_folded_into_digests_at_slacks_pace() {
    let rig = Rig::start(json!({"slack/channels": ["#ops", "#dev"], "slack/events": ["lamp.*.*"]})).await;
    rig.slack.strict();
    burst(&rig, 500).await;
    let messages = rig
        .slack
        .until("500 events were told twice", |m| told(m, "ops") >= 500 && told(m, "dev") >= 500)
        .await;
    assert_eq!((told(&messages, "ops"), told(&messages, "dev")), (500, 500));
    assert_eq!(rig.slack.too_fast(), 0, "one message a second in a channel");
    assert!(messages.len() < 100, "{} messages", messages.len());
    let digest = messages.iter().find(|m| m.text().contains(" events*")).expect("a digest");
    assert!(digest.text().contains("*lamp.on* × "), "{digest:?}");
    let status = rig.until("none wait", |status| status["queue"]["waiting"] == 0).await;
    assert_eq!((&status["queue"]["waiting"], &status["dropped"]), (&json!(0), &json!(0)), "{status:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn retry_after_is_honoured() {
    let rig = Rig::start(json!({"slack/events": ["lamp.*.*"]})).await;
    rig.slack.faults([Fault::Limited(3), Fault::Limited(2)]);
    rig.event("lamp", "on", "l1", json!({})).await;
    rig.slack.message("Lamp *l1*: on").await;
    let posts: Vec<_> = rig.slack.requests().into_iter().filter(|r| r.path == "chat.postMessage").collect();
    assert_eq!(posts.len(), 3);
    for (pair, least) in posts.windows(2).zip([3, 2]) {
        let pause = pair[1].at.duration_since(pair[0].at);
        assert!(pause >= Duration::from_secs(least), "{pause:?} instead of {least} s");
    }
    assert_eq!(told(&rig.slack.messages(), "ops"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_network_loses_nothing() {
    let rig = Rig::start(json!({"slack/events": ["lamp.*.*"]})).await;
    rig.slack.down().await;
    burst(&rig, 20).await;
    rig.daemon.wait_log("cannot be reached");
    let status = rig.until("all wait", |status| status["channels"][0]["pending"] == 20).await;
    assert_eq!(status["check"]["ok"], false, "{status:#}");
    rig.slack.up().await;
    let messages = rig.slack.until("all were told", |m| told(m, "ops") >= 20).await;
    assert_eq!(told(&messages, "ops"), 20, "nothing twice: {messages:#?}");
    assert_eq!(rig.status().await["check"]["ok"], true);
    rig.daemon.wait_log("takes messages again");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_is_lost_or_garbage_means_once_more_with_a_remark() {
    for fault in [Fault::LoseAnswer, Fault::Garbage, Fault::Page(503), Fault::Error("internal_error", 500)] {
        let posted = matches!(fault, Fault::LoseAnswer);
        let rig = Rig::start(json!({"slack/events": ["lamp.*.*"]})).await;
        rig.slack.faults([fault.clone()]);
        rig.event("lamp", "on", "l1", json!({})).await;
        let again = rig.slack.message("you may see it twice").await;
        assert!(again.text().contains("Lamp *l1*: on"), "{again:?}");
        assert_eq!(rig.slack.messages().len(), if posted { 2 } else { 1 }, "{fault:?}");
        rig.event("lamp", "on", "l2", json!({})).await;
        let next = rig.slack.message("Lamp *l2*: on").await;
        assert!(!next.whole().contains("twice"), "{next:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slack_that_hangs_is_given_up_and_asked_again() {
    let rig = Rig::start(json!({"slack/events": ["lamp.*.*"], "slack/timeout": 1})).await;
    rig.slack.faults([Fault::Hang(Duration::from_secs(600))]);
    rig.event("lamp", "on", "l1", json!({})).await;
    rig.slack.message("Lamp *l1*: on").await;
    assert!(rig.daemon.log().contains("no answer in time"), "{}", rig.daemon.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_slack_refuses_is_tried_as_plain_text_then_dropped_and_reported() {
    let rig = Rig::start(json!({"slack/events": ["lamp.*.*"]})).await;
    rig.slack.faults([Fault::Error("invalid_blocks", 200)]);
    rig.event("lamp", "on", "l1", json!({})).await;
    let plain = rig.slack.message("Lamp *l1*: on").await;
    assert!(plain.body.get("blocks").is_none(), "{plain:?}");
    rig.slack.faults([Fault::Error("invalid_blocks", 200), Fault::Error("msg_too_long", 200)]);
    rig.event("lamp", "on", "l2", json!({})).await;
    rig.daemon.wait_log("events for #ops are being dropped: Slack refused the message");
    rig.event("lamp", "on", "l3", json!({})).await;
    let next = rig.slack.message("Lamp *l3*: on").await;
    assert!(next.whole().contains("1 events were dropped: Slack refused the message"), "{next:?}");
    assert_eq!(rig.status().await["dropped"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_drops_and_says_so() {
    let rig = Rig::start(json!({"slack/events": ["lamp.*.*"]})).await;
    rig.slack.down().await;
    burst(&rig, 1100).await;
    rig.daemon.wait_log("are being dropped: the queue was full");
    let status = rig.until("100 were dropped", |status| status["dropped"] == 100).await;
    assert_eq!(status["queue"], json!({"waiting": 1000, "limit": 1000}));
    rig.slack.up().await;
    let digest = rig.slack.message("100 events were dropped: the queue was full").await;
    assert!(digest.text().starts_with("*1000 events*"), "{digest:?}");
    assert_eq!(told(&rig.slack.messages(), "ops"), 1000);
    // The message is there before its answer is: until then the queue still counts what it tells.
    rig.until("the queue is empty", |status| status["queue"]["waiting"] == 0).await;
    rig.event("lamp", "on", "last", json!({})).await;
    let last = rig.slack.message("Lamp *last*: on").await;
    assert!(!last.whole().contains("dropped"), "reported once: {last:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_takes_nothing_starves_no_other() {
    let rig = Rig::start(json!({"slack/channels": ["#ops", "#nowhere"], "slack/events": ["lamp.*.*"]})).await;
    for round in 1..=2 {
        burst(&rig, 400).await;
        rig.slack.until("#ops was told", |m| told(m, "ops") == 400 * round).await;
    }
    let status = rig.until("the rest was dropped", |s| s["channels"][1]["dropped"] == 300).await;
    assert_eq!(
        (&status["channels"][1]["pending"], &status["channels"][0]["dropped"]),
        (&json!(500), &json!(0))
    );
}
