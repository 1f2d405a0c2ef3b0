//! Start, readiness, configuration, stop, restart (wire-protocol §1.5, §1.10, §1.12).

use crate::bench::{Bench, alive, holds, limits, until};
use drp_host::{HostError, InstanceState};
use drp_protocol::Plugin;
use serde_json::json;
use std::os::unix::fs::PermissionsExt;
use std::time::Duration;

#[tokio::test]
async fn a_complete_session() {
    let bench = Bench::new().await;
    bench.backend.params.lock().unwrap().insert("lamp/url".into(), "http://l".into());
    bench.install_as("lamp", "stop-answers", json!({"StoreObjects": {"cows": {}}}));
    bench.host.scan().await;
    bench.upsert("desk-lamp", "lamp");
    let status = bench.reaches("desk-lamp", InstanceState::Configured).await;
    assert!(status.pid.is_some() && status.uptime.is_some());
    assert_eq!(*bench.backend.stored.lock().unwrap(), ["cows"]);
    assert_eq!(
        bench.calls("lamp")[0],
        r#"POST /api-plugin/v4/config unix {"Name":"desk-lamp","lamp/url":"http://l"}"#
    );
    let actions = bench.host.actions("machines");
    assert_eq!((&*actions[0].plugin, actions[0].action.provider.as_str()), ("desk-lamp", "lamp"));
    assert!(bench.host.actions("system").is_empty());
    for entry in std::fs::read_dir(bench.dir.path().join("run")).unwrap().flatten() {
        let name = entry.file_name().into_string().unwrap();
        if name.contains("Plugin") {
            assert!(name.starts_with("desk-lamp."), "{name}");
            assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
    }
    let mode = bench.dir.path().join("run").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);

    bench.host.remove_plugin("desk-lamp").await;
    assert!(bench.host.actions("machines").is_empty());
    assert!(bench.host.plugin_status("desk-lamp").is_none());
    assert!(!alive(status.pid.unwrap().into()));
    assert_eq!(bench.calls("lamp").last().unwrap(), "POST /api-plugin/v4/stop unix null");
    assert!(bench.texts().contains(&"STOPPING".to_owned()), "the log is served until the end");
    use InstanceState::{Configured, Configuring, Starting, Stopped, Stopping};
    let states = bench.states("desk-lamp");
    assert_eq!(states, [Starting, Configuring, Configured, Stopping, Stopped]);
    let announced: Vec<_> =
        bench.backend.changes.lock().unwrap().iter().filter(|c| c.announce).map(|c| c.state).collect();
    assert_eq!(announced, [Configured, Stopped]);
    bench.close().await;
}

#[tokio::test]
async fn a_lost_stop_reply_is_success() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    bench.host.shutdown().await;
    assert!(!bench.texts().iter().any(|t| t.contains("SIGTERM")), "{:?}", bench.texts());
    bench.close().await;
}

#[tokio::test]
async fn a_plugin_that_does_not_get_ready() {
    for (behaviour, says) in [
        ("failed", "it said Failed; the last it said: Error: cannot listen"),
        ("exits", "it exited with code 3 before READY!; the last it said: no lamp is connected"),
        ("closes", "closed its standard output before READY!"),
        ("silent", "did not say READY! within"),
        ("socketless", "READY! without its socket"),
    ] {
        let mut limits = drp_host::Limits { crash_budget: 2, ..limits() };
        if behaviour == "silent" {
            limits.ready = Duration::from_millis(300);
        }
        let bench = Bench::with(limits).await;
        bench.install("lamp", behaviour);
        bench.host.scan().await;
        bench.upsert("lamp", "lamp");
        // What hindered it may pass, so it is tried again before it rests.
        let status = bench.reaches("lamp", InstanceState::Quarantined).await;
        assert_eq!(status.restarts, 1, "{behaviour}");
        assert_eq!(status.errors[0], "Failed to start plugin - didn't respond cleanly");
        assert!(status.errors[1].contains(says), "{behaviour}: {:?}", status.errors);
        assert!(status.errors[2].contains("quarantined"), "{behaviour}: {:?}", status.errors);
        assert_eq!(status.pid, None);
        bench.close().await;
    }
}

#[tokio::test]
async fn a_first_start_that_failed_for_a_while_is_made_up_for() {
    let bench = Bench::new().await;
    bench.install("lamp", "exits-first");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Configured).await;
    assert_eq!((status.restarts, status.errors), (1, Vec::new()));
    assert!(bench.states("lamp").contains(&InstanceState::Restarting));
    bench.close().await;
}

#[tokio::test]
async fn noise_around_ready_is_logged_and_bounded() {
    let bench = Bench::new().await;
    bench.run("lamp", "noisy tells-token").await;
    holds("the last noise is kept", || bench.status("lamp").stdout.iter().any(|l| l.starts_with("xxx")))
        .await;
    let status = bench.status("lamp");
    assert_eq!(status.stdout.len(), 200);
    assert!(status.stdout.iter().any(|l| l.len() < 17_000 && l.ends_with("(cut)")));
    assert!(status.stdout.contains(&"my token is ***".to_owned()), "the token is hidden");
    assert!(bench.backend.lines.lock().unwrap().iter().all(|l| l.ignore_publish || l.file.is_empty()));
    bench.close().await;
}

#[tokio::test]
async fn config_errors_are_readable() {
    let bench = Bench::new().await;
    bench.install("lamp", "config-fails");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Failed).await;
    assert_eq!(status.errors, ["plugin: plugin/lamp: no such lamp"]);
    assert_eq!(status.pid, None, "it is stopped");
    assert!(bench.host.actions("machines").is_empty());
    bench.close().await;
}

#[tokio::test]
async fn a_dropped_config_is_a_failure_and_a_death_is_a_crash() {
    let bench = Bench::new().await;
    bench.install("drops", "config-drops");
    bench.install("dies", "config-dies");
    bench.host.scan().await;
    bench.upsert("drops", "drops");
    bench.upsert("dies", "dies");
    let status = bench.reaches("drops", InstanceState::Failed).await;
    assert!(status.errors[0].contains("cannot talk to plugin drops (config)"), "{:?}", status.errors);
    let status = bench.reaches("dies", InstanceState::Quarantined).await;
    assert!(status.errors[0].contains("exited with code 9"), "{:?}", status.errors);
    bench.close().await;
}

#[tokio::test]
async fn missing_params_and_providers_are_named_and_come_back() {
    let bench = Bench::new().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Stopped).await;
    assert_eq!(status.errors, ["Missing Plugin Provider: lamp"]);

    *bench.backend.missing.lock().unwrap() = vec!["Missing required parameter: lamp/url".to_owned()];
    bench.install("lamp", "");
    bench.host.scan().await;
    let missing = ["Missing required parameter: lamp/url"];
    holds("the missing param is named", || bench.status("lamp").errors == missing).await;
    assert_eq!(bench.calls("lamp").len(), 0, "it is not started");

    bench.backend.missing.lock().unwrap().clear();
    bench.host.upsert_plugin(Plugin {
        name: "lamp".into(),
        provider: "lamp".into(),
        description: "changed".into(),
        ..Plugin::default()
    });
    let status = bench.reaches("lamp", InstanceState::Configured).await;
    assert!(status.errors.is_empty(), "PluginErrors are cleared");
    bench.close().await;
}

#[tokio::test]
async fn only_changes_that_matter_restart() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let first = bench.status("lamp").pid;
    let mut plugin = Plugin { name: "lamp".into(), provider: "lamp".into(), ..Plugin::default() };
    plugin.plugin_errors = vec!["x".into()];
    plugin.meta.insert("colour".into(), "red".into());
    bench.host.upsert_plugin(plugin.clone());
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(bench.status("lamp").pid, first);
    plugin.params.insert("lamp/url".into(), "http://new".into());
    bench.host.upsert_plugin(plugin);
    let restarted = until(|| {
        let status = bench.status("lamp");
        (status.state == InstanceState::Configured && status.pid != first).then_some(status)
    });
    assert_eq!(restarted.await.unwrap().restarts, 0, "that was no crash");
    let configs: Vec<_> = bench.calls("lamp").into_iter().filter(|c| c.contains("/config")).collect();
    assert!(configs[1].contains("http://new"), "{configs:?}");
    bench.host.restart_plugin("lamp").unwrap();
    holds("started once more", || bench.calls("lamp").iter().filter(|c| c.contains("/config")).count() == 3)
        .await;
    bench.close().await;
}

#[tokio::test]
async fn config_is_sent_again() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let pid = bench.status("lamp").pid;
    bench.host.reconfigure("lamp").unwrap();
    holds("a second config", || bench.calls("lamp").iter().filter(|c| c.contains("/config")).count() == 2)
        .await;
    bench.reaches("lamp", InstanceState::Configured).await;
    assert_eq!(bench.status("lamp").pid, pid);
    assert_eq!(bench.act("lamp", "echo", json!({"a": 1})).await.unwrap(), json!({"a": 1}));
    assert_eq!(bench.host.actions("machines").len(), 1, "nothing is registered twice");
    bench.close().await;
}

#[tokio::test]
async fn stop_during_config_waits_for_its_answer() {
    let bench = Bench::new().await;
    bench.install("lamp", "config-slow stop-answers");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    bench.reaches("lamp", InstanceState::Configuring).await;
    bench.host.remove_plugin("lamp").await;
    let calls = bench.calls("lamp");
    assert!(calls[0].contains("/config") && calls.last().unwrap().contains("/stop"), "{calls:?}");
    bench.close().await;
}

#[tokio::test]
async fn a_hanging_config_does_not_hold_up_the_end() {
    let bench = Bench::with(drp_host::Limits { stop: Duration::from_millis(200), ..limits() }).await;
    bench.install("lamp", "config-hangs");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    bench.reaches("lamp", InstanceState::Configuring).await;
    bench.close().await;
}

#[tokio::test]
async fn a_config_deadline_is_held() {
    let bench = Bench::with(drp_host::Limits {
        config: Duration::from_millis(200),
        stop: Duration::from_millis(300),
        exit: Duration::from_millis(300),
        ..limits()
    })
    .await;
    bench.install("lamp", "config-hangs stop-hangs");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Failed).await;
    assert_eq!(status.errors, ["plugin lamp did not answer config within 200ms"]);
    bench.close().await;
}

#[tokio::test]
async fn leaving_stops_the_instance() {
    let bench = Bench::new().await;
    bench.install("lamp", "leaves");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Stopped).await;
    assert_eq!(status.errors, ["plugin: plugin/lamp: the lamp is broken"]);
    assert!(bench.host.provider("lamp").is_some());
    bench.close().await;
}

#[tokio::test]
async fn leaving_and_ending_is_no_crash() {
    let bench = Bench::new().await;
    bench.install("lamp", "leaves-and-ends");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    let status = bench.reaches("lamp", InstanceState::Stopped).await;
    assert_eq!(status.errors, ["plugin: plugin/lamp: the lamp is broken"]);
    assert_eq!(status.restarts, 0);
    bench.close().await;
}

#[tokio::test]
async fn a_wish_to_configure_again_during_config_is_kept() {
    let bench = Bench::new().await;
    bench.install("lamp", "config-slow");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    bench.reaches("lamp", InstanceState::Configuring).await;
    bench.host.reconfigure("lamp").unwrap();
    holds("a second config", || bench.calls("lamp").iter().filter(|c| c.contains("/config")).count() == 2)
        .await;
    bench.reaches("lamp", InstanceState::Configured).await;
    bench.close().await;
}

#[tokio::test]
async fn leaving_with_403_withdraws_the_provider() {
    for behaviour in ["withdraws", "config-withdraws"] {
        let bench = Bench::new().await;
        bench.install("lamp", behaviour);
        bench.host.scan().await;
        bench.upsert("lamp", "lamp");
        holds("the provider is gone", || {
            bench.host.plugin_status("lamp").is_some_and(|s| {
                s.state == InstanceState::Stopped
                    && s.errors.first().is_some_and(|e| e == "Missing Plugin Provider: lamp")
            })
        })
        .await;
        assert!(bench.host.provider("lamp").is_none());
        assert!(bench.backend.providers.lock().unwrap()[1].starts_with("removed lamp Withdrawn"));
        bench.host.scan().await;
        assert!(bench.host.provider("lamp").is_none(), "it stays out until its file changes");
        assert!(bench.status("lamp").errors[1].contains("not licensed"));
        bench.close().await;
    }
}

#[tokio::test]
async fn a_deaf_plugin_is_killed() {
    let short = Duration::from_millis(200);
    let bench = Bench::with(drp_host::Limits { stop: short, exit: short, term: short, ..limits() }).await;
    bench.run("lamp", "deaf").await;
    let pid = bench.status("lamp").pid.unwrap();
    bench.host.remove_plugin("lamp").await;
    assert!(!alive(pid.into()));
    assert!(bench.texts().contains(&"did not end on SIGTERM: sending SIGKILL".to_owned()));
    bench.close().await;
}

#[tokio::test]
async fn calls_in_flight_may_finish_before_stop() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let slow = bench.act("lamp", "slow", json!({"ms": 300}));
    let stop = async {
        holds("the call arrived", || bench.calls("lamp").len() == 2).await;
        bench.host.remove_plugin("lamp").await;
    };
    let (answer, ()) = tokio::join!(slow, stop);
    assert_eq!(answer.unwrap(), json!("slept"));
    assert!(bench.calls("lamp").last().unwrap().contains("/stop"));
    let gone = bench.act("lamp", "echo", json!({})).await.unwrap_err();
    assert!(matches!(gone, HostError::NoSuchPlugin { .. }));
    bench.close().await;
}

#[tokio::test]
async fn removed_and_created_again() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let remove = bench.host.remove_plugin("lamp");
    let create = async {
        tokio::task::yield_now().await;
        bench.upsert("lamp", "lamp");
    };
    tokio::join!(remove, create);
    bench.reaches("lamp", InstanceState::Configured).await;
    assert_eq!(bench.host.status().len(), 1);
    bench.close().await;
}

#[tokio::test]
async fn a_plugin_made_anew_right_after_its_removal_runs() {
    let bench = Bench::new().await;
    bench.install("lamp", "");
    bench.host.scan().await;
    bench.upsert("lamp", "lamp");
    for _ in 0..100 {
        // Whoever waits for the end is slower than the one who makes it anew.
        tokio::spawn(bench.host.remove_plugin("lamp"));
        bench.upsert("lamp", "lamp");
    }
    bench.reaches("lamp", InstanceState::Configured).await;
    assert_eq!(bench.host.status().len(), 1);
    bench.host.remove_plugin("lamp").await;
    assert!(bench.host.status().is_empty());
    bench.close().await;
}
