//! Actions (wire-protocol §1.6, §1.7).

use crate::bench::{Bench, LONG, limits};
use drp_host::{Fault, HostError, InstanceState, Limits};
use drp_protocol::{Action, Error};
use serde_json::json;
use std::time::Duration;

#[tokio::test]
async fn any_json_is_a_result() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    for text in ["42", "\"blinked 3 times\"", "null", "{\"a\":[1,{}]}", "true", "-1.5e3", "[]\n"] {
        let action = Action {
            command: "raw".into(),
            params: json!({"text": text}).as_object().unwrap().clone(),
            ..Action::default()
        };
        let answer = bench.host.invoke("lamp", &action, LONG).await.unwrap();
        assert_eq!(answer, text.as_bytes(), "byte for byte");
    }
    assert_eq!(bench.act("lamp", "raw", json!({"text": ""})).await.unwrap(), json!(null));
    let call = &bench.calls("lamp")[1];
    assert!(
        call.starts_with(r#"POST /api-plugin/v4/action unix {"Model":null,"Plugin":"","Command":"raw""#),
        "{call}"
    );
    bench.close().await;
}

#[tokio::test]
async fn errors_of_the_plugin_pass_through() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let said = bench.act("lamp", "error", json!({})).await.unwrap_err();
    assert_eq!(Error::from(said), Error::new(409, "plugin", "no such lamp").on("plugin", "lamp"));
    let unknown = Error::from(bench.act("lamp", "dance", json!({})).await.unwrap_err());
    assert_eq!((unknown.code, unknown.messages[0].as_str()), (404, "Unknown command: dance\n"));
    let zero = Error::from(bench.act("lamp", "code0", json!({})).await.unwrap_err());
    assert_eq!((zero.code, zero.messages[0].as_str()), (500, "code zero"));
    let text = Error::from(bench.act("lamp", "text", json!({})).await.unwrap_err());
    assert_eq!((text.code, text.key.as_str()), (500, "lamp"));
    assert!(text.messages[0].contains("<html>oops"), "{text}");
    bench.close().await;
}

#[tokio::test]
async fn broken_answers_are_typed() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    for (command, code, says) in [
        ("drop", 409, "cannot talk to plugin lamp (action)"),
        ("half", 409, "the answer broke off"),
        ("nonsense", 409, "cannot talk to plugin lamp (action)"),
        ("huge", 502, "larger than 67108864 bytes"),
        ("redirect", 500, "status 302"),
    ] {
        let error = bench.act("lamp", command, json!({})).await.unwrap_err();
        assert_eq!((error.code(), error.fault()), (code, Fault::Plugin), "{command}: {error}");
        assert!(error.to_string().contains(says), "{command}: {error}");
        assert!(!error.retry_is_safe(), "{command}");
    }
    let action = Action {
        command: "raw".into(),
        params: json!({"text": "Running"}).as_object().unwrap().clone(),
        ..Action::default()
    };
    let error = bench.host.invoke("lamp", &action, LONG).await.unwrap_err();
    assert!(matches!(&error, HostError::BrokenAnswer { why, .. } if why.contains("not JSON")), "{error}");
    // It lives on.
    assert_eq!(bench.act("lamp", "echo", json!({"a": 1})).await.unwrap(), json!({"a": 1}));
    assert_eq!(bench.status("lamp").restarts, 0);
    bench.close().await;
}

#[tokio::test]
async fn a_hanging_action_ends_at_its_deadline() {
    let bench = Bench::with(Limits { drain: Duration::from_millis(100), ..limits() }).await;
    bench.run("lamp", "").await;
    let action = Action { command: "hang".into(), ..Action::default() };
    let error = bench.host.invoke("lamp", &action, Duration::from_millis(100)).await.unwrap_err();
    assert!(matches!(error, HostError::Timeout { sent: true, .. }), "{error}");
    assert_eq!(Error::from(error).code, 504);
    assert_eq!(bench.act("lamp", "echo", json!({})).await.unwrap(), json!({}));
    bench.close().await;
}

#[tokio::test]
async fn logging_and_asking_while_an_action_runs() {
    let bench = Bench::new().await;
    bench.run("lamp", "config-asks").await;
    assert_eq!(bench.act("lamp", "log-first", json!({})).await.unwrap(), json!(204));
    let params = json!({"method": "GET", "path": "/api-server-plugin/v4/objects/machines", "body": ""});
    assert_eq!(bench.act("lamp", "ask", params).await.unwrap(), json!([200, "[{\"Name\":\"m1\"}]"]));
    bench.close().await;
}

#[tokio::test]
async fn calls_in_flight_are_limited() {
    let bench = Bench::with(Limits { in_flight: 2, waiting: 1, ..limits() }).await;
    bench.run("lamp", "").await;
    let slow = || bench.act("lamp", "slow", json!({"ms": 500}));
    let wait = || async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert_eq!(bench.status("lamp").in_flight, 2);
        let waits = bench.act("lamp", "echo", json!({}));
        let refused = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            bench.act("lamp", "echo", json!({})).await
        };
        tokio::join!(waits, refused)
    };
    let (one, two, (waited, refused)) = tokio::join!(slow(), slow(), wait());
    assert!(one.is_ok() && two.is_ok() && waited.is_ok());
    let refused = refused.unwrap_err();
    assert!(matches!(refused, HostError::Overloaded { .. }) && refused.retry_is_safe(), "{refused}");
    bench.close().await;
}

#[tokio::test]
async fn what_does_not_run_is_not_called() {
    let bench = Bench::new().await;
    bench.install("lamp", "config-fails");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    bench.reaches("lamp", InstanceState::Failed).await;
    let error = bench.act("lamp", "echo", json!({})).await.unwrap_err();
    assert!(matches!(error, HostError::NotRunning { .. }) && error.retry_is_safe());
    let error = Error::from(error);
    assert_eq!((error.code, error.model.as_str()), (503, "plugins"));
    assert!(
        error.messages[0].starts_with("plugin lamp is not running (failed) and was not asked"),
        "{error}"
    );
    let error = bench.act("torch", "echo", json!({})).await.unwrap_err();
    assert_eq!((error.code(), error.fault()), (404, Fault::User));
    bench.close().await;
}

#[tokio::test]
async fn the_environment_is_scrubbed() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let env = bench.act("lamp", "env", json!({})).await.unwrap();
    let env = env.as_object().unwrap();
    assert_eq!(env["RS_TOKEN"], json!(bench.backend.token("lamp")));
    assert_eq!(env["RS_ENDPOINT"], json!("https://127.0.0.1:8092"));
    assert_eq!(env["RS_FILESERVER"], json!("http://127.0.0.1:8091"));
    assert_eq!(env["RS_WEBROOT"], json!(bench.dir.path()));
    // The script and the shell add their own.
    let expected = |name: &str| {
        drp_host::INHERITED.contains(&name)
            || name.starts_with("LC_")
            || name.starts_with("FAKE")
            || ["RS_TOKEN", "RS_ENDPOINT", "RS_FILESERVER", "RS_WEBROOT", "NO_PROXY", "no_proxy"]
                .contains(&name)
            || ["PWD", "OLDPWD", "SHLVL", "_"].contains(&name)
    };
    let odd: Vec<_> = env.keys().filter(|k| !expected(k)).collect();
    assert!(odd.is_empty(), "{odd:?}");
    assert!(std::env::vars().any(|(k, _)| !expected(&k)), "cargo gives this test variables to scrub");
    let place = bench.act("lamp", "place", json!({})).await.unwrap();
    assert_eq!(place["cwd"], json!(bench.dir.path().join("plugin-tmp")));
    assert_eq!(place["stdin"], json!("/dev/null"));
    assert_eq!((&place["session"], &place["group"]), (&place["pid"], &place["pid"]));
    assert!(place["files"].as_str().unwrap().contains("4096"), "{place}");
    assert!(place["core"].as_str().unwrap().contains(" 0 "), "{place}");
    bench.close().await;
}
