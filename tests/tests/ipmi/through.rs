//! Actions through a real daemon, with params in the body of the request.

use drp_tests::daemon::{Builder, Daemon, answer};
use serde_json::{Value, json};
use std::time::Duration;

pub const MACHINE: &str = "machines/Name:node-1";

/// A daemon with the plugin and a machine with these params and the usual password.
pub async fn daemon(builder: Builder, params: Value) -> Daemon {
    let daemon = builder.plugin("ipmi").start();
    daemon.wait_plugin("ipmi").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "node-1", "Params": params})).await;
    let path = format!("{MACHINE}/params/ipmi/password");
    daemon.expect(200, "POST", &path, json!(drp_tests::peers::PASSWORD)).await;
    daemon
}

/// Runs an action; the result, or status, type and text of the error.
pub async fn act(daemon: &Daemon, verb: &str, more: Value) -> Result<Value, (u16, String, String)> {
    let path = format!("/api/v3/{MACHINE}/actions/{verb}");
    let done = answer(daemon.request("POST", &path).json(&more).timeout(Duration::from_secs(120))).await;
    let body = done.json();
    if done.status == 200 {
        return Ok(body);
    }
    Err((done.status, body["Type"].as_str().unwrap_or_default().to_owned(), body["Messages"].to_string()))
}

/// Runs an action that has to succeed.
pub async fn good(daemon: &Daemon, verb: &str, more: Value) -> Value {
    match act(daemon, verb, more).await {
        Ok(result) => result,
        Err(error) => panic!("{verb}: {error:?}\n{}", daemon.log()),
    }
}

/// Runs an action that has to fail in this way; the error's text.
pub async fn bad(daemon: &Daemon, verb: &str, more: Value, code: u16, kind: &str) -> String {
    let (status, r#type, text) = act(daemon, verb, more).await.expect_err(verb);
    assert_eq!((status, r#type.as_str()), (code, kind), "{verb}: {text}");
    text
}
