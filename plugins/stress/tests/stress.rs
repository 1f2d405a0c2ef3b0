//! The faults happen as the README says, and those the SDK shall survive are survived.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

use drp_plugin_testkit::{Answer, FakeDaemon, RunningPlugin, TestkitError, define, run};
use drp_protocol::Event;
use serde_json::{Value, json};
use std::{path::PathBuf, time::Duration};

const STRESS: &str = env!("CARGO_BIN_EXE_stress");

async fn launch(daemon: &FakeDaemon) -> RunningPlugin {
    let plugin = daemon.launch(STRESS, "s1").await.unwrap();
    plugin.config(json!({})).await.unwrap().success().unwrap();
    plugin
}

async fn act(plugin: &RunningPlugin, fault: &str, amount: Option<u64>) -> Result<Answer, TestkitError> {
    plugin.action(fault, amount.map_or(json!({}), |n| json!({"stress/amount": n}))).await
}

/// A copy of the executable whose name is a start fault.
fn named(daemon: &FakeDaemon, fault: &str) -> PathBuf {
    let copy = daemon.path(&format!("stress-{fault}"));
    std::fs::copy(STRESS, &copy).unwrap();
    copy
}

#[tokio::test]
async fn the_readme_lists_every_switch() {
    let provider = define(STRESS).await.unwrap();
    assert_eq!(
        provider.available_actions.len(),
        64,
        "every fault is offered on machines and in the system set"
    );
    let readme = include_str!("../README.md");
    for action in &provider.available_actions {
        assert!(
            readme.contains(&format!("| `{}` | ", action.command)),
            "{} is not in README.md",
            action.command
        );
    }
    let source = include_str!("../src/faults.rs").to_owned() + include_str!("../src/start.rs");
    for row in readme.lines().filter(|l| l.starts_with("| `") && !l.contains("stress/")) {
        let mut cells = row.trim_matches('|').split(" | ").map(str::trim);
        let (name, text) = (cells.next().unwrap().trim_matches('`'), cells.next().unwrap());
        let name = name.strip_prefix("stress-").unwrap_or(name);
        let line = format!("(\"{name}\", \"{}\")", text.replace('"', "\\\""));
        assert!(source.contains(&line), "README.md says of {name}: {text}");
    }
}

#[tokio::test]
async fn the_sdk_survives_what_it_can() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    let panicked = act(&plugin, "panic", None).await.unwrap().error().unwrap();
    assert_eq!(
        (panicked.code, panicked.r#type.as_str(), panicked.key.as_str()),
        (500, "POST", "/api-plugin/v4/action")
    );
    assert!(panicked.messages[0].starts_with("Panic recovered: panicked as told at "), "{panicked}");
    assert!(panicked.messages[1].starts_with("Request: "), "{panicked}");
    daemon
        .log_line("the backtrace", |l| {
            l.message.contains("panicked as told") && l.data[0]["backtrace"].is_string()
        })
        .await
        .unwrap();

    assert_eq!(act(&plugin, "code-zero", None).await.unwrap().error().unwrap().code, 500);
    assert_eq!(act(&plugin, "error", None).await.unwrap().error().unwrap().code, 409);
    for fault in ["no-answer", "half-answer", "garbage-answer"] {
        assert!(act(&plugin, fault, None).await.is_err(), "{fault}");
    }
    let huge = act(&plugin, "huge-answer", Some(5_000_000)).await.unwrap().success().unwrap();
    assert_eq!(huge.as_str().unwrap().len(), 5_000_000);
    assert_eq!(act(&plugin, "null", None).await.unwrap().success().unwrap(), Value::Null);

    // Printing is harmless: it goes to standard error, whatever it says.
    act(&plugin, "print", None).await.unwrap().success().unwrap();
    act(&plugin, "stdout-flood", Some(20_000)).await.unwrap().success().unwrap();
    act(&plugin, "stderr-flood", Some(20_000)).await.unwrap().success().unwrap();
    assert_eq!(plugin.stdout(), ["READY!"]);

    act(&plugin, "descriptors", Some(10)).await.unwrap().success().unwrap();
    act(&plugin, "log-flood", Some(2000)).await.unwrap().success().unwrap();
    act(&plugin, "spin", Some(10)).await.unwrap().success().unwrap();
    act(&plugin, "event-flood", Some(50)).await.unwrap().success().unwrap();
    assert_eq!(daemon.events().len(), 50);
    act(&plugin, "leave", None).await.unwrap().success().unwrap();
    assert_eq!(daemon.left()[0].code, 403);
    assert_eq!(act(&plugin, "ok", None).await.unwrap().success().unwrap(), "ok", "it lives on");
    assert!(plugin.stop().await.unwrap().success());
}

#[tokio::test]
async fn lines_the_daemon_does_not_take_are_dropped_and_counted() {
    let daemon = FakeDaemon::start().await.unwrap();
    daemon.answer_logs_with(500);
    let plugin = launch(&daemon).await;
    act(&plugin, "trace-flood", Some(20_000)).await.unwrap().success().unwrap();
    daemon.log_line("the count", |l| l.message.contains("log lines were dropped")).await.unwrap();
    let taken = daemon.logs().iter().filter(|l| l.message == "flood").count();
    assert!(taken < 20_000, "the queue is bounded, and a refused line is no new line");
}

#[tokio::test]
async fn hooks_behave_as_configured() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    let config = async |mood: &str| plugin.config(json!({"stress/config": mood})).await.unwrap();
    let error = config("leave").await.nested_error().unwrap();
    assert_eq!((error.code, error.model.as_str(), error.key.as_str()), (403, "plugin", "stress"));
    assert_eq!(config("code-zero").await.nested_error().unwrap().code, 500);
    let panicked = config("panic").await.error().unwrap();
    assert!(panicked.messages[0].contains("config panics as told"), "{panicked}");
    assert!(config("cheerful").await.nested_error().unwrap().messages[0].contains("stress/config"));

    plugin.config(json!({"stress/publish": "error"})).await.unwrap().success().unwrap();
    let event = Event::now("machines", "update", "7d0f", json!({}));
    assert_eq!(plugin.publish(&event).await.unwrap().nested_error().unwrap().code, 409);
    plugin.config(json!({"stress/stop": "error"})).await.unwrap().success().unwrap();
    plugin.publish(&event).await.unwrap().success().unwrap();
    assert!(plugin.stop().await.unwrap().success());

    let mut plugin = launch(&daemon).await;
    let hanging = plugin.config(json!({"stress/config": "hang"}));
    assert!(tokio::time::timeout(Duration::from_millis(300), hanging).await.is_err());
    assert!(plugin.stop().await.unwrap().success(), "a config that hangs does not keep it from stopping");

    let mut plugin = launch(&daemon).await;
    plugin.config(json!({"stress/stop": "exit"})).await.unwrap().success().unwrap();
    assert!(plugin.stop().await.is_err(), "the stop reply is lost");
    assert!(plugin.ended().await.unwrap().success());
}

#[tokio::test]
async fn crashes_end_the_process() {
    let daemon = FakeDaemon::start().await.unwrap();
    for fault in ["crash", "exit"] {
        let mut plugin = launch(&daemon).await;
        assert!(act(&plugin, fault, None).await.is_err(), "{fault}");
        plugin.ended().await.unwrap();
    }
    let mut plugin = launch(&daemon).await;
    act(&plugin, "crash-later", None).await.unwrap().success().unwrap();
    assert!(!plugin.ended().await.unwrap().success());
}

#[tokio::test]
async fn start_faults_come_with_the_name() {
    let daemon = FakeDaemon::start().await.unwrap();
    for (fault, why) in
        [("failed", "Failed"), ("early-exit", "output ended"), ("endless-line", "output ended")]
    {
        let outcome = daemon.launch(named(&daemon, fault), "s2").await;
        let text = outcome.err().expect(fault).to_string();
        assert!(text.contains(why), "{fault}: {}", &text[..text.len().min(200)]);
    }
    let noisy = daemon.launch(named(&daemon, "noise"), "s3").await.unwrap();
    assert_eq!(act(&noisy, "ok", None).await.unwrap().success().unwrap(), "ok");
    assert_eq!(define(named(&daemon, "old-define")).await.unwrap().plugin_version, 2);
    assert!(define(named(&daemon, "bad-define")).await.is_err());
    assert_eq!(
        run(named(&daemon, "failing-unpack"), &["unpack", "/nowhere"], &[]).await.unwrap().code,
        Some(1)
    );
    assert_eq!(
        define(named(&daemon, "silent")).await.unwrap().name,
        "stress-silent",
        "the name is the file's"
    );
}

#[tokio::test]
async fn ignoring_sigterm_and_leaving_a_process() {
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    let answer = act(&plugin, "daemonise", Some(30)).await.unwrap().success().unwrap();
    let orphan = Pid::from_raw(i32::try_from(answer.as_i64().unwrap()).unwrap());
    // The answer may come before the process has left the plugin's group.
    let group = i32::try_from(plugin.pid().unwrap()).unwrap();
    let end = std::time::Instant::now() + std::time::Duration::from_secs(10);
    while nix::unistd::getpgid(Some(orphan)).unwrap().as_raw() == group {
        assert!(std::time::Instant::now() < end, "it never left the group of the plugin");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    kill(orphan, Signal::SIGKILL).unwrap();
    act(&plugin, "ignore-term", None).await.unwrap().success().unwrap();
    plugin.signal(Signal::SIGTERM);
    assert_eq!(act(&plugin, "ok", None).await.unwrap().success().unwrap(), "ok");
    plugin.signal(Signal::SIGKILL);
    assert!(!plugin.ended().await.unwrap().success());
}
