//! Objects, params, actions, files, and what goes wrong with them.

use crate::daemon::{Daemon, Shared};
use drp_client::{Client, ClientError, Fault, ParamQuery, Patch, Query};
use drp_protocol::{JsonMap, Machine};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test]
async fn objects_over_tls() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let list = client.list::<Machine>("machines", &Query::new().eq("Name", "m 1").limit(1)).await.unwrap();
    assert_eq!((list.items[0].uuid.as_str(), list.items[0].name.as_str()), ("u1", "m1"));
    assert_eq!((list.counts.total, list.counts.matched, list.counts.returned), (Some(5), Some(2), Some(1)));
    assert_eq!(client.count("machines", &Query::new()).await.unwrap().matched, Some(2));
    let machine: Machine = client.get("machines", "Name:m1").await.unwrap();
    assert_eq!(machine.uuid, "Name:m1");
    assert!(client.exists("machines", "m1").await.unwrap());
    assert!(!client.exists("machines", "none").await.unwrap());
    let made: Value = client.create("machines", &json!({"Name": "x"})).await.unwrap();
    assert_eq!(made["Name"], "x");
    let patch = Patch::new().test("/A", 1).replace("/A", 2);
    let echoed: Value = client.patch("machines", "m1", &patch, true).await.unwrap();
    assert_eq!(
        echoed,
        json!([
            {"op": "test", "path": "/A", "from": "", "value": 1},
            {"op": "replace", "path": "/A", "from": "", "value": 2},
        ])
    );
    assert_eq!(client.delete("machines", "empty").await.unwrap(), Value::Null);
    let seen = daemon.shared.seen();
    assert_eq!(seen[0], "GET /api/v3/machines?Name=Eq%28m%201%29&limit=1 Bearer");
    assert!(seen.contains(&"PATCH /api/v3/machines/m1?force=true Bearer".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn params_and_actions_reach_their_routes() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let got = client.param("machines", "m1", "ipmi/address", ParamQuery::resolved()).await.unwrap();
    assert_eq!(got["Uri"], "/api/v3/machines/m1/params/ipmi/address?aggregate=true&decode=true");
    let set = client.set_param("machines", "m1", "a/b", &json!(5)).await.unwrap();
    assert_eq!(
        (&set["Method"], &set["Body"], &set["Type"]),
        (&json!("POST"), &json!(5), &json!("application/json"))
    );
    let params = JsonMap::from_iter([("x".to_owned(), json!(1))]);
    let ran = client.run_action("machines", "m1", "power on", Some("p"), &params).await.unwrap();
    assert_eq!(ran["Uri"], "/api/v3/machines/m1/actions/power%20on?plugin=p");
    assert_eq!(ran["Body"], json!({"x": 1}));
}

#[tokio::test]
async fn refusals_keep_their_words() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let taken = client.create::<Value>("machines", &json!({"Name": "taken"})).await.unwrap_err();
    assert_eq!(taken.to_string(), "CREATE: machines/taken: already exists");
    assert_eq!((taken.status(), taken.fault()), (Some(409), Fault::User));
    let filter = client.list::<Value>("machines", &Query::new().eq("Nope", "1")).await.unwrap_err();
    assert_eq!(filter.status(), Some(406));
    let silent = client.get::<Value>("machines", "private").await.unwrap_err();
    assert!(matches!(silent, ClientError::Status { status: 403, .. }), "{silent}");
    assert!(client.get::<Value>("machines", "none").await.unwrap_err().is_not_found());
    // A name with dot segments would reach another object: it never leaves.
    assert!(matches!(client.get::<Value>("machines", "../users/x").await, Err(ClientError::Setting(_))));
    assert!(!daemon.shared.seen().iter().any(|s| s.contains("users")));
}

#[tokio::test]
async fn every_call_is_bounded() {
    let daemon = Daemon::start().await;
    let small = daemon.builder().body_limit(100).build().unwrap();
    let long = small.raw("GET", "/api/v3/big", None).await.unwrap_err();
    assert!(long.to_string().contains("limit of 100 bytes"), "{long}");
    let hasty = daemon.builder().timeout(Duration::from_millis(200)).build().unwrap();
    assert!(matches!(hasty.raw("GET", "/api/v3/slow", None).await, Err(ClientError::Timeout { .. })));
    let odd = daemon.client().raw("GET", "/api/v3/big", None).await.unwrap_err();
    assert!(matches!(odd, ClientError::Answer { .. }), "{odd}");
}

#[tokio::test]
async fn a_login_is_made_once() {
    let daemon = Daemon::start().await;
    let client = daemon.builder().login("user", "right".to_owned()).build().unwrap();
    for _ in 0..3 {
        client.get::<Value>("machines", "m1").await.unwrap();
    }
    let seen = daemon.shared.seen();
    assert_eq!(seen[0], "GET /api/v3/users/user/token?ttl=600 Basic");
    assert_eq!(seen.iter().filter(|s| s.ends_with("Basic")).count(), 1, "{seen:?}");
    assert_eq!(seen.iter().filter(|s| s.ends_with("Bearer")).count(), 3, "{seen:?}");
    let wrong = daemon.builder().login("user", "wrong".to_owned()).build().unwrap();
    let refused = wrong.get::<Value>("machines", "m1").await.unwrap_err();
    assert_eq!(refused.status(), Some(403));
    assert!(!format!("{refused:?} {refused} {wrong:?}").contains("wrong"));
}

#[tokio::test]
async fn files_are_streamed_both_ways() {
    let daemon = Daemon::start().await;
    let client = daemon.client();
    let content = tokio::io::AsyncReadExt::take(tokio::io::repeat(1), 3_000_000);
    let done = client.upload_provider("echo", content, None, false).await.unwrap();
    assert_eq!((done.path.as_str(), done.size), ("echo", 3_000_000));
    let mut bytes = Vec::new();
    let size = client.provider_binary("echo").await.unwrap().write_to(&mut bytes).await.unwrap();
    assert_eq!((size, bytes.len()), (300_000, 300_000));
}

#[tokio::test]
async fn the_local_socket_takes_the_same_calls() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drp.sock");
    let shared = Shared::new();
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let server = tokio::spawn({
        let router = shared.router();
        async move { axum::serve(listener, router).await }
    });
    let client = Client::builder().socket(&path).retry_waits([]).build().unwrap();
    let machine: Machine = client.get("machines", "m1").await.unwrap();
    assert_eq!(machine.name, "m1");
    let mut events = client.events().await.unwrap();
    events.register("machines.*.*").await.unwrap();
    shared.push.send(json!({"Type": "machines", "Action": "create", "Key": "k"}).to_string()).unwrap();
    assert!(matches!(events.next().await, Some(Ok(drp_client::Incoming::Event(e))) if e.key == "k"));
    assert_eq!(shared.seen()[0], "GET /api/v3/machines/m1 -");
    events.close().await;
    server.abort();
}

#[tokio::test]
async fn only_connections_that_do_not_come_about_are_retried() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let waits = [Duration::from_millis(1); 3];
    let client = Client::builder().endpoint(format!("http://{free}")).retry_waits(waits).build().unwrap();
    let error = client.info().await.unwrap_err();
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error:?}");

    // A server that takes the request and hangs up is asked once: it may have done its work.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let counted = tokio::spawn(async move {
        let mut count = 0;
        while let Ok(Ok((mut stream, _))) =
            tokio::time::timeout(Duration::from_secs(1), listener.accept()).await
        {
            count += 1;
            let mut buffer = [0; 1024];
            let _ = tokio::io::AsyncReadExt::read(&mut stream, &mut buffer).await;
        }
        count
    });
    let client = Client::builder().endpoint(format!("http://{address}")).retry_waits(waits).build().unwrap();
    let error = client.run_action("machines", "m1", "poweron", None, &JsonMap::new()).await.unwrap_err();
    assert!(matches!(error, ClientError::Broken { .. }), "{error:?}");
    assert_eq!(counted.await.unwrap(), 1);
}

#[test]
fn the_proxy_environment_is_ignored_for_loopback() {
    // The environment belongs to the whole process, so another one runs the calls under it.
    let mut command = std::process::Command::new(std::env::current_exe().unwrap());
    for name in ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"] {
        command.env(name, "http://127.0.0.1:1");
    }
    let output = command
        .args(["--exact", "calls::objects_over_tls", "trust::any_certificate_on_request"])
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("2 passed"), "{text}");
}
