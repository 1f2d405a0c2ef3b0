//! Plugins that break (promise P3).

use crate::bench::{Bench, alive, holds, limits, until};
use drp_host::{HostError, InstanceState, Limits};
use serde_json::json;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_crash_fails_calls_in_flight_and_restarts() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let pid = bench.status("lamp").pid.unwrap();
    let waiting = bench.act("lamp", "hang", json!({}));
    let kill = async {
        holds("the call arrived", || bench.calls("lamp").len() == 2).await;
        assert!(
            std::process::Command::new("kill").args(["-9", &pid.to_string()]).status().unwrap().success()
        );
        Instant::now()
    };
    let (failed, killed) = tokio::join!(waiting, kill);
    let took = killed.elapsed();
    let failed = failed.unwrap_err();
    assert!(matches!(failed, HostError::Gone { .. }), "{failed}");
    let text = failed.to_string();
    assert!(
        text.starts_with("plugin lamp was killed by signal 9 (SIGKILL) while it handled action; "),
        "{text}"
    );
    assert!(text.contains("a fault of the plugin") && text.contains("may have been done"), "{text}");
    assert!(!failed.retry_is_safe(), "it may have done it");
    println!("a call in flight failed {took:?} after kill -9");
    let again = until(|| {
        let status = bench.status("lamp");
        (status.state == InstanceState::Configured && status.pid != Some(pid)).then_some(status)
    });
    assert_eq!(again.await.unwrap().restarts, 1);
    assert_eq!(bench.act("lamp", "echo", json!({})).await.unwrap(), json!({}));
    assert!(bench.states("lamp").contains(&InstanceState::Restarting));
    bench.close().await;
}

#[tokio::test]
async fn an_exit_within_an_action_is_told_as_such() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let error = bench.act("lamp", "exit", json!({})).await.unwrap_err();
    assert!(
        error.to_string().starts_with("plugin lamp exited with code 3 while it handled action; "),
        "{error}"
    );
    holds("it is back", || bench.status("lamp").state == InstanceState::Configured).await;
    let error = bench.act("lamp", "die", json!({})).await.unwrap_err();
    assert!(error.to_string().contains("SIGKILL"), "{error}");
    bench.close().await;
}

#[tokio::test]
async fn crashing_again_and_again_ends_in_quarantine() {
    let bench = Bench::new().await;
    bench.install("lamp", "dies");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Quarantined).await;
    assert_eq!(status.restarts, 2);
    assert!(status.errors[0].contains("crashed 3 times within 300s"), "{:?}", status.errors);
    assert!(status.errors[0].contains("exited with code 7"), "{:?}", status.errors);
    assert_eq!(status.errors[1], "The last it said: the lamp fell down");
    // A better executable brings it back.
    bench.install("lamp", "");
    bench.host.scan().await;
    let status = bench.reaches("lamp", InstanceState::Configured).await;
    assert!(status.errors.is_empty());
    bench.close().await;
}

#[tokio::test]
async fn a_frozen_plugin_can_be_stopped() {
    let short = Duration::from_millis(150);
    let bench = Bench::with(Limits { drain: short, stop: short, exit: short, term: short, ..limits() }).await;
    bench.run("lamp", "").await;
    let pid = bench.status("lamp").pid.unwrap();
    let frozen = bench.act("lamp", "freeze", json!({}));
    let stop = async {
        holds("the call arrived", || bench.calls("lamp").len() == 2).await;
        bench.host.remove_plugin("lamp").await;
    };
    let (error, ()) = tokio::join!(frozen, stop);
    assert!(matches!(error.unwrap_err(), HostError::Gone { .. }));
    assert!(!alive(pid.into()));
    bench.close().await;
}

#[tokio::test]
async fn a_log_flood_is_bounded_and_disturbs_nobody() {
    let bench = Bench::with(Limits { log_rate: 500, ..limits() }).await;
    bench.run("lamp", "").await;
    bench.run("torch", "").await;
    assert_eq!(bench.act("lamp", "flood", json!({})).await.unwrap(), json!("flooded"));
    assert_eq!(bench.act("torch", "echo", json!({})).await.unwrap(), json!({}));
    let status = bench.status("lamp");
    assert!(status.dropped_lines > 5_000, "{}", status.dropped_lines);
    assert_eq!(status.stdout.len(), 200);
    let from_lamp =
        bench.backend.lines.lock().unwrap().iter().filter(|l| l.message.starts_with("flood")).count();
    assert!(from_lamp < 15_000, "{from_lamp}");
    bench.close().await;
}

#[tokio::test]
async fn open_files_of_a_plugin_are_limited() {
    let bench = Bench::with(Limits { open_files: 64, ..limits() }).await;
    bench.run("lamp", "").await;
    let opened = bench.act("lamp", "files", json!({})).await.unwrap();
    assert!(opened.as_u64().unwrap() < 64, "{opened}");
    assert_eq!(bench.act("lamp", "echo", json!({})).await.unwrap(), json!({}));
    bench.close().await;
}
