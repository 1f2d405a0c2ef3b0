//! What a plugin asks (wire-protocol §1.8, §1.9).

use crate::bench::{Bench, limits};
use drp_host::Limits;
use drp_protocol::{Error, Level};
use serde_json::{Value, json};

async fn ask(bench: &Bench, method: &str, path: &str, body: &str) -> (u64, String) {
    let params = json!({"method": method, "path": path, "body": body});
    let answer = bench.act("lamp", "ask", params).await.unwrap();
    (answer[0].as_u64().unwrap(), answer[1].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn log_always_succeeds() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let long = format!(r#"{{"Level":"info","Message":"{}"}}"#, "x".repeat(300_000));
    let longest = "y".repeat(2 << 20);
    for prefix in ["/api-server-plugin/v4", "/api-plugin-server/v4"] {
        for body in [
            r#"{"Level":"fatal","Message":"the end"}"#,
            r#"{"Level":9}"#,
            "null",
            "",
            "{broken",
            "[]",
            &long,
            &longest,
        ] {
            assert_eq!(ask(&bench, "POST", &format!("{prefix}/log"), body).await.0, 204);
        }
    }
    let lines = std::mem::take(&mut *bench.backend.lines.lock().unwrap());
    let end = lines.iter().find(|l| l.message == "the end").unwrap();
    assert_eq!(end.level, Level::Error, "fatal is demoted");
    assert!(lines.iter().any(|l| l.message == "{broken"));
    assert!(lines.iter().any(|l| l.message.contains("larger than 1048576 bytes")));
    assert!(lines.iter().all(|l| l.message.len() < 70_000));
    bench.close().await;
}

#[tokio::test]
async fn publish_goes_to_the_daemon() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let event = r#"{"Type":"lamps","Action":"lit","Key":"1","Object":{"on":true}}"#;
    let (status, body) = ask(&bench, "POST", "/api-server-plugin/v4/publish", event).await;
    assert_eq!((status, serde_json::from_str::<Error>(&body).unwrap()), (200, Error::success()));
    {
        let events = bench.backend.events.lock().unwrap();
        let (plugin, event) = &events[0];
        assert_eq!((plugin.as_str(), event.principal.as_str()), ("lamp", "plugin:lamp"));
        assert_eq!(event.object, json!({"on": true}));
        assert!(!event.time.is_empty());
    }
    let (status, body) =
        ask(&bench, "POST", "/api-server-plugin/v4/publish", r#"{"Action":"refused"}"#).await;
    assert_eq!(status, 409);
    assert!(body.contains("nobody listens"));
    assert_eq!(ask(&bench, "POST", "/api-server-plugin/v4/publish", "{").await.0, 400);
    let large = format!(r#"{{"Key":"{}"}}"#, "k".repeat(9 << 20));
    assert_eq!(ask(&bench, "POST", "/api-server-plugin/v4/publish", &large).await.0, 413);
    bench.close().await;
}

#[tokio::test]
async fn objects_certificate_and_the_unknown() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let (status, body) = ask(&bench, "GET", "/api-plugin-server/v4/objects/cows", "").await;
    assert_eq!(status, 404);
    assert_eq!(serde_json::from_str::<Error>(&body).unwrap().messages, ["no such prefix cows"]);
    let (status, body) = ask(&bench, "GET", "/api-server-plugin/v4/certificate", "").await;
    assert!(status == 200 && body.starts_with("-----BEGIN"), "{body}");
    for (method, path) in [("GET", "/api-server-plugin/v4/log"), ("POST", "/elsewhere"), ("DELETE", "/")] {
        let (status, body) = ask(&bench, method, path, "").await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["Key"], &body["Type"]), (404, &json!(path), &json!(method)));
    }
    bench.close().await;
}

#[tokio::test]
async fn connections_are_bounded() {
    let bench = Bench::with(Limits { from_plugin_connections: 4, ..limits() }).await;
    bench.run("lamp", "").await;
    let crowd = |count: u64| bench.act("lamp", "crowd", json!({"count": count}));
    assert_eq!(crowd(3).await.unwrap(), json!([true, 200]));
    assert_eq!(crowd(40).await.unwrap(), json!([false, 200]), "it waits until others are closed");
    bench.close().await;
}
