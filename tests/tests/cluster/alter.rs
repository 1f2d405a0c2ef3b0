//! Scaling and upgrading, and back when a component fails.

use crate::rig::{DIAMOND, Place, Rig, diamond, rollback};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn replicas_reach_the_configuration() {
    let rig = Rig::start(diamond(), json!({})).await;
    let text = rig.bad(409, "scale", json!({"replicas": 2})).await;
    assert!(text.contains("is not deployed; it has to be running"), "{text}");
    rig.good("create", json!({"wait": true})).await;
    let record = rig.good("scale", json!({"replicas": 3, "wait": true})).await;
    assert_eq!(
        record["components"],
        json!([{"component": "top", "status": "deployed", "version": "1.0.0", "replicas": 3}])
    );
    assert_eq!(rig.place.state("top")["config"], json!({"replicas": 3}));
    rig.good("scale", json!({"replicas": 2, "component": "base", "wait": true})).await;
    assert_eq!(rig.place.state("base")["config"], json!({"size": 1, "of": {"a": 1, "b": 2}, "replicas": 2}));
    rig.good("scale", json!({"replicas": 1, "component": "base", "wait": true})).await;
    assert_eq!(rig.place.state("base")["config"]["replicas"], 1);
    for (params, code, words) in [
        (json!({"replicas": 0}), 400, "from 1 to 10000"),
        (json!({"replicas": 1_000_000}), 400, "from 1 to 10000"),
        (json!({"replicas": 2, "component": "nobody"}), 404, "is no component"),
        (json!({}), 400, "replicas"),
    ] {
        let text = rig.bad(code, "scale", params).await;
        assert!(text.contains(words), "{text}");
    }
    rig.place.fault("top", &["configure=half"]);
    let text = rig.bad(500, "scale", json!({"replicas": 9, "wait": true})).await;
    // Changing back fails in the same way, and that is told.
    assert!(text.contains("rollback: top: restore failed: configure of top failed half-way"), "{text}");
    assert_eq!(rig.stored().await["phase"], "failed");
}

/// A cluster whose components are of this version.
fn versions(version: &str) -> Value {
    let mut components = diamond();
    for component in components.as_array_mut().unwrap() {
        component["version"] = json!(version);
    }
    components
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upgrade_goes_to_the_registered_definition_and_back_when_a_component_fails() {
    let place = Place::new(&versions("1.0.0"), &json!({}));
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    rig.good("create", json!({"wait": true})).await;
    let text = rig.bad(409, "upgrade", json!({"version": "2.0.0"})).await;
    assert!(text.contains("the registered definition is version 1.0.0, not 2.0.0"), "{text}");
    let Rig { daemon, place } = rig;
    daemon.stop();
    place.define("2.0.0", &versions("1.5.0"), &json!({}));
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    assert_eq!(rig.good("status", json!({})).await["upgrade_available"], "2.0.0");
    for (at, failing) in DIAMOND.iter().enumerate() {
        rig.place.forget_log();
        rig.place.fault(failing, &["upgrade=fail-once"]);
        let text = rig.bad(500, "upgrade", json!({"version": "v2.0.0", "wait": true})).await;
        assert!(text.contains(&format!("upgrade of cluster mesh failed at component {failing}")), "{text}");
        assert!(text.ends_with("the cluster is as it was before"), "{text}");
        let mut wanted: Vec<&str> = DIAMOND[..=at].to_vec();
        wanted.extend(DIAMOND[..=at].iter().rev());
        assert_eq!(rig.place.order("upgrade", "begin"), wanted, "there and back");
        let stored = rig.stored().await;
        let undone: Vec<String> = DIAMOND[..=at].iter().rev().map(|name| format!("{name} done")).collect();
        assert_eq!(
            (rollback(&stored), &stored["phase"], &stored["version"]),
            (undone, &json!("running"), &json!("1.0.0"))
        );
        for name in DIAMOND {
            assert_eq!(rig.place.state(name)["version"], "1.0.0");
        }
    }
    rig.place.forget_log();
    let record = rig.good("upgrade", json!({"version": "2.0.0", "wait": true})).await;
    assert_eq!(record["components"].as_array().unwrap().len(), 4);
    assert_eq!(rig.place.order("upgrade", "end"), DIAMOND);
    for name in DIAMOND {
        assert_eq!(rig.place.state(name)["version"], "1.5.0");
    }
    let stored = rig.stored().await;
    assert_eq!((&stored["phase"], &stored["version"]), (&json!("running"), &json!("2.0.0")));
}

#[tokio::test(flavor = "multi_thread")]
async fn other_components_want_a_new_cluster() {
    let place = Place::new(&diamond(), &json!({}));
    place.add("extra");
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    let left_out = json!({"components": {"top": {"enabled": false}}});
    rig.good("create", json!({"wait": true, "config": left_out})).await;
    let Rig { daemon, place } = rig;
    daemon.stop();
    let mut components = diamond();
    place.define("1.1.0", &components, &json!({}));
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    let record = rig.good("upgrade", json!({"version": "1.1.0", "wait": true})).await;
    assert_eq!(
        record["components"],
        json!([]),
        "nothing has another version, and what was left out stays out"
    );
    let Rig { daemon, place } = rig;
    daemon.stop();
    components.as_array_mut().unwrap().push(json!({"name": "extra", "type": "taskserv"}));
    place.define("1.2.0", &components, &json!({}));
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    let text = rig.bad(409, "upgrade", json!({"version": "1.2.0"})).await;
    assert!(text.contains("other components (new: extra; gone: none)"), "{text}");
}
