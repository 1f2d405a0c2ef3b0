//! What objects refer to comes and goes (wire-protocol §2.4, §2.5).

use crate::{engine, machine, me, refused};
use drp_objects::{LayerKind, Objects, Patch};
use drp_protocol::Bundle;
use serde_json::{Value, json};

fn patch(ops: Value) -> Patch {
    Patch::parse(ops.to_string().as_bytes()).unwrap()
}

fn bundle(name: &str, sections: Value) -> Bundle {
    serde_json::from_value(json!({"meta": {"Name": name}, "sections": sections})).unwrap()
}

/// Available, Runnable (null but for machines), Errors.
fn verdict(objects: &Objects, prefix: &str, id: &str) -> Value {
    let map = objects.get(prefix, id).unwrap().map();
    json!([map["Available"], map.get("Runnable"), map["Errors"]])
}

#[tokio::test]
async fn content_that_goes_takes_availability_with_it_and_brings_it_back() {
    let objects = engine().await;
    let parts = || {
        bundle("parts", json!({"profiles": {"hall": {}}, "tasks": {"sweep": {}}, "contexts": {"box": {}}}))
    };
    objects.put_layer(parts(), LayerKind::Dynamic, false).await.unwrap();
    let whole = json!({"stages": {"clean": {"Tasks": ["sweep"]}}});
    objects.put_layer(bundle("whole", whole), LayerKind::Dynamic, false).await.unwrap();
    let body =
        json!({"Name": "m1", "Profiles": ["hall"], "Tasks": ["sweep", "context:box"], "Stage": "clean"});
    let id = machine(&objects, body).await;
    assert_eq!(verdict(&objects, "machines", &id), json!([true, true, []]));

    objects.remove_layer("parts").await.unwrap();
    let errors = [
        format!("{id}: Profile hall (at 0) does not exist"),
        format!("{id}: Task sweep (at 0) does not exist"),
        format!("{id}: Context box (at 1) does not exist"),
    ];
    assert_eq!(verdict(&objects, "machines", &id), json!([false, false, errors]));
    assert_eq!(
        verdict(&objects, "stages", "clean"),
        json!([false, null, ["clean: Task sweep (at 0) does not exist"]])
    );
    // Changes that leave the gap as it is are taken.
    let describe = patch(json!([{"op": "replace", "path": "/Description", "value": "x"}]));
    objects.patch(&me(), "machines", &id, &describe).await.unwrap();
    assert_eq!(verdict(&objects, "machines", &id), json!([false, false, errors]));

    objects.put_layer(parts(), LayerKind::Dynamic, false).await.unwrap();
    assert_eq!(verdict(&objects, "machines", &id), json!([true, false, []]));
    assert_eq!(verdict(&objects, "stages", "clean"), json!([true, null, []]));
}

#[tokio::test]
async fn content_may_come_before_what_it_needs() {
    let objects = engine().await;
    let early = json!({"workflows": {"w1": {"Stages": ["s1"]}}, "stages": {"s1": {"BootEnv": "b1"}}});
    objects.put_layer(bundle("early", early), LayerKind::Dynamic, false).await.unwrap();
    assert_eq!(verdict(&objects, "stages", "s1"), json!([false, null, ["Bootenv b1 does not exist"]]));
    let late = json!({"bootenvs": {"b1": {"Templates": [{"Name": "t", "Path": "p", "ID": "text"}]}}});
    objects.put_layer(bundle("late", late), LayerKind::Dynamic, false).await.unwrap();
    assert_eq!(verdict(&objects, "stages", "s1"), json!([false, null, ["BootEnv b1 is not available"]]));
    objects.create(&me(), "templates", json!({"ID": "text", "Contents": "x"})).await.unwrap();
    assert_eq!(verdict(&objects, "bootenvs", "b1"), json!([true, null, []]));
    assert_eq!(verdict(&objects, "stages", "s1"), json!([true, null, []]));
    assert_eq!(verdict(&objects, "workflows", "w1"), json!([true, null, []]));
}

#[tokio::test]
async fn a_machine_follows_its_boot_environment() {
    let objects = engine().await;
    objects.create(&me(), "bootenvs", json!({"Name": "b1"})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "BootEnv": "b1"})).await;
    let only = |on: bool| patch(json!([{"op": "replace", "path": "/OnlyUnknown", "value": on}]));
    objects.patch(&me(), "bootenvs", "b1", &only(true)).await.unwrap();
    let text = "BootEnv b1 does not allow Machine assignments, it has the OnlyUnknown flag.";
    assert_eq!(verdict(&objects, "machines", &id), json!([false, false, [text]]));
    objects.patch(&me(), "bootenvs", "b1", &only(false)).await.unwrap();
    assert_eq!(verdict(&objects, "machines", &id), json!([true, false, []]));
}

#[tokio::test]
async fn what_may_be_deleted_leaves_gaps_that_show() {
    let objects = engine().await;
    objects.create(&me(), "contexts", json!({"Name": "box"})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Tasks": ["context:box"]})).await;
    objects.delete(&me(), "contexts", "box").await.unwrap();
    let text = format!("{id}: Context box (at 0) does not exist");
    assert_eq!(verdict(&objects, "machines", &id), json!([false, false, [text]]));
    objects.create(&me(), "contexts", json!({"Name": "box"})).await.unwrap();
    assert_eq!(verdict(&objects, "machines", &id), json!([true, false, []]));
}

#[tokio::test]
async fn profiles_do_not_nest_in_themselves() {
    let objects = engine().await;
    for (name, nested) in [("pa", json!([])), ("pb", json!(["pa"])), ("pc", json!(["global", "pb"]))] {
        objects.create(&me(), "profiles", json!({"Name": name, "Profiles": nested})).await.unwrap();
    }
    for (nested, way) in [("pa", "pa -> pa"), ("pb", "pa -> pb -> pa"), ("pc", "pa -> pc -> pb -> pa")] {
        let ops = patch(json!([{"op": "replace", "path": "/Profiles", "value": [nested]}]));
        let text = format!("pa: Profile pa contains itself: {way}");
        refused(objects.patch(&me(), "profiles", "pa", &ops).await, 422, "ValidationError", &[&text]);
    }
}
