//! Requests and answers (wire-protocol §1.6, §1.7).

use crate::{configured, launch};
use bytes::Bytes;
use drp_plugin_testkit::FakeDaemon;
use drp_protocol::{Error, Level};
use hyper::Method;
use serde_json::{Value, json};

const JSON: (&str, &str) = ("content-type", "Application/JSON; charset=utf-8");

#[tokio::test]
async fn anything_but_the_four_posts_is_404() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    for (method, path) in [
        (Method::GET, "/api-plugin/v4/config"),
        (Method::PUT, "/api-plugin/v4/action"),
        (Method::POST, "/api-plugin/v4/nothing"),
        (Method::POST, "/api-plugin/v3/config"),
        // With a selector, events do not come by POST.
        (Method::POST, "/api-plugin/v4/publish"),
        (Method::DELETE, "/"),
    ] {
        let answer = plugin.request(method.clone(), path, &[JSON], Bytes::new()).await.unwrap();
        assert_eq!(answer.content_type, "application/json");
        let want = Error { key: path.to_owned(), r#type: method.to_string(), code: 404, ..Error::default() };
        assert!(answer.text().contains("\"Messages\":null"), "{}", answer.text());
        assert_eq!(answer.error().unwrap(), want);
    }
}

#[tokio::test]
async fn an_answer_nested_too_deep_is_an_error_and_harms_nothing() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    let error = plugin.action("deep", json!({})).await.unwrap().error().unwrap();
    assert_eq!((error.code, error.r#type.as_str()), (500, "POST"));
    assert!(error.messages[0].contains("nested deeper than 127 levels"), "{error}");
    assert_eq!(plugin.action("name", json!({})).await.unwrap().success().unwrap(), "p1");
}

#[tokio::test]
async fn bodies_are_json_or_empty() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = launch(&daemon).await;
    let send = async |path: &str, kind: &str, body: &str| {
        let headers = [("content-type", kind)];
        plugin.request(Method::POST, path, &headers, body.to_owned()).await.unwrap()
    };
    let wrong = send("/api-plugin/v4/config", "text/plain", "{}").await.error().unwrap();
    assert_eq!((wrong.code, wrong.messages), (400, vec!["Invalid content type: text/plain".to_owned()]));
    let wrong = send("/api-plugin/v4/action", "application/json", "{\"Command\":").await.error().unwrap();
    assert_eq!((wrong.code, wrong.r#type.as_str()), (400, "POST"));
    assert!(wrong.messages[0].contains("EOF while parsing"), "{wrong}");
    for body in ["", "null", "{}"] {
        let answer = send("/api-plugin/v4/config", JSON.1, body).await;
        let want = json!({"Model": "", "Key": "", "Type": "", "Messages": [], "Code": 200});
        assert!(answer.text().ends_with('\n'));
        assert_eq!(answer.success().unwrap(), want, "{body:?}");
    }
    // The zero action has no command.
    let error = send("/api-plugin/v4/action", "application/json", "").await.error().unwrap();
    assert_eq!((error.code, error.messages[0].as_str()), (404, "Unknown command: "));
}

#[tokio::test]
async fn config_tells_the_name_and_may_come_again() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = launch(&daemon).await;
    assert_eq!(plugin.action("name", json!({})).await.unwrap().success().unwrap(), "probe");
    for _ in 0..2 {
        plugin.config(json!({})).await.unwrap().success().unwrap();
        assert_eq!(plugin.action("name", json!({})).await.unwrap().success().unwrap(), "p1");
    }
}

#[tokio::test]
async fn the_daemons_endpoints_are_used() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    let missing = plugin.action("list", json!({})).await.unwrap().error().unwrap();
    assert_eq!((missing.code, missing.messages[0].as_str()), (404, "Not Found"));
    daemon.set_objects("machines", vec![json!({"Name": "m1"})]);
    let list = plugin.action("list", json!({})).await.unwrap().success().unwrap();
    assert_eq!(list, json!([{"Name": "m1"}]));
    assert_eq!(plugin.action("emit", json!({})).await.unwrap().success().unwrap(), Value::Null);
    let event = daemon.event("the event", |e| e.r#type == "lamps").await.unwrap();
    assert_eq!((event.action.as_str(), event.key.as_str(), &event.object), ("on", "l1", &json!({"x": 1})));
    daemon.refuse_events(Error::new(409, "POST", "no subscribers"));
    let refused = plugin.action("emit", json!({})).await.unwrap().error().unwrap();
    assert_eq!(refused, Error::new(409, "POST", "no subscribers"));
}

#[tokio::test]
async fn log_lines_carry_fields_and_no_secrets() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    let id = plugin.action("log", json!({})).await.unwrap().success().unwrap();
    let line = daemon.log_line("the line", |l| l.message == "a line").await.unwrap();
    assert_eq!((line.level, line.service.as_str(), json!(line.group)), (Level::Info, "probe", id));
    assert_eq!(line.data, json!([{"port": 623, "ok": true, "password": "***"}]));
    assert!(line.file.ends_with("probe.rs") && line.line > 0 && line.seq > 0 && line.time.contains('T'));

    let tracing = [JSON, ("X-Log-Request", "trace"), ("X-Log-Token", "find-me")];
    let body = json!({"Command": "log"}).to_string();
    plugin.request(Method::POST, "/api-plugin/v4/action", &tracing, body).await.unwrap();
    let detail = daemon.log_line("the detail", |l| l.message == "a detail").await.unwrap();
    let token = daemon.log_line("the token", |l| l.message.contains("find-me")).await.unwrap();
    assert_eq!((token.level, token.group), (Level::Error, detail.group));
    assert_eq!(daemon.logs().iter().filter(|l| l.message == "a detail").count(), 1, "only for that request");
}

#[tokio::test]
async fn own_routes_are_reached_and_panics_survived() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    for prefix in ["/plugin-apis/p1", "/api/v3/plugin-apis/p1"] {
        let answer = plugin.request(Method::GET, &format!("{prefix}/hello/you?x=1"), &[], "").await.unwrap();
        assert_eq!((answer.status, answer.text().as_str()), (200, "p1 greets you"));
        let path = format!("{prefix}/nowhere");
        let missing = plugin.request(Method::PUT, &path, &[], "").await.unwrap().error().unwrap();
        assert_eq!((missing.code, missing.key, missing.r#type.as_str()), (404, path, "PUT"));
    }
    let panicked =
        plugin.request(Method::GET, "/plugin-apis/p1/panic", &[], "").await.unwrap().error().unwrap();
    assert!(panicked.messages[0].starts_with("Panic recovered: route panics at "), "{panicked}");
    assert_eq!(plugin.action("name", json!({})).await.unwrap().success().unwrap(), "p1");
}
