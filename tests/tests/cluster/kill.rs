//! The daemon is killed at every step, and the engine alone. Whatever was under way ends in a state that is consistent:
//! the store and what is really installed agree, and no installation was sent twice.

use crate::rig::{DIAMOND, PLUGIN, Place, act, diamond, rollback, settled, stages, stored};
use drp_tests::daemon::Daemon;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// No component was told twice to install.
fn at_most_once(place: &Place) {
    let mut begun = place.order("install", "begin");
    begun.sort();
    let count = begun.len();
    begun.dedup();
    assert_eq!(begun.len(), count, "{}", place.log());
}

/// The stages say what is there.
fn agrees(place: &Place, deployment: &Value) {
    let there: Vec<String> = stages(deployment)
        .iter()
        .filter_map(|stage| stage.strip_suffix(" deployed").map(str::to_owned))
        .collect();
    assert_eq!(place.installed(), there, "{deployment}");
}

async fn killed_while_held(
    place: &Place,
    daemon: Daemon,
    (component, operation, point): (&str, &str, &str),
) -> (Daemon, Value) {
    place.held(component, operation, point).await;
    daemon.kill9();
    place.release(component, operation, point);
    let daemon = place.daemon().await;
    let deployment = settled(&daemon).await;
    agrees(place, &deployment);
    at_most_once(place);
    (daemon, deployment)
}

/// Brings everything back to nothing.
async fn clean(place: &Place, daemon: &Daemon) {
    for component in DIAMOND {
        place.fault(component, &[]);
    }
    let answer = act(daemon, "delete", json!({"wait": true})).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(place.installed(), Vec::<String>::new());
    place.forget_log();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_after_an_installation_is_resumed() {
    // One at a time: another one could just be before its effect.
    let place = Place::new(&diamond(), &json!({"parallel": 1}));
    let mut daemon = place.daemon().await;
    for component in DIAMOND {
        place.hold(component, "install", "after");
        assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
        let (next, deployment) = killed_while_held(&place, daemon, (component, "install", "after")).await;
        assert_eq!(deployment["phase"], "running", "{component}: {deployment}\n{}", place.log());
        assert_eq!(place.installed(), DIAMOND);
        assert_eq!(deployment["operation"]["resumed"], 1);
        clean(&place, &next).await;
        daemon = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_before_an_installation_took_effect_is_undone() {
    let place = Place::new(&diamond(), &json!({"parallel": 1}));
    let mut daemon = place.daemon().await;
    for component in DIAMOND {
        place.hold(component, "install", "before");
        assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
        let (next, deployment) = killed_while_held(&place, daemon, (component, "install", "before")).await;
        assert_eq!(deployment["phase"], "rolled-back", "{component}: {deployment}\n{}", place.log());
        assert_eq!(deployment["operation"]["cause"]["component"], component);
        let text = deployment["operation"]["cause"]["error"].as_str().unwrap();
        assert!(text.contains("its installation was interrupted"), "{text}");
        assert_eq!(place.installed(), Vec::<String>::new());
        place.forget_log();
        daemon = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_while_health_is_waited_for_goes_on_waiting() {
    let place = Place::new(&diamond(), &json!({"health_timeout": 60.0, "parallel": 1}));
    let mut daemon = place.daemon().await;
    for component in DIAMOND {
        place.fault(component, &["health=bad"]);
        assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
        let path = format!("cluster_deployments/{PLUGIN}");
        let waits = format!("{component} waiting");
        daemon
            .wait_for(&path, |answer| {
                answer.status == 200 && stages(&answer.json()["Deployment"]).contains(&waits)
            })
            .await;
        daemon.kill9();
        place.fault(component, &[]);
        let next = place.daemon().await;
        let deployment = settled(&next).await;
        assert_eq!(deployment["phase"], "running", "{component}: {deployment}");
        agrees(&place, &deployment);
        at_most_once(&place);
        clean(&place, &next).await;
        daemon = next;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_a_rollback_goes_on_with_it() {
    let place = Place::new(&diamond(), &json!({"parallel": 1}));
    let mut daemon = place.daemon().await;
    for component in DIAMOND {
        for point in ["before", "after"] {
            place.fault("top", &["install=half"]);
            place.hold(component, "uninstall", point);
            assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
            let (next, deployment) = killed_while_held(&place, daemon, (component, "uninstall", point)).await;
            assert_eq!(
                deployment["phase"],
                "rolled-back",
                "{component} {point}: {deployment}\n{}",
                place.log()
            );
            assert_eq!(rollback(&deployment), ["top done", "right done", "left done", "base done"]);
            let cause = &deployment["operation"]["cause"];
            assert_eq!(cause["component"], "top", "the cause is not forgotten");
            // What was removed before the kill is not removed again.
            let ends = place.order("uninstall", "effect");
            assert_eq!(ends, ["top", "right", "left", "base"], "{point}");
            place.forget_log();
            daemon = next;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_during_a_delete_goes_on_with_it() {
    let place = Place::new(&diamond(), &json!({}));
    let mut daemon = place.daemon().await;
    for component in DIAMOND {
        for point in ["before", "after"] {
            let created = act(&daemon, "create", json!({"wait": true})).await;
            assert_eq!(created.status, 200, "{}", created.text());
            place.hold(component, "uninstall", point);
            assert_eq!(act(&daemon, "delete", json!({})).await.status, 200);
            let (next, deployment) = killed_while_held(&place, daemon, (component, "uninstall", point)).await;
            assert_eq!(deployment["phase"], "deleted", "{component} {point}: {deployment}\n{}", place.log());
            assert_eq!(place.order("uninstall", "effect"), ["top", "right", "left", "base"], "{point}");
            place.forget_log();
            daemon = next;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_undoes_when_the_settings_say_so() {
    let place = Place::new(&diamond(), &json!({"on_restart": "rollback"}));
    let daemon = place.daemon().await;
    place.hold("left", "install", "after");
    assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
    let (daemon, deployment) = killed_while_held(&place, daemon, ("left", "install", "after")).await;
    assert_eq!((&deployment["phase"], place.installed()), (&json!("rolled-back"), vec![]));
    assert_eq!(deployment["operation"]["cause"]["step"], "restart");
    assert!(!place.order("install", "begin").contains(&"top".to_owned()));
    drop(daemon);
}

/// Kills the engine's process alone and waits until another one runs.
async fn kill_engine(daemon: &Daemon) {
    let pid = |status: &Value| {
        let plugins = status["Plugins"].as_array().unwrap().iter();
        plugins.filter(|plugin| plugin["Name"] == PLUGIN).find_map(|plugin| plugin["Pid"].as_i64())
    };
    let old = pid(&daemon.get("system/status").await).unwrap();
    kill(Pid::from_raw(i32::try_from(old).unwrap()), Signal::SIGKILL).unwrap();
    let end = Instant::now() + Duration::from_secs(30);
    while pid(&daemon.get("system/status").await).is_none_or(|new| new == old) {
        assert!(Instant::now() < end, "the engine did not come back");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    daemon.wait_plugin(PLUGIN).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_engine_killed_alone_finds_installations_that_go_on_without_it() {
    let place = Place::new(&diamond(), &json!({"parallel": 1}));
    for component in DIAMOND {
        // A daemon for each: five crashes within a while put a plugin into quarantine.
        let daemon = place.daemon().await;
        for point in ["before", "after"] {
            place.hold(component, "install", point);
            assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
            place.held(component, "install", point).await;
            kill_engine(&daemon).await;
            assert_eq!(stored(&daemon).await["phase"], "deploying");
            place.release(component, "install", point);
            let deployment = settled(&daemon).await;
            assert_eq!(deployment["phase"], "running", "{component} {point}: {deployment}\n{}", place.log());
            agrees(&place, &deployment);
            at_most_once(&place);
            clean(&place, &daemon).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_interrupted_upgrade_goes_on_or_back() {
    let versions = |version: &str| {
        let mut components = diamond();
        for component in components.as_array_mut().unwrap() {
            component["version"] = json!(version);
        }
        components
    };
    let place = Place::new(&versions("1.0.0"), &json!({}));
    let daemon = place.daemon().await;
    assert_eq!(act(&daemon, "create", json!({"wait": true})).await.status, 200);
    daemon.stop();
    place.define("2.0.0", &versions("1.5.0"), &json!({}));
    let daemon = place.daemon().await;
    // Before its effect: the new version never came, so all go back.
    place.hold("right", "upgrade", "before");
    assert_eq!(act(&daemon, "upgrade", json!({"version": "2.0.0"})).await.status, 200);
    let (daemon, deployment) = killed_while_held(&place, daemon, ("right", "upgrade", "before")).await;
    assert_eq!((&deployment["phase"], &deployment["version"]), (&json!("running"), &json!("1.0.0")));
    assert_eq!(rollback(&deployment), ["right done", "left done", "base done"]);
    assert!(DIAMOND.iter().all(|name| place.state(name)["version"] == "1.0.0"));
    // After its effect: it is there, so the rest follows.
    place.forget_log();
    place.hold("right", "upgrade", "after");
    assert_eq!(act(&daemon, "upgrade", json!({"version": "2.0.0"})).await.status, 200);
    let (daemon, deployment) = killed_while_held(&place, daemon, ("right", "upgrade", "after")).await;
    assert_eq!((&deployment["phase"], &deployment["version"]), (&json!("running"), &json!("2.0.0")));
    assert_eq!(place.order("upgrade", "begin"), DIAMOND, "each once");
    assert!(DIAMOND.iter().all(|name| place.state(name)["version"] == "1.5.0"));
    drop(daemon);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_stops_in_order_interrupts_and_does_not_undo() {
    let place = Place::new(&diamond(), &json!({"parallel": 1}));
    let daemon = place.daemon().await;
    place.hold("left", "install", "after");
    assert_eq!(act(&daemon, "create", json!({})).await.status, 200);
    place.held("left", "install", "after").await;
    daemon.stop();
    place.release("left", "install", "after");
    let daemon = place.daemon().await;
    let deployment = settled(&daemon).await;
    assert_eq!(deployment["phase"], "running", "{deployment}\n{}", place.log());
    at_most_once(&place);
    drop(daemon);
}
