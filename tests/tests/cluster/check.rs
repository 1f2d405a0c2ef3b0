//! Check mode and what is refused before anything begins.

use crate::rig::{PLUGIN, Place, Rig, diamond};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn a_check_gives_the_plan_and_changes_nothing() {
    let rig = Rig::start(diamond(), json!({"parallel": 3})).await;
    let params = json!({"check": true, "config": {"components": {"base": {"config": {"size": 7, "of": {"a": null}}}}}});
    let record = rig.good("create", params).await;
    assert_eq!(
        (&record["action"], &record["cluster"], &record["check_mode"], &record["would_create"]),
        (&json!("create-cluster"), &json!("mesh"), &json!(true), &json!(true))
    );
    assert_eq!(record["plan"], json!({"levels": [["base"], ["left", "right"], ["top"]], "parallel": 3}));
    assert_eq!(record["requirements_check"]["met"], json!(true));
    let base = &record["components"][0];
    assert_eq!(
        (&base["name"], &base["plugin"], &base["config"]),
        (&json!("base"), &json!("base-taskserv"), &json!({"size": 7, "of": {"b": 2}}))
    );
    assert_eq!((rig.place.log(), rig.place.installed()), (String::new(), vec![]));
    let none = rig.daemon.call("GET", &format!("/api/v3/cluster_deployments/{PLUGIN}"), json!(null)).await;
    assert_eq!(none.status, 404);
    assert_eq!(rig.good("status", json!({})).await["status"], "absent");
    assert_eq!(rig.good("cluster-info", json!({})).await["components"].as_array().unwrap().len(), 4);
    assert_eq!(rig.good("list-components", json!({})).await[3]["name"], "top");
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_extensions_and_unknown_names_are_told_before_anything_begins() {
    let mut components = diamond();
    let place = Place::new(&components, &json!({}));
    components.as_array_mut().unwrap().push(json!({"name": "ghost", "type": "taskserv"}));
    place.define("1.0.0", &components, &json!({}));
    let daemon = place.daemon().await;
    let rig = Rig { daemon, place };
    let record = rig.good("create", json!({"check": true})).await;
    assert_eq!(record["would_create"], json!(false));
    assert_eq!(record["requirements_check"]["missing"], json!(["ghost"]));
    let text = rig.bad(409, "create", json!({"wait": true})).await;
    assert!(
        text.contains("no extension is registered for component ghost") && text.contains("ghost-taskserv"),
        "{text}"
    );
    for (config, words) in [
        (
            json!({"components": {"nobody": {}}}),
            "components.nobody is not known: the components are top, base",
        ),
        (json!({"colour": "$(touch /tmp/x)\n"}), "colour is not known"),
        (json!({"components": {"base": {"enabled": false}}}), "left depends on base, which is disabled"),
    ] {
        let text = rig.bad(400, "create", json!({"config": config})).await;
        assert!(text.contains(words), "{text}");
    }
    rig.bad(400, "create", json!({"config": "everything"})).await;
    assert_eq!(rig.place.log(), "");
    // Without the component that nobody provides it goes.
    let config = json!({"components": {"ghost": {"enabled": false}}});
    let record = rig.good("create", json!({"wait": true, "config": config})).await;
    assert_eq!((&record["status"], record["components"].as_array().unwrap().len()), (&json!("running"), 4));
}
