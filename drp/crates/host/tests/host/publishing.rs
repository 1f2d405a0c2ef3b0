//! Events to `HasPublish` plugins (wire-protocol §1.13).

use crate::bench::{Bench, holds, limits};
use drp_host::{InstanceState, Limits};
use drp_protocol::Event;
use serde_json::json;
use std::sync::Arc;

async fn start(limits: Limits, behaviour: &str) -> Bench {
    let bench = Bench::with(limits).await;
    bench.install_as("slack", behaviour, json!({"HasPublish": true}));
    bench.install("lamp", "");
    bench.host.scan().await;
    for name in ["slack", "lamp"] {
        bench.upsert(name, name);
        bench.reaches(name, InstanceState::Configured).await;
    }
    bench
}

fn event(n: usize) -> Arc<Event> {
    Arc::new(Event::now("machines", "update", n.to_string(), json!({"n": n})))
}

fn published(bench: &Bench, name: &str) -> Vec<String> {
    bench.calls(name).into_iter().filter(|c| c.contains("/publish")).collect()
}

#[tokio::test]
async fn every_event_arrives_in_order() {
    let bench = start(limits(), "").await;
    (0..50).for_each(|n| bench.host.publish(&event(n)));
    holds("all arrive", || published(&bench, "slack").len() == 50).await;
    for (n, call) in published(&bench, "slack").iter().enumerate() {
        assert!(call.contains(&format!(r#""Key":"{n}""#)), "{call}");
    }
    assert!(published(&bench, "lamp").is_empty(), "it did not ask for events");
    bench.host.remove_plugin("slack").await;
    bench.host.publish(&event(99));
    assert_eq!(published(&bench, "slack").len(), 50);
    bench.close().await;
}

#[tokio::test]
async fn a_slow_plugin_loses_events_with_a_mark() {
    let bench = start(Limits { publish_queue: 4, ..limits() }, "publish-slow").await;
    (0..20).for_each(|n| bench.host.publish(&event(n)));
    let dropped = bench.status("slack").dropped_events;
    assert!((10..=16).contains(&dropped), "{dropped}");
    holds("the queue is empty", || published(&bench, "slack").len() as u64 == 20 - dropped).await;
    bench.host.publish(&event(20));
    holds("a mark", || {
        published(&bench, "slack").iter().any(|c| c.contains(&format!(r#"{{"Missed":{dropped}}}"#)))
    })
    .await;
    holds("logged", || bench.texts().iter().any(|t| t.contains("events were not published"))).await;
    holds("the event after it", || published(&bench, "slack").last().unwrap().contains(r#""Key":"20""#))
        .await;
    bench.close().await;
}

#[tokio::test]
async fn a_hanging_hook_does_not_hold_up_the_queue() {
    let bench =
        start(Limits { publish: std::time::Duration::from_millis(50), ..limits() }, "publish-slow").await;
    (0..3).for_each(|n| bench.host.publish(&event(n)));
    holds("all arrive", || published(&bench, "slack").len() == 3).await;
    holds("logged", || bench.texts().iter().any(|t| t.contains("did not answer publish within 50ms"))).await;
    bench.close().await;
}

#[tokio::test]
async fn a_failing_hook_is_told_once_and_harmless() {
    let bench = start(limits(), "publish-fails").await;
    (0..20).for_each(|n| bench.host.publish(&event(n)));
    holds("all arrive", || published(&bench, "slack").len() == 20).await;
    holds("logged", || bench.texts().iter().any(|t| t.contains("cannot post"))).await;
    assert_eq!(bench.texts().iter().filter(|t| t.contains("cannot post")).count(), 1);
    assert_eq!(bench.act("slack", "echo", json!({})).await.unwrap(), json!({}));
    bench.close().await;
}
