//! One bad plugin stops neither the daemon nor another plugin, and leaves nothing behind (promises P2 and P3): the
//! stress plugin shows each of its faults to a real daemon, and `echo` beside it must go on answering.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use drp_tests::daemon::{Answer, Builder, Daemon, binary};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};

fn builder() -> Builder {
    Daemon::builder().plugin("echo").plugin("stress")
}

async fn create(daemon: &Daemon, name: &str, provider: &str, params: Value) {
    daemon
        .expect(201, "POST", "plugins", json!({"Name": name, "Provider": provider, "Params": params}))
        .await;
}

async fn with_echo(builder: Builder) -> Daemon {
    let daemon = builder.start();
    create(&daemon, "echo", "echo", json!({})).await;
    daemon.wait_plugin("echo").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    daemon
}

/// Runs an action of the stress plugin.
async fn fault(daemon: &Daemon, action: &str, amount: Option<u64>) -> Answer {
    let params = amount.map_or(json!({}), |n| json!({"stress/amount": n}));
    daemon.call("POST", &format!("/api/v3/system/actions/{action}?plugin=bad"), params).await
}

/// The other plugin answers, and so does the daemon.
async fn others_live(daemon: &Daemon, after: &str) {
    let path = "machines/Name:m1/actions/echo?plugin=echo";
    let answer = daemon.call("POST", &format!("/api/v3/{path}"), json!({"echo/text": after})).await;
    assert_eq!((answer.status, answer.json()), (200, json!(after)), "after {after}\n{}", daemon.log());
}

/// The plugin answers again, by itself.
async fn back(daemon: &Daemon, after: &str) {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = fault(daemon, "ok", None).await;
        if answer.status == 200 {
            return;
        }
        assert!(Instant::now() < end, "not back after {after}: {}\n{}", answer.text(), daemon.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn errors(daemon: &Daemon, name: &str) -> Vec<String> {
    let shown = daemon
        .wait_for(&format!("plugins/{name}"), |a| {
            a.json()["PluginErrors"].as_array().is_some_and(|e| !e.is_empty())
        })
        .await;
    serde_json::from_value(shown.json()["PluginErrors"].clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_actions() {
    let daemon = with_echo(builder()).await;
    create(&daemon, "bad", "stress", json!({})).await;
    daemon.wait_plugin("bad").await;
    for (action, amount, status) in [
        ("ok", None, 200),
        ("null", None, 200),
        ("error", None, 409),
        ("code-zero", None, 500),
        ("panic", None, 500),
        ("no-answer", None, 409),
        ("half-answer", None, 409),
        ("garbage-answer", None, 409),
        ("huge-answer", Some(68_000_000), 502),
        ("deep-answer", Some(100), 200),
        ("deep-answer", Some(1_000), 500),
        ("print", None, 200),
        ("stdout-flood", Some(50_000), 200),
        ("stderr-flood", Some(50_000), 200),
        ("log-flood", Some(5_000), 200),
        ("trace-flood", Some(20_000), 200),
        ("event-flood", Some(2_000), 200),
        ("descriptors", Some(200), 200),
        ("fork-bomb", Some(100), 200),
        ("crash", None, 409),
        ("exit", None, 409),
        ("crash-later", None, 200),
    ] {
        let answer = fault(&daemon, action, amount).await;
        assert_eq!(answer.status, status, "{action}: {}\n{}", answer.text(), daemon.log());
        if status >= 400 {
            let error = answer.json();
            assert_eq!(error["Code"], json!(status), "{action}: {error}");
            assert!(error["Messages"][0].as_str().is_some_and(|m| !m.is_empty()), "{action}: {error}");
        }
        others_live(&daemon, action).await;
        back(&daemon, action).await;
    }
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_action_moves_to_no_other_plugin_by_itself() {
    let daemon = builder().start();
    for name in ["worse", "bad"] {
        create(&daemon, name, "stress", json!({})).await;
        daemon.wait_plugin(name).await;
    }
    let mut events = EventSocket::connect(&daemon).await;
    events.register("system.*.*").await;
    let ok = || daemon.call("POST", "/api/v3/system/actions/ok", json!({}));
    let refused = |answer: &Answer| {
        let error = answer.json();
        assert_eq!((answer.status, answer.header("retry-after")), (503, "1"), "{error}");
        assert_eq!(
            (&error["Type"], &error["Model"], &error["Key"]),
            (&json!("INVOKE"), &json!("plugins"), &json!("bad"))
        );
        assert!(error["Messages"][0].as_str().unwrap().contains("plugin bad is"), "{error}");
    };
    assert_eq!(ok().await.status, 200);
    // By name: the other has registered first.
    assert_eq!(events.next().await["Object"]["Plugin"], "bad");

    // What it was doing may have been done, which is no 503.
    assert_eq!(fault(&daemon, "crash", None).await.status, 409);
    assert_eq!(events.next().await["Object"]["Plugin"], "bad");
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let answer = ok().await;
        if answer.status == 200 {
            break;
        }
        refused(&answer);
        assert!(Instant::now() < end, "{}", daemon.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Also those that found it gone were for it.
    daemon.expect(204, "POST", "events", json!({"Type": "system", "Action": "end", "Key": "x"})).await;
    loop {
        let event = events.next().await;
        if event["Action"] == "end" {
            break;
        }
        assert_eq!((&event["Action"], &event["Object"]["Plugin"]), (&json!("ok"), &json!("bad")));
    }

    // One that never starts keeps its place until it is deleted; others can be named.
    daemon.expect(200, "POST", "plugins/bad/params/stress/config", json!("error")).await;
    daemon
        .wait_for("system/status", |a| {
            a.json()["Plugins"].as_array().unwrap().iter().any(|p| p["State"] == "failed")
        })
        .await;
    refused(&ok().await);
    let named = daemon.call("POST", "/api/v3/system/actions/ok?plugin=worse", json!({})).await;
    assert_eq!(named.status, 200, "{}", named.text());
    daemon.expect(200, "DELETE", "plugins/bad", Value::Null).await;
    assert_eq!(ok().await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_plugin_leaves_running_ends_with_it() {
    let daemon = with_echo(builder()).await;
    create(&daemon, "bad", "stress", json!({})).await;
    daemon.wait_plugin("bad").await;
    let pid = fault(&daemon, "daemonise", None).await.json().as_u64().unwrap();
    let there = || Path::new(&format!("/proc/{pid}")).exists();
    assert!(there());
    assert_eq!(fault(&daemon, "fork-bomb", Some(50)).await.json(), json!(50));
    // Without its socket it cannot be asked to stop: it is told by signal.
    assert_eq!(fault(&daemon, "remove-socket", None).await.status, 200);
    daemon.expect(200, "DELETE", "plugins/bad", Value::Null).await;
    let end = Instant::now() + Duration::from_secs(30);
    while there() || !drp_tests::daemon::processes_under(daemon.base()).iter().all(|p| !p.contains("sleep")) {
        assert!(Instant::now() < end, "{:?}", drp_tests::daemon::processes_under(daemon.base()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    others_live(&daemon, "the end of the other").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_start() {
    let faults = [
        ("early-exit", "exited with code 3 before READY!"),
        ("failed", "Failed"),
        ("deaf", "READY! without its socket"),
        ("endless-line", "before READY!"),
    ];
    let unusable = [
        ("bad-define", "not a definition in JSON"),
        ("failing-define", "define exited with code 1"),
        ("old-define", "plugin protocol 2"),
        ("failing-unpack", "unpack exited with code 1"),
    ];
    let mut builder = Daemon::builder().plugin("echo");
    for fault in faults.iter().chain(&unusable).map(|(fault, _)| *fault).chain(["noise"]) {
        builder = builder.plugin_file(&format!("stress-{fault}"), binary("stress"));
    }
    let daemon = with_echo(builder).await;
    for (fault, says) in faults {
        create(&daemon, fault, &format!("stress-{fault}"), json!({})).await;
        let errors = errors(&daemon, fault).await;
        assert_eq!(errors[0], "Failed to start plugin - didn't respond cleanly", "{fault}: {errors:?}");
        assert!(errors[1].contains(says), "{fault}: {errors:?}");
        others_live(&daemon, fault).await;
    }
    for (fault, says) in unusable {
        let provider = format!("stress-{fault}");
        create(&daemon, fault, &provider, json!({})).await;
        let errors = errors(&daemon, fault).await;
        assert_eq!(errors[0], format!("Missing Plugin Provider: {provider}"));
        assert!(errors[1].contains(says), "{fault}: {errors:?}");
    }
    create(&daemon, "noise", "stress-noise", json!({})).await;
    daemon.wait_plugin("noise").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_hooks() {
    let daemon = with_echo(builder()).await;
    for (mood, says) in [
        ("error", "config fails as told"),
        ("code-zero", "config fails without a code"),
        ("panic", "config panics as told"),
        ("crash", "SIGABRT"),
    ] {
        let name = format!("config-{mood}");
        create(&daemon, &name, "stress", json!({"stress/config": mood})).await;
        let errors = errors(&daemon, &name).await;
        assert!(errors.iter().any(|e| e.contains(says)), "{mood}: {errors:?}");
        others_live(&daemon, mood).await;
        daemon.expect(200, "DELETE", &format!("plugins/{name}"), Value::Null).await;
    }
    for mood in ["exit", "crash", "panic", "error"] {
        let name = format!("stop-{mood}");
        create(&daemon, &name, "stress", json!({"stress/stop": mood})).await;
        daemon.wait_plugin(&name).await;
        daemon.expect(200, "DELETE", &format!("plugins/{name}"), Value::Null).await;
        others_live(&daemon, mood).await;
    }
    // One that is to be stopped with the daemon, and loses its reply.
    create(&daemon, "bad", "stress", json!({"stress/stop": "exit"})).await;
    daemon.wait_plugin("bad").await;
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    assert!(!log.contains("SIGKILL"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_leaves_takes_its_actions_along() {
    let daemon = with_echo(builder()).await;
    create(&daemon, "bad", "stress", json!({})).await;
    daemon.wait_plugin("bad").await;
    assert_eq!(fault(&daemon, "leave", None).await.status, 200);
    let errors = errors(&daemon, "bad").await;
    assert!(errors.iter().any(|e| e.contains("withdrawn as told")), "{errors:?}");
    daemon.wait_for("plugin_providers/stress", |a| a.status == 404).await;
    assert_eq!(fault(&daemon, "ok", None).await.status, 400);
    others_live(&daemon, "leave").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frozen_plugin_does_not_hold_the_daemon() {
    let daemon = with_echo(builder()).await;
    create(&daemon, "bad", "stress", json!({})).await;
    daemon.wait_plugin("bad").await;
    let waiting = tokio::time::timeout(Duration::from_secs(1), fault(&daemon, "sigstop", None));
    assert!(waiting.await.is_err(), "it is frozen");
    others_live(&daemon, "sigstop").await;
    // Asked in vain, then killed: the daemon ends within its time and leaves nothing, which its end asserts.
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    assert!(log.contains("did not end on SIGTERM: sending SIGKILL"), "{log}");
}
