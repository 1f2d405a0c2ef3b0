//! Clusters that come up.

use crate::rig::{DIAMOND, PLUGIN, Rig, diamond, stages};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn components_come_in_order_and_the_state_is_in_the_store() {
    let rig = Rig::start(diamond(), json!({})).await;
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register("extensions.progress.*").await;
    let config = json!({"components": {"base": {"config": {"size": 7}}, "left": {"version": "1.2.0"}, "top": {"resources": {"replicas": 3}}}});
    let record = rig.good("create", json!({"wait": true, "config": config})).await;
    assert_eq!(
        (&record["success"], &record["status"], &record["deployment_id"]),
        (&json!(true), &json!("running"), &json!(PLUGIN))
    );
    let begun = rig.place.order("install", "begin");
    assert_eq!((begun.len(), begun[0].as_str(), begun[3].as_str()), (4, "base", "top"));
    assert_eq!(
        rig.place.state("base"),
        json!({"version": "1.0.0", "config": {"size": 7, "of": {"a": 1, "b": 2}}})
    );
    assert_eq!(
        (&rig.place.state("left")["version"], &rig.place.state("top")["config"]),
        (&json!("1.2.0"), &json!({"replicas": 3}))
    );
    let stored = rig.stored().await;
    assert_eq!(stored["phase"], "running");
    assert_eq!(stages(&stored), DIAMOND.map(|name| format!("{name} deployed")));
    let mut steps = Vec::new();
    loop {
        let event = events.next().await;
        if event["Type"] != "extensions" {
            continue;
        }
        assert_eq!((&event["Action"], &event["Key"]), (&json!("progress"), &json!(PLUGIN)), "{event}");
        let object = &event["Object"];
        assert!(object["request"].as_str().is_some_and(|request| !request.is_empty()), "{event}");
        assert_eq!((&object["plugin"], &object["command"]), (&json!(PLUGIN), &json!("create")), "{event}");
        steps.push(format!("{} {}", object["component"].as_str().unwrap(), object["step"].as_str().unwrap()));
        if object["component"] == "" && object["step"] == "running" {
            break;
        }
    }
    let seen = |step: &str| {
        steps.iter().position(|seen| seen == step).unwrap_or_else(|| panic!("{step}: {steps:?}"))
    };
    assert!(
        seen("base deployed") < seen("left installing") && seen("right deployed") < seen("top installing")
    );
    let status = rig.good("status", json!({})).await;
    assert_eq!(
        (&status["status"], &status["healthy"], &status["drift"]),
        (&json!("running"), &json!(true), &json!([]))
    );
    assert_eq!(
        status["components"][1]["health"],
        json!({"healthy": true, "status": "healthy", "version": "1.2.0"})
    );
    let text = rig.bad(409, "create", json!({"wait": true})).await;
    assert!(text.contains("is running already"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_than_the_bound_run_at_once() {
    let components: Vec<Value> =
        (0..7).map(|n| json!({"name": format!("part{n}"), "type": "taskserv"})).collect();
    let rig = Rig::start(json!(components), json!({"parallel": 3})).await;
    for n in 0..7 {
        rig.place.fault(&format!("part{n}"), &["install=slow"]);
    }
    rig.good("create", json!({"wait": true})).await;
    let (mut now, mut most) = (0_i32, 0);
    for line in rig.place.log().lines() {
        now += if line.ends_with("begin") {
            1
        } else if line.ends_with("end") {
            -1
        } else {
            0
        };
        most = most.max(now);
    }
    assert_eq!((most, now), (3, 0), "{}", rig.place.log());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_wait_gets_an_answer_at_once_and_others_are_refused_meanwhile() {
    let rig = Rig::start(diamond(), json!({})).await;
    rig.place.hold("left", "install", "before");
    let record = rig.good("create", json!({})).await;
    assert_eq!((&record["status"], &record["deployment_id"]), (&json!("deploying"), &json!(PLUGIN)));
    rig.place.held("left", "install", "before").await;
    for (command, params) in [
        ("create", json!({"wait": true})),
        ("delete", json!({})),
        ("scale", json!({"replicas": 2})),
        ("upgrade", json!({"version": "1.0.0"})),
        ("restart-component", json!({"name": "base"})),
    ] {
        let text = rig.bad(409, command, params).await;
        assert!(text.contains("create of cluster mesh is under way"), "{command}: {text}");
    }
    let status = rig.good("status", json!({})).await;
    assert_eq!((&status["status"], &status["under_way"]), (&json!("deploying"), &json!(true)));
    assert_eq!(
        (&status["components"][0]["status"], &status["components"][1]["status"]),
        (&json!("deployed"), &json!("installing"))
    );
    rig.place.release("left", "install", "before");
    assert_eq!(rig.settled().await["phase"], "running");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_used_and_never_removed() {
    let rig = Rig::start(diamond(), json!({})).await;
    let install = |version: &'static str| {
        let path = "plugins/base-taskserv/actions/install";
        rig.daemon.expect(200, "POST", path, json!({"version": version, "wait": true}))
    };
    install("0.9.0").await;
    let text = rig.bad(500, "create", json!({"wait": true})).await;
    assert!(text.contains("version 0.9.0 of it is there already and 1.0.0 is wanted"), "{text}");
    assert_eq!(rig.stored().await["phase"], "rolled-back");
    assert_eq!(rig.place.installed(), ["base"]);
    install("1.0.0").await;
    rig.place.fault("top", &["install=fail"]);
    rig.bad(500, "create", json!({"wait": true})).await;
    assert_eq!(rig.place.installed(), ["base"], "the rollback leaves it");
    rig.place.fault("top", &[]);
    rig.good("create", json!({"wait": true})).await;
    assert_eq!(stages(&rig.stored().await)[0], "base found");
    rig.good("delete", json!({"wait": true})).await;
    assert_eq!(rig.place.installed(), ["base"], "so does delete");
}
