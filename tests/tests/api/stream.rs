//! Server-sent events: patterns, places to come back to, marks (wire-protocol §4, docs/events.md).

use drp_tests::daemon::{Daemon, answer};
use drp_tests::stream::EventStream;
use serde_json::{Value, json};

async fn post(daemon: &Daemon, kind: &str, key: u64, object: &Value) {
    let event = json!({"Type": kind, "Action": "on", "Key": key.to_string(), "Object": object});
    daemon.expect(204, "POST", "events", event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_come_with_a_place_to_come_back_to() {
    let daemon = Daemon::start();
    let query = "pattern=lamp.*.*&pattern=profiles.create,update.hall";
    let mut stream = EventStream::open(&daemon, query, None).await;
    let start = stream.block().await.unwrap();
    assert!(start.data.is_empty() && start.id.contains('-'), "{start:?}");
    post(&daemon, "door", 0, &json!(null)).await;
    post(&daemon, "lamp", 1, &json!({"line": "a\nb"})).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "other"})).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let first = stream.next().await;
    let lamp = first.json();
    assert_eq!(
        (&lamp["Type"], &lamp["Key"], &lamp["Object"], &lamp["Principal"]),
        (&json!("lamp"), &json!("1"), &json!({"line": "a\nb"}), &json!("user:rocketskates"))
    );
    assert!(first.seq() > start.seq());
    let second = stream.next().await;
    assert_eq!((&second.json()["Action"], &second.json()["Key"]), (&json!("create"), &json!("hall")));
    drop(stream);

    // What happened meanwhile is there for who comes back, by header or by address; the header is the newer one.
    daemon.expect(200, "DELETE", "profiles/hall", Value::Null).await;
    post(&daemon, "lamp", 2, &json!(null)).await;
    let bare = second.seq().to_string();
    for (from, last) in [
        ("", Some(second.id.as_str())),
        (second.id.as_str(), None),
        (bare.as_str(), None),
        (first.id.as_str(), Some(bare.as_str())),
    ] {
        let from = if from.is_empty() { String::new() } else { format!("&from={from}") };
        let mut again = EventStream::open(&daemon, &format!("{query}{from}"), last).await;
        let next = again.next().await;
        assert_eq!((next.event.as_str(), &next.json()["Key"]), ("", &json!("2")));
    }
    let mut all = EventStream::open(&daemon, &format!("{query}&from=0"), None).await;
    assert_eq!(all.next().await, first);
    assert_eq!(all.next().await, second);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_kept_any_more_is_marked() {
    let daemon = Daemon::builder().arg("--event-history").arg("4").start();
    let mut stream = EventStream::open(&daemon, "pattern=lamp.*.*", None).await;
    let start = stream.block().await.unwrap();
    for key in 0..9 {
        post(&daemon, "lamp", key, &json!(null)).await;
    }
    for _ in 0..9 {
        stream.next().await;
    }
    let mut late = EventStream::open(&daemon, "pattern=lamp.*.*", Some(&start.id)).await;
    let gap = late.next().await;
    let mark = gap.json();
    assert_eq!(gap.event, "gap");
    assert_eq!((&mark["From"], &mark["Reason"]), (&json!(start.seq() + 1), &json!("lost")));
    assert_eq!(mark["To"], gap.seq());
    let mut keys = Vec::new();
    while keys.last().is_none_or(|last| last != "8") {
        let event = late.next().await;
        assert!(event.seq() > gap.seq());
        keys.push(event.json()["Key"].as_str().unwrap().to_owned());
    }
    // Lines of the log are events too, so that fewer than four may be left.
    let want: Vec<String> = (9 - keys.len()..9).map(|key| key.to_string()).collect();
    assert!(keys == want && keys.len() <= 4, "{keys:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_is_recognised() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    post(&daemon, "lamp", 1, &json!(null)).await;
    let mut stream = EventStream::open(&daemon, "pattern=lamp.*.*&from=0", None).await;
    let seen = stream.next().await;
    let stopping = tokio::task::spawn_blocking(move || daemon.stop());
    let end = stream.next().await;
    assert_eq!((end.event.as_str(), end.json()), ("end", json!({"Reason": "stopping"})));
    assert!(stream.block().await.is_none());
    assert!(stopping.await.unwrap().0.success());

    let daemon = Daemon::builder().base(base.path()).start();
    post(&daemon, "lamp", 2, &json!(null)).await;
    let mut stream = EventStream::open(&daemon, "pattern=lamp.*.*", Some(&seen.id)).await;
    let gap = stream.next().await;
    let (epoch, seq) = seen.id.rsplit_once('-').unwrap();
    assert_eq!(gap.event, "gap");
    assert_eq!(
        gap.json(),
        json!({"Epoch": epoch, "From": seq.parse::<u64>().unwrap() + 1, "To": null, "Reason": "restart"})
    );
    assert!(!gap.id.starts_with(epoch) && gap.seq() == 0, "{gap:?}");
    // Everything this daemon had to say so far follows.
    assert_eq!(stream.next().await.json()["Key"], "2");
}

/// A reader that takes nothing for a while loses events, and is told exactly which.
#[tokio::test(flavor = "multi_thread")]
async fn a_slow_reader_gets_a_mark() {
    const EVENTS: u64 = 800;
    let daemon = Daemon::builder().arg("--event-queue").arg("32").start();
    let mut stream = EventStream::open(&daemon, "pattern=flood.*.*", None).await;
    let object = json!({"padding": "x".repeat(32_000)});
    let lanes = (0..8).map(|lane| {
        let (daemon, object) = (&daemon, &object);
        async move {
            for key in (lane..EVENTS).step_by(8) {
                post(daemon, "flood", key, object).await;
            }
        }
    });
    futures_util::future::join_all(lanes).await;
    post(&daemon, "flood", EVENTS, &object).await;
    let end = EVENTS.to_string();
    let (mut seen, mut gaps, mut last) = (0, 0, 0);
    loop {
        let block = stream.next().await;
        if block.event == "gap" {
            let mark = block.json();
            let (from, to) = (mark["From"].as_u64().unwrap(), mark["To"].as_u64().unwrap());
            assert!(from > last && to >= from, "{mark}");
            (gaps, last) = (gaps + to - from + 1, to);
            continue;
        }
        assert!(block.seq() > last, "{block:?} after {last}");
        last = block.seq();
        seen += 1;
        if block.json()["Key"] == end.as_str() {
            break;
        }
    }
    assert!(gaps > 0, "nothing was lost: the test is too small");
    assert!(seen + gaps > EVENTS, "{seen} seen and {gaps} lost of {EVENTS}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quiet_stream_says_that_it_lives_and_where_it_is() {
    let daemon = Daemon::start();
    let mut stream = EventStream::open(&daemon, "pattern=lamp.*.*", None).await;
    let start = stream.block().await.unwrap();
    post(&daemon, "door", 1, &json!(null)).await;
    let beat = stream.block().await.unwrap();
    assert_eq!((beat.comment.as_str(), beat.data.as_str()), ("heartbeat", ""));
    assert!(beat.seq() > start.seq(), "{beat:?} after {start:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_filter_and_dead_credentials_end_a_stream() {
    let daemon = Daemon::start();
    let role =
        json!({"Name": "reader", "Claims": [{"scope": "profiles", "action": "*", "specific": "hall"}]});
    daemon.expect(201, "POST", "roles", role).await;
    daemon.expect(201, "POST", "users", json!({"Name": "eve", "Roles": ["reader"]})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "pw"})).await;
    let token =
        answer(daemon.anonymous("GET", "/api/v3/users/eve/token").basic_auth("eve", Some("pw"))).await.json();
    let token = token["Token"].as_str().unwrap();
    // Browsers cannot add headers to an event source.
    let path = format!("/api/v3/events/stream?token={token}");
    let mut stream = EventStream::of(daemon.anonymous("GET", &path)).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "other"})).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let seen = stream.next().await.json();
    assert_eq!((&seen["Type"], &seen["Key"]), (&json!("profiles"), &json!("hall")));
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "new"})).await;
    loop {
        let block = stream.next().await;
        if block.event == "end" {
            assert_eq!(block.json(), json!({"Reason": "credentials"}));
            break;
        }
        // Nothing of others gets through until then.
        assert_ne!(block.json()["Type"], "roles", "{block:?}");
    }
    assert!(stream.block().await.is_none());
}

/// The client of the SDK comes back by itself: to its place while the daemon lives, with a mark when it was started anew.
#[tokio::test(flavor = "multi_thread")]
async fn the_client_comes_back_by_itself() {
    use drp_client::{Client, Resumable};
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let client = Client::builder().socket(&daemon.socket).build().unwrap();
    let mut events = client.resumable_events(&["lamp.*.*"], Some("0")).await.unwrap();
    post(&daemon, "lamp", 1, &json!(null)).await;
    let next = async |events: &mut drp_client::ResumableEvents| {
        tokio::time::timeout(std::time::Duration::from_secs(60), events.next()).await.unwrap().unwrap()
    };
    let Resumable::Event { id, event } = next(&mut events).await else { panic!("no event") };
    assert_eq!((event.key.as_str(), events.id()), ("1", Some(id.as_str())));
    // Another one takes up where this one is.
    post(&daemon, "lamp", 2, &json!(null)).await;
    let mut other = client.resumable_events(&["lamp.*.*"], Some(&id)).await.unwrap();
    let Resumable::Event { event, .. } = next(&mut other).await else { panic!("no event") };
    assert_eq!(event.key, "2");
    let Resumable::Event { .. } = next(&mut events).await else { panic!("no event") };

    assert!(daemon.stop().0.success());
    let daemon = Daemon::builder().base(base.path()).start();
    post(&daemon, "lamp", 3, &json!(null)).await;
    let Resumable::Gap { epoch, to, .. } = next(&mut events).await else { panic!("no mark") };
    assert_eq!((id.split('-').next().unwrap(), to), (epoch.as_str(), None));
    let Resumable::Event { event, .. } = next(&mut events).await else { panic!("no event") };
    assert_eq!(event.key, "3");

    for (pattern, from) in [("lamp", None), ("lamp.*.*", Some("yesterday"))] {
        let refused = client.resumable_events(&[pattern], from).await.unwrap_err().to_string();
        assert!(refused.contains("is not"), "{refused}");
    }
}
