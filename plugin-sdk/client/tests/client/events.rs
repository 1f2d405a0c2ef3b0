//! The event stream: acknowledgements, reconnection, marks.

use crate::daemon::Daemon;
use drp_client::{EventStream, Incoming};
use serde_json::json;
use std::time::Duration;

fn event(key: &str) -> String {
    json!({"Type": "machines", "Action": "update", "Key": key, "Object": {}, "Original": null}).to_string()
}

async fn next(stream: &mut EventStream) -> Incoming {
    tokio::time::timeout(Duration::from_secs(20), stream.next())
        .await
        .expect("an event in time")
        .unwrap()
        .unwrap()
}

async fn key(stream: &mut EventStream) -> String {
    match next(stream).await {
        Incoming::Event(event) => event.key,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn events_come_in_order_and_acknowledgements_do_not_show() {
    let daemon = Daemon::start().await;
    let mut stream = daemon.client().events().await.unwrap();
    stream.register("machines.*.*").await.unwrap();
    stream.register("machines.*.*").await.unwrap();
    for n in 0..50 {
        daemon.shared.push.send(event(&n.to_string())).unwrap();
    }
    daemon.shared.push.send("not json".into()).unwrap();
    daemon.shared.push.send(event("last")).unwrap();
    for n in 0..50 {
        assert_eq!(key(&mut stream).await, n.to_string());
    }
    assert_eq!(key(&mut stream).await, "last");
    stream.deregister("machines.*.*").await.unwrap();
    stream.close().await;
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while daemon.shared.frames().len() < 4 && std::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(
        daemon.shared.frames(),
        ["register machines.*.*", "register machines.*.*", "deregister machines.*.*", "close 1000"]
    );
}

#[tokio::test]
async fn a_lost_connection_is_made_again_and_marked() {
    let daemon = Daemon::start().await;
    let mut stream = daemon.client().events().await.unwrap();
    stream.register("machines.*.*").await.unwrap();
    stream.register("plugins.*.*").await.unwrap();
    daemon.shared.push.send(event("before")).unwrap();
    assert_eq!(key(&mut stream).await, "before");
    daemon.shared.push.send("drop".into()).unwrap();
    assert_eq!(next(&mut stream).await, Incoming::Lost);
    assert_eq!(next(&mut stream).await, Incoming::Reconnected);
    daemon.shared.push.send(event("after")).unwrap();
    assert_eq!(key(&mut stream).await, "after");
    let frames = daemon.shared.frames();
    assert_eq!(frames[..2], frames[2..4], "both patterns again: {frames:?}");
}

#[tokio::test]
async fn a_registration_survives_the_loss_of_its_connection() {
    let daemon = Daemon::start().await;
    let mut stream = daemon.client().events().await.unwrap();
    let shared = daemon.shared.clone();
    let drop_soon = tokio::spawn(async move {
        while shared.frames().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        shared.push.send("drop".into()).unwrap();
    });
    // Never acknowledged: a caller that gives up loses nothing, and the next one is served.
    let waited =
        tokio::time::timeout(Duration::from_millis(300), stream.register("never.acknowledged.x")).await;
    assert!(waited.is_err());
    drop_soon.await.unwrap();
    assert_eq!(next(&mut stream).await, Incoming::Lost);
    assert_eq!(next(&mut stream).await, Incoming::Reconnected);
}

#[tokio::test]
async fn a_slow_consumer_is_told_how_much_it_missed() {
    let daemon = Daemon::start().await;
    let mut stream = daemon.client().events().await.unwrap();
    stream.register("machines.*.*").await.unwrap();
    let total = 6000_u64;
    for n in 0..total {
        daemon.shared.push.send(event(&n.to_string())).unwrap();
    }
    // All of them are in once an acknowledgement that was sent after them is.
    tokio::time::sleep(Duration::from_millis(500)).await;
    stream.register("x.y.z").await.unwrap();
    let (mut events, mut missed) = (0, 0);
    daemon.shared.push.send(event("end")).unwrap();
    loop {
        match next(&mut stream).await {
            Incoming::Event(e) if e.key == "end" => break,
            Incoming::Event(_) => events += 1,
            Incoming::Missed(n) => missed += n,
            other => panic!("{other:?}"),
        }
        if events + missed == 4096 {
            // Room again: the mark comes with the next event.
            daemon.shared.push.send(event("end")).unwrap();
        }
    }
    assert!(missed > 0 && events >= 4096, "{events} {missed}");
    assert!(events + missed >= total, "{events} + {missed}");
}

#[tokio::test]
async fn a_dropped_stream_leaves() {
    let daemon = Daemon::start().await;
    let stream = daemon.client().events().await.unwrap();
    stream.register("a.b.c").await.unwrap();
    drop(stream);
    let end = std::time::Instant::now() + Duration::from_secs(10);
    while !daemon.shared.frames().contains(&"close 1000".to_owned()) {
        assert!(std::time::Instant::now() < end, "{:?}", daemon.shared.frames());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
