//! Components that fail, each in turn and in every way: what was deployed goes again, and nothing else.

use crate::rig::{DIAMOND, Rig, diamond, rollback, stages};
use serde_json::{Value, json};

/// Fails each component of the diamond in turn. `sent`: something of the failing one may be there, so it is removed too.
async fn each_component(fault: &str, words: &str, settings: Value) {
    let rig = Rig::start(diamond(), settings).await;
    for (at, failing) in DIAMOND.iter().enumerate() {
        rig.place.forget_log();
        rig.place.fault(failing, &[fault]);
        let text = rig.bad(500, "create", json!({"wait": true})).await;
        let mut lines = text.lines();
        let cause = lines.next().unwrap();
        assert!(cause.contains(&format!("failed at component {failing}")) && cause.contains(words), "{text}");
        // Left and right go at once, so whoever of them does not fail was there too, unless it was not begun.
        let began: Vec<&str> = DIAMOND
            .into_iter()
            .filter(|name| rig.place.order("install", "begin").contains(&(*name).to_owned()))
            .collect();
        let must: &[&str] = if *failing == "top" { &DIAMOND } else { &DIAMOND[..=at.min(1)] };
        assert!(
            must.iter().all(|name| began.contains(name)) && (*failing == "top") == began.contains(&"top"),
            "{began:?}"
        );
        let mut undone: Vec<String> = began.iter().map(|name| (*name).to_owned()).collect();
        undone.reverse();
        assert_eq!(rig.place.order("uninstall", "begin"), undone, "the reverse of the order of the plan");
        let stored = rig.stored().await;
        let steps: Vec<String> = undone.iter().map(|name| format!("{name} done")).collect();
        assert_eq!(rollback(&stored), steps);
        for (line, name) in lines.zip(&undone) {
            assert_eq!(line, format!("rollback: {name}: uninstall done"));
        }
        assert_eq!(text.lines().last().unwrap(), "nothing of the cluster is left");
        assert_eq!(
            (&stored["phase"], &stored["operation"]["cause"]["component"]),
            (&json!("rolled-back"), &json!(failing))
        );
        assert_eq!(rig.place.installed(), Vec::<String>::new());
        rig.place.fault(failing, &[]);
    }
    rig.good("create", json!({"wait": true})).await;
    assert_eq!(rig.place.installed(), DIAMOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_that_fail() {
    each_component("install=fail", "failed as told", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_that_fail_half_way() {
    each_component("install=half", "failed half-way", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn installations_that_never_end() {
    each_component("install=hang", "did not answer install within 1 s", json!({"step_timeout": 1.0})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn components_that_never_become_well() {
    each_component(
        "health=bad",
        "it was not well within 1 s: active, not healthy: told to be unwell",
        json!({}),
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn extensions_that_die() {
    each_component("install=die", "(install)", json!({})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_goes_on_past_its_own_failures_and_tells_them() {
    let rig = Rig::start(diamond(), json!({"parallel": 1})).await;
    rig.place.fault("top", &["install=fail"]);
    rig.place.fault("left", &["uninstall=fail"]);
    let text = rig.bad(500, "create", json!({"wait": true})).await;
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        &lines[1..5],
        [
            "rollback: top: uninstall done",
            "rollback: right: uninstall done",
            "rollback: left: uninstall failed: uninstall of left failed as told",
            "rollback: base: uninstall done",
        ],
    );
    assert!(lines[5].contains("something may be left of left"), "{text}");
    let stored = rig.stored().await;
    assert_eq!(stored["phase"], "failed");
    assert_eq!(stages(&stored), ["base removed", "left left", "right removed", "top removed"]);
    assert_eq!(rig.place.installed(), ["left"]);
    let text = rig.bad(409, "create", json!({"wait": true})).await;
    assert!(text.contains("has to be deleted first"), "{text}");
    rig.place.fault("left", &[]);
    rig.place.fault("top", &[]);
    rig.good("delete", json!({"wait": true})).await;
    assert_eq!(rig.place.installed(), Vec::<String>::new());
    rig.good("create", json!({"wait": true})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_stops_new_ones_and_those_that_run_end_before_anything_goes() {
    let rig = Rig::start(diamond(), json!({})).await;
    rig.place.fault("left", &["install=fail"]);
    rig.place.fault("right", &["install=slow"]);
    rig.bad(500, "create", json!({"wait": true})).await;
    let log = rig.place.log();
    let at =
        |line: &str| log.lines().position(|seen| seen == line).unwrap_or_else(|| panic!("{line}:\n{log}"));
    assert!(at("install right end") < at("uninstall right begin"));
    assert!(!log.contains("install top begin"), "{log}");
}
