//! Events of changes (wire-protocol §4.3).

use crate::{engine, me, store};
use drp_objects::{Delivery, Objects, Occurrence, Options, Patch, Subscription};
use serde_json::{Value, json};
use std::sync::Arc;

async fn next(events: &mut Subscription) -> Arc<Occurrence> {
    match events.next().await {
        Some(Delivery::Event(event)) => event,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn each_change_is_one_event_in_order() {
    let objects = engine().await;
    let mut events = objects.events().subscribe();
    objects.create(&me(), "profiles", json!({"Name": "p1"})).await.unwrap();
    let patch = Patch::parse(br#"[{"op":"replace","path":"/Description","value":"x"}]"#).unwrap();
    objects.patch(&me(), "profiles", "p1", &patch).await.unwrap();
    objects.set_param(&me(), "profiles", "p1", "ab", json!(1)).await.unwrap();
    let save = |o: &mut serde_json::Map<String, Value>| drop(o.insert("Description".into(), "y".into()));
    objects.save(&me(), "profiles", "p1", save).await.unwrap();
    objects.save(&me(), "profiles", "p1", save).await.unwrap();
    objects.delete(&me(), "profiles", "p1").await.unwrap();
    let mut seq = None;
    for (action, now, before) in [
        ("create", json!(""), Value::Null),
        ("update", json!("x"), json!("")),
        ("update", json!("x"), json!("x")),
        ("save", json!("y"), json!("x")),
        ("delete", json!("y"), Value::Null),
    ] {
        let event = next(&mut events).await;
        assert_eq!(
            (event.kind(), event.action(), event.key(), event.principal()),
            ("profiles", action, "p1", "user:me")
        );
        let whole: Value = serde_json::from_slice(&event.json()).unwrap();
        assert_eq!(whole["Object"]["Description"], now, "{action}");
        assert_eq!(whole["Original"].get("Description").cloned().unwrap_or_default(), before, "{action}");
        assert!(seq.is_none_or(|seq| event.seq == seq + 1));
        seq = Some(event.seq);
    }
}

#[tokio::test]
async fn under_load_events_come_in_commit_order_and_show_what_reads_show() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drp.db").display().to_string();
    let objects = Objects::open(store(&path), Options::default()).await.unwrap();
    objects.create(&me(), "profiles", json!({"Name": "p1"})).await.unwrap();
    let mut events = objects.events().subscribe();
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..40 {
        let objects = objects.clone();
        tasks.spawn(
            async move { objects.set_param(&me(), "profiles", "p1", "count", json!(i)).await.unwrap() },
        );
    }
    let mut last = None;
    for _ in 0..40 {
        let event = next(&mut events).await.event();
        // Each event starts where the one before ended.
        if let Some(last) = last {
            assert_eq!(event.original["Params"]["count"], last);
        }
        last = Some(event.object["Params"]["count"].clone());
    }
    tasks.join_all().await;
    assert_eq!(objects.get("profiles", "p1").unwrap().map()["Params"]["count"], last.unwrap());
}

#[tokio::test]
async fn a_caller_that_hangs_up_changes_nothing_about_its_write() {
    let objects = engine().await;
    let mut events = objects.events().subscribe();
    for i in 0..50 {
        let objects = objects.clone();
        let call = async move { objects.create(&me(), "profiles", json!({"Name": format!("p{i}")})).await };
        // Poll once, then drop.
        tokio::select! { biased; _ = call => {}, () = tokio::task::yield_now() => {} }
    }
    objects.create(&me(), "profiles", json!({"Name": "last"})).await.unwrap();
    let mut seen = 0;
    while next(&mut events).await.key() != "last" {
        seen += 1;
    }
    // What was announced is there, and no lock is left behind.
    assert_eq!(objects.count("profiles"), seen + 2);
    for i in 0..50 {
        let name = format!("p{i}");
        objects.delete(&me(), "profiles", &name).await.ok();
        objects.create(&me(), "profiles", json!({"Name": name})).await.unwrap();
    }
}
