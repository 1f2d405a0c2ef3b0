//! The event socket (wire-protocol §4).

use drp_tests::daemon::{Daemon, answer};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{Error, Message};

#[tokio::test(flavor = "multi_thread")]
async fn every_frame_is_acknowledged_in_order() {
    let daemon = Daemon::start();
    let mut socket = EventSocket::connect(&daemon).await;
    let patterns = ["machines.*.*", "machines.*.*", "nonsense", "a.b.c.d", "profiles,params.create,delete.*"];
    for pattern in patterns {
        socket.send(&format!("register {pattern}")).await;
    }
    socket.send("what is this").await;
    for pattern in patterns {
        socket.send(&format!("deregister {pattern}")).await;
    }
    socket.send("deregister never.was.there").await;
    for action in ["register", "deregister"] {
        for pattern in patterns {
            let ack = socket.next().await;
            assert_eq!(
                (ack["Type"].as_str(), ack["Action"].as_str(), ack["Key"].as_str()),
                (Some("websocket"), Some(action), Some(pattern))
            );
        }
    }
    assert_eq!(socket.next().await["Key"], "never.was.there");
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_arrive_with_what_was_before() {
    let daemon = Daemon::start();
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("profiles.*.hall").await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "other"})).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall", "Description": "a"})).await;
    daemon
        .expect(
            200,
            "PATCH",
            "profiles/hall",
            json!([{"op": "replace", "path": "/Description", "value": "b"}]),
        )
        .await;
    daemon.expect(200, "POST", "profiles/hall/params/xx", json!(1)).await;
    daemon.expect(200, "DELETE", "profiles/hall", Value::Null).await;
    let created = socket.next().await;
    assert_eq!(
        (&created["Action"], &created["Object"]["Description"], &created["Original"]),
        (&json!("create"), &json!("a"), &Value::Null)
    );
    assert_eq!(created["Principal"], "user:rocketskates");
    assert!(created["Time"].as_str().unwrap().ends_with('Z'));
    let updated = socket.next().await;
    assert_eq!(
        (&updated["Action"], &updated["Object"]["Description"], &updated["Original"]["Description"]),
        (&json!("update"), &json!("b"), &json!("a"))
    );
    let params = socket.next().await;
    assert_eq!((&params["Action"], &params["Object"]["Params"]), (&json!("update"), &json!({"xx": 1})));
    let deleted = socket.next().await;
    assert_eq!((&deleted["Action"], &deleted["Object"]["Name"]), (&json!("delete"), &json!("hall")));
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_can_be_posted() {
    let daemon = Daemon::start();
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("lamp.*.*").await;
    let event =
        json!({"Type": "lamp", "Action": "on", "Key": "hall.1", "Principal": "forged", "Object": {"a": 1}});
    daemon.expect(204, "POST", "events", event).await;
    let got = socket.next().await;
    assert_eq!(
        (&got["Key"], &got["Principal"], &got["Object"]),
        (&json!("hall.1"), &json!("user:rocketskates"), &json!({"a": 1}))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_filter_what_a_session_sees() {
    let daemon = Daemon::start();
    let role =
        json!({"Name": "reader", "Claims": [{"scope": "profiles", "action": "*", "specific": "hall"}]});
    daemon.expect(201, "POST", "roles", role).await;
    daemon.expect(201, "POST", "users", json!({"Name": "eve", "Roles": ["reader"]})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "pw"})).await;
    let token =
        answer(daemon.anonymous("GET", "/api/v3/users/eve/token").basic_auth("eve", Some("pw"))).await.json();
    let token = token["Token"].as_str().unwrap();
    let mut socket = EventSocket::try_connect(&daemon, None, &format!("?token={token}")).await.unwrap();
    socket.register("profiles.*.*").await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "other"})).await;
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    assert_eq!(socket.next().await["Key"], "hall");
}

/// A token as `user:password` gets it.
async fn token(daemon: &Daemon, path: &str, user: (&str, &str)) -> String {
    let got = answer(daemon.anonymous("GET", path).basic_auth(user.0, Some(user.1))).await;
    got.json()["Token"].as_str().unwrap().to_owned()
}

async fn closed(socket: &mut EventSocket, what: &str) {
    loop {
        match socket.frame().await {
            Message::Close(Some(frame)) => return assert_eq!(u16::from(frame.code), 1008, "{what}"),
            Message::Close(None) => panic!("{what}: no reason"),
            _ => {}
        }
    }
}

/// Who would not be let in any more hears nothing more.
#[tokio::test(flavor = "multi_thread")]
async fn sockets_end_with_the_credentials_that_opened_them() {
    let daemon = Daemon::start();
    for name in ["ann", "bob"] {
        daemon.expect(201, "POST", "users", json!({"Name": name, "Roles": ["superuser"]})).await;
        daemon.expect(200, "PUT", &format!("users/{name}/password"), json!({"Password": "pw"})).await;
    }
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let machine = machine["Uuid"].as_str().unwrap();
    let open = async |query: String| {
        let mut socket = EventSocket::try_connect(&daemon, None, &format!("?token={query}")).await.unwrap();
        socket.register("lamp.*.*").await;
        socket
    };
    let ann = "/api/v3/users/ann/token";
    let mut by_password = open("ann:pw".to_owned()).await;
    let mut by_token = open(token(&daemon, ann, ("ann", "pw")).await).await;
    let mut expiring = open(token(&daemon, "/api/v3/users/bob/token?ttl=3", ("bob", "pw")).await).await;
    let mut other = open("bob:pw".to_owned()).await;
    let path = format!("/api/v3/machines/{machine}/token");
    let mut agent = open(token(&daemon, &path, drp_tests::daemon::USER).await).await;

    // Another change of the user ends nothing.
    let patch = json!([{"op": "replace", "path": "/Description", "value": "x"}]);
    daemon.expect(200, "PATCH", "users/ann", patch).await;
    by_password.register("door.*.*").await;
    daemon.expect(200, "PUT", "users/ann/password", json!({"Password": "new"})).await;
    closed(&mut by_password, "new password, login").await;
    closed(&mut by_token, "new password, token").await;
    closed(&mut expiring, "expired token").await;
    daemon.expect(200, "DELETE", &format!("machines/{machine}"), Value::Null).await;
    closed(&mut agent, "machine deleted").await;

    // A role that is taken away is gone for open sockets, too.
    let event = |key: &str| json!({"Type": "profiles", "Action": "get", "Key": key});
    other.register("profiles.*.*").await;
    daemon.expect(204, "POST", "events", event("seen")).await;
    assert_eq!(other.next().await["Key"], "seen");
    daemon.expect(200, "PATCH", "users/bob", json!([{"op": "replace", "path": "/Roles", "value": []}])).await;
    daemon.expect(204, "POST", "events", event("unseen")).await;
    daemon.expect(204, "POST", "events", json!({"Type": "lamp", "Action": "on", "Key": "hall"})).await;
    assert_eq!(other.next().await["Key"], "hall");
    daemon.expect(200, "DELETE", "users/bob", Value::Null).await;
    closed(&mut other, "user deleted").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_plain_requests_are_refused() {
    let daemon = Daemon::start();
    match EventSocket::try_connect(&daemon, None, "").await.map(drop).unwrap_err().as_ref() {
        Error::Http(response) => assert_eq!(response.status(), 401),
        other => panic!("{other}"),
    }
    let plain = daemon.call("GET", "/api/v3/ws", Value::Null).await;
    assert_eq!((plain.status, &plain.json()["Code"]), (400, &json!(400)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_daemon_says_goodbye() {
    let daemon = Daemon::start();
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("machines.*.*").await;
    let stopping = tokio::task::spawn_blocking(move || daemon.stop());
    match socket.frame().await {
        Message::Close(Some(frame)) => assert_eq!(u16::from(frame.code), 1000),
        other => panic!("{other:?}"),
    }
    assert!(stopping.await.unwrap().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn many_events_arrive_in_order_and_whole() {
    let daemon = Daemon::start();
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("flood.*.*").await;
    for n in 0..300 {
        daemon
            .expect(204, "POST", "events", json!({"Type": "flood", "Action": "n", "Key": n.to_string()}))
            .await;
    }
    for n in 0..300 {
        assert_eq!(socket.next().await["Key"], n.to_string());
    }
}

/// A client that takes nothing for a while loses events, and is told exactly which.
#[tokio::test(flavor = "multi_thread")]
async fn lost_events_are_marked_with_their_range() {
    const EVENTS: u64 = 800;
    let daemon = Daemon::builder().arg("--event-queue").arg("32").start();
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("flood.*.*").await;
    let object = json!({"padding": "x".repeat(32_000)});
    let post = |n: u64| {
        daemon.expect(
            204,
            "POST",
            "events",
            json!({"Type": "flood", "Action": "n", "Key": n.to_string(), "Object": object}),
        )
    };
    // One after the other within a lane, so that each lane's events are in order.
    let lanes = (0..8).map(|lane| async move {
        for n in (lane..EVENTS).step_by(8) {
            post(n).await;
        }
    });
    futures_util::future::join_all(lanes).await;
    post(EVENTS).await;
    let end = EVENTS.to_string();
    let (mut seen, mut lost, mut last) = (0, 0, 0);
    loop {
        let event = socket.next().await;
        if event["Type"] == "gap" {
            let (from, to) =
                (event["Object"]["From"].as_u64().unwrap(), event["Object"]["To"].as_u64().unwrap());
            assert!(from > last && to >= from, "{event}");
            assert_eq!((&event["Action"], &event["Key"]), (&json!("missed"), &json!(format!("{from}-{to}"))));
            (lost, last) = (lost + to - from + 1, to);
            continue;
        }
        seen += 1;
        if event["Key"] == end.as_str() {
            break;
        }
    }
    assert!(lost > 0, "nothing was lost: the test is too small");
    // The log lines of the daemon count as events too, so what was lost may be a little more.
    assert!(seen + lost > EVENTS, "{seen} seen and {lost} lost of {EVENTS}");
}
