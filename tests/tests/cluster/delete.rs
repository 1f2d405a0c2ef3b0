//! Clusters that go, and what was changed behind their back.

use crate::rig::{DIAMOND, Rig, diamond, stages};
use serde_json::json;

#[tokio::test(flavor = "multi_thread")]
async fn components_go_in_reverse_and_nothing_twice() {
    let rig = Rig::start(diamond(), json!({})).await;
    let nothing = rig.good("delete", json!({"wait": true})).await;
    assert_eq!((&nothing["status"], &nothing["components"]), (&json!("deleted"), &json!([])));
    rig.good("create", json!({"wait": true})).await;
    let record = rig.good("delete", json!({"wait": true, "config": {"keep-data": true}})).await;
    assert_eq!(record["components"][0], json!({"component": "top", "status": "removed", "error": ""}));
    assert_eq!(rig.place.order("uninstall", "end"), ["top", "right", "left", "base"]);
    assert_eq!((rig.place.installed(), &rig.stored().await["phase"]), (vec![], &json!("deleted")));
    rig.good("delete", json!({"wait": true})).await;
    assert_eq!(rig.place.order("uninstall", "begin").len(), 4, "deleting again asks nobody");
    let text = rig.bad(400, "delete", json!({"config": {"everything": true}})).await;
    assert!(text.contains("everything is not known"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_stops_a_delete_and_force_goes_on_past_it() {
    let rig = Rig::start(diamond(), json!({})).await;
    rig.good("create", json!({"wait": true})).await;
    rig.place.fault("right", &["uninstall=fail"]);
    let text = rig.bad(500, "delete", json!({"wait": true})).await;
    assert!(
        text.contains("failed at component right") && text.contains("still there: base, left, right"),
        "{text}"
    );
    let stored = rig.stored().await;
    assert_eq!(stored["phase"], "failed");
    assert_eq!(stages(&stored), ["base deployed", "left deployed", "right left", "top removed"]);
    let record = rig.good("delete", json!({"wait": true, "force": true})).await;
    assert_eq!(
        record["errors"],
        json!([{"component": "right", "error": "uninstall of right failed as told"}])
    );
    assert_eq!((&record["success"], &record["forced"]), (&json!(true), &json!(true)));
    assert_eq!(
        (rig.place.installed(), &rig.stored().await["phase"]),
        (vec!["right".to_owned()], &json!("deleted"))
    );
    // What was left is told, and is no obstacle.
    let status = rig.good("status", json!({})).await;
    assert_eq!(status["components"][2]["status"], "left");
    rig.good("create", json!({"wait": true})).await;
    assert_eq!(rig.place.installed(), DIAMOND);
}

#[tokio::test(flavor = "multi_thread")]
async fn status_tells_what_differs_from_the_store() {
    let rig = Rig::start(diamond(), json!({})).await;
    rig.good("create", json!({"wait": true})).await;
    std::fs::remove_file(rig.place.dir().join("left.json")).unwrap();
    rig.daemon
        .expect(200, "POST", "plugins/right-taskserv/actions/upgrade", json!({"version": "3.0.0"}))
        .await;
    let status = rig.good("status", json!({})).await;
    assert_eq!((&status["status"], &status["phase"]), (&json!("degraded"), &json!("running")));
    assert_eq!(
        status["drift"],
        json!([
            {"component": "left", "difference": "stored as deployed, but: not installed"},
            {"component": "right", "difference": "version 1.0.0 is stored, 3.0.0 is there"},
        ])
    );
    let one = rig.good("component-status", json!({"name": "left"})).await;
    assert_eq!((&one["status"], &one["health"]["status"]), (&json!("deployed"), &json!("absent")));
    let text = rig.bad(404, "component-status", json!({"name": "$(id)"})).await;
    assert!(text.contains("is no component of the cluster: they are base, left, right, top"), "{text}");
    rig.good("delete", json!({"wait": true})).await;
    rig.daemon.expect(200, "POST", "plugins/top-taskserv/actions/install", json!({"wait": true})).await;
    let status = rig.good("status", json!({})).await;
    assert_eq!(
        status["drift"],
        json!([{"component": "top", "difference": "stored as removed, but it is there and healthy"}])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_component_is_restarted_and_has_to_become_well() {
    let rig = Rig::start(diamond(), json!({})).await;
    let text = rig.bad(409, "restart-component", json!({"name": "base"})).await;
    assert!(text.contains("is not deployed"), "{text}");
    rig.good("create", json!({"wait": true})).await;
    let record = rig.good("restart-component", json!({"name": "base"})).await;
    assert_eq!(
        (&record["success"], rig.place.order("restart", "end")),
        (&json!(true), vec!["base".to_owned()])
    );
    rig.place.fault("base", &["health=bad"]);
    let text = rig.bad(500, "restart-component", json!({"name": "base"})).await;
    assert!(text.contains("it was restarted and is not well"), "{text}");
}
