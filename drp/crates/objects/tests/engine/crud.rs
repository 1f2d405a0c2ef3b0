//! Generic object routes (wire-protocol §3.4) and the rules of types (§2.4).

use crate::{engine, machine, me, options, refused, store};
use drp_objects::{Objects, Options, Patch};
use drp_protocol::{BootEnv, Machine, Param, Plugin, Profile, Role, Stage, Task, Template, User, Workflow};
use serde_json::{Value, json};

const ID: &str = "3e7031fe-3062-45f1-835c-92541bc9cbd3";

fn patch(ops: Value) -> Patch {
    Patch::parse(ops.to_string().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_machine_is_made_filled_changed_and_deleted() {
    let objects = engine().await;
    let made =
        objects.create(&me(), "machines", json!({"name": "m1", "UUID": ID.to_uppercase()})).await.unwrap();
    assert_eq!(made.key, ID);
    let map = made.map();
    let mut names: Vec<_> = Machine::FIELDS.to_vec();
    names.sort_unstable();
    assert_eq!(map.keys().collect::<Vec<_>>(), names);
    for (field, want) in [
        ("Arch", json!("amd64")),
        ("Stage", json!("none")),
        ("BootEnv", json!("local")),
        ("Workflow", json!("")),
        ("Runnable", json!(true)),
        ("Validated", json!(true)),
        ("Available", json!(true)),
        ("Errors", json!([])),
        ("Params", json!({})),
        ("CurrentTask", json!(0)),
        ("Pool", json!("default")),
        ("PoolStatus", json!("Free")),
        ("WorkflowComplete", json!(true)),
        ("Meta", json!({"feature-flags": "change-stage-v2"})),
    ] {
        assert_eq!(map[field], want, "{field}");
    }
    assert_eq!(map["Secret"].as_str().unwrap().len(), 16);

    for id in [ID, &ID.to_uppercase(), "Name:m1", &format!("Uuid:{ID}"), &format!("Key:{ID}")] {
        assert_eq!(objects.get("machines", id).unwrap().key, ID, "{id}");
    }
    // A whole-document test followed by a change, as drpcli does it.
    let ops = json!([
        {"op": "test", "path": "", "from": "", "value": map},
        {"op": "replace", "path": "/Description", "from": "", "value": "d"}
    ]);
    let changed = objects.patch(&me(), "machines", "Name:m1", &patch(ops.clone())).await.unwrap();
    assert!(changed.revision > made.revision);
    assert_eq!(changed.map()["Description"], "d");
    let error = objects.patch(&me(), "machines", "Name:m1", &patch(json!([ops[0]]))).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str(), error.key.as_str()), (409, "PATCH", ID));
    assert_eq!(error.messages[0], "Patch error at line 0: Test op failed.");
    assert!(error.messages[1].starts_with(
        "Patch: [\n  {\n    \"op\": \"test\",\n    \"path\": \"\",\n    \"from\": \"\",\n    \"value\": {"
    ));

    let gone = objects.delete(&me(), "machines", "Name:m1").await.unwrap();
    assert_eq!(gone.map()["Description"], "d");
    let error = refused(objects.get("machines", "Name:m1"), 404, "GET", &["Not Found"]);
    assert_eq!((error.model.as_str(), error.key.as_str()), ("machines", "Name:m1"));
    refused(objects.delete(&me(), "machines", ID).await, 404, "DELETE", &["Not Found"]);
}

#[tokio::test]
async fn errors_of_the_generic_routes() {
    let objects = engine().await;
    refused(objects.create(&me(), "profiles", json!({})).await, 400, "CREATE", &["Empty key not allowed"]);
    refused(
        objects.create(&me(), "profiles", json!({"Name": "global"})).await,
        409,
        "CREATE",
        &["already exists"],
    );
    refused(
        objects.create(&me(), "profiles", json!({"Name": "x"})).await,
        422,
        "ValidationError",
        &["x: Invalid Name `x`"],
    );
    objects.create(&me(), "profiles", json!({"Name": "p1"})).await.unwrap();
    refused(
        objects.replace(&me(), "profiles", "p1", json!({"Name": "p2"})).await,
        400,
        "PUT",
        &["Key change from p1 to p2 not allowed"],
    );
    refused(
        objects.replace(&me(), "profiles", "p9", json!({"Name": "p9"})).await,
        404,
        "PUT",
        &["Not Found"],
    );
    let bad = patch(json!([{"op": "replace", "path": "/Params", "value": [1]}]));
    let error = objects.patch(&me(), "profiles", "p1", &bad).await.unwrap_err();
    assert_eq!((error.code, error.r#type.as_str()), (406, "PATCH"));
    let error = objects.create(&me(), "profiles", json!({"Name": 7})).await.unwrap_err();
    assert_eq!(error.code, 400);
    let error = objects.create(&me(), "profiles", json!([])).await.unwrap_err();
    assert_eq!(error.code, 400);
    assert_eq!(objects.get("frobs", "x").unwrap_err().code, 404);
    refused(
        objects.delete(&me(), "profiles", "global").await,
        409,
        "StillInUseError",
        &["Profile global always exists and cannot be deleted"],
    );
}

#[tokio::test]
async fn bad_references_stop_creation() {
    let objects = engine().await;
    for (field, value, text) in [
        ("Profiles", json!(["foo"]), format!("{ID}: Profile foo (at 0) does not exist")),
        ("Profiles", json!(["global", "global"]), format!("{ID}: Duplicate profile global: at 0 and 1")),
        ("Tasks", json!(["foo"]), format!("{ID}: Task foo (at 0) does not exist")),
        ("Name", json!("greg/asdg"), format!("{ID}: Invalid Name `greg/asdg`")),
        ("Stage", json!("baz"), "Stage baz does not exist".to_owned()),
        ("BootEnv", json!("bar"), "Bootenv bar does not exist".to_owned()),
        (
            "BootEnv",
            json!("ignore"),
            "BootEnv ignore does not allow Machine assignments, it has the OnlyUnknown flag.".to_owned(),
        ),
        ("Arch", json!("sparc"), "Unsupported arch sparc".to_owned()),
        ("Arch", json!("x86_64"), "Please use amd64 for Arch instead of x86_64".to_owned()),
    ] {
        let mut body = json!({"Name": "m1", "Uuid": ID});
        body[field] = value;
        refused(objects.create(&me(), "machines", body).await, 422, "ValidationError", &[&text]);
    }
    for good in
        ["stage:none", "bootenv:local", "action:poweron", "action:ipmi:poweron", "chroot:/x", "context:"]
    {
        machine(&objects, json!({"Name": format!("ok-{}", good.len()), "Tasks": [good]})).await;
    }
}

#[tokio::test]
async fn unique_names_hold_also_between_writers_at_once() {
    let objects = engine().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let objects = objects.clone();
        tasks.spawn(async move { objects.create(&me(), "machines", json!({"Name": "same"})).await });
    }
    let results = tasks.join_all().await;
    assert_eq!(results.iter().filter(|r| r.is_ok()).count(), 1);
    assert!(results.iter().filter_map(|r| r.as_ref().err()).all(|e| e.code == 422));
    let id = objects.resolve("machines", "Name:same").unwrap();
    objects.delete(&me(), "machines", &id).await.unwrap();
    machine(&objects, json!({"Name": "same"})).await;
}

#[tokio::test]
async fn concurrent_patches_of_one_object_all_count() {
    let objects = engine().await;
    let id = machine(&objects, json!({"Name": "m1"})).await;
    let mut tasks = tokio::task::JoinSet::new();
    for i in 0..50 {
        let (objects, id) = (objects.clone(), id.clone());
        tasks.spawn(
            async move { objects.set_param(&me(), "machines", &id, &format!("p{i}x"), json!(i)).await },
        );
    }
    assert!(tasks.join_all().await.into_iter().all(|r| r.is_ok()));
    assert_eq!(objects.get("machines", &id).unwrap().map()["Params"].as_object().unwrap().len(), 50);
}

#[tokio::test]
async fn a_locked_machine_can_only_be_unlocked() {
    let objects = engine().await;
    let id = machine(&objects, json!({"Name": "m1", "Locked": true})).await;
    let describe = patch(json!([{"op": "replace", "path": "/Description", "value": "x"}]));
    refused(objects.patch(&me(), "machines", &id, &describe).await, 409, "PATCH", &["Locked"]);
    refused(objects.delete(&me(), "machines", &id).await, 409, "DELETE", &["Locked"]);
    let unlock = patch(json!([{"op": "replace", "path": "/Locked", "value": false}]));
    objects.patch(&me(), "machines", &id, &unlock).await.unwrap();
    objects.delete(&me(), "machines", &id).await.unwrap();
}

#[tokio::test]
async fn used_objects_stay() {
    let objects = engine().await;
    objects.create(&me(), "profiles", json!({"Name": "p1"})).await.unwrap();
    let id = machine(&objects, json!({"Name": "m1", "Profiles": ["p1"]})).await;
    refused(
        objects.delete(&me(), "profiles", "p1").await,
        409,
        "StillInUseError",
        &["Profile p1 is in use by machine m1"],
    );
    objects.delete(&me(), "machines", &id).await.unwrap();
    objects.delete(&me(), "profiles", "p1").await.unwrap();
}

#[tokio::test]
async fn field_sets_are_those_of_the_models() {
    let objects = engine().await;
    let mut user = User::FIELDS.to_vec();
    user.retain(|f| *f != "PasswordHash");
    let mut task = Task::FIELDS.to_vec();
    task.retain(|f| !f.starts_with("Extra"));
    for (prefix, body, fields) in [
        ("params", json!({"Name": "a/b", "Schema": {"type": "string"}}), Param::FIELDS.to_vec()),
        ("profiles", json!({"Name": "p1"}), Profile::FIELDS.to_vec()),
        ("plugins", json!({"Name": "p1", "Provider": "pp"}), Plugin::FIELDS.to_vec()),
        ("templates", json!({"ID": "t1"}), Template::FIELDS.to_vec()),
        ("tasks", json!({"Name": "t1", "Templates": [{"Name": "x", "ID": "t1"}]}), task),
        ("stages", json!({"Name": "s1", "Tasks": ["t1"]}), Stage::FIELDS.to_vec()),
        ("workflows", json!({"Name": "w1", "Stages": ["s1"]}), Workflow::FIELDS.to_vec()),
        ("bootenvs", json!({"Name": "b1"}), BootEnv::FIELDS.to_vec()),
        (
            "roles",
            json!({"Name": "r1", "Claims": [{"Scope": "machines", "action": "get", "specific": "*"}]}),
            Role::FIELDS.to_vec(),
        ),
        ("users", json!({"Name": "u1", "Roles": ["r1"]}), user),
    ] {
        let map = objects.create(&me(), prefix, body).await.unwrap().map();
        let mut fields = fields;
        fields.sort_unstable();
        assert_eq!(map.keys().collect::<Vec<_>>(), fields, "{prefix}");
    }
    for (prefix, body, key) in [
        ("leases", json!({"Addr": "192.168.124.10"}), "C0A87C0A"),
        ("reservations", json!({"Addr": "10.0.0.1"}), "0A000001"),
        ("pools", json!({"Id": "p1"}), "p1"),
        ("endpoints", json!({"id": "e1", "Odd": {"x": 1}}), "e1"),
        ("subnets", json!({"Name": "s1", "Subnet": "10.0.0.0/24"}), "s1"),
        ("contexts", json!({"Name": "c1"}), "c1"),
        ("tenants", json!({"Name": "t1"}), "t1"),
        ("jobs", json!({"State": "created"}), ""),
    ] {
        let made = objects.create(&me(), prefix, body).await.unwrap();
        assert!(key.is_empty() || made.key == key, "{prefix} {}", made.key);
    }
}

#[tokio::test]
async fn rules_of_params_tasks_and_roles() {
    let objects = engine().await;
    for (prefix, body, text) in [
        (
            "params",
            json!({"Name": "a1", "Schema": {"type": "integer", "default": "x"}}),
            "a1: Error in default value: (root): Invalid type. Expected: integer, given: string",
        ),
        ("plugins", json!({"Name": "p1", "Provider": "a"}), "p1: Invalid Provider `a`"),
        (
            "tasks",
            json!({"Name": "t1", "Templates": [{"Name": "x", "Contents": "a"}, {"Name": "x", "Contents": "b"}]}),
            "t1: Duplicate template name x",
        ),
        ("tasks", json!({"Name": "t1", "RequiredParams": ["/x"]}), "t1: Invalid Param `/x`"),
        (
            "roles",
            json!({"Name": "r1", "Claims": [{"scope": "cows", "action": "*", "specific": "*"}]}),
            "No such scope 'cows'",
        ),
        ("workflows", json!({"Name": "w1", "Stages": ["no"]}), "w1: Stage no (at 0) does not exist"),
        ("profiles", json!({"Name": "p1", "Params": {"/a": 1}}), "p1: Invalid Param `/a`"),
    ] {
        refused(objects.create(&me(), prefix, body).await, 422, "ValidationError", &[text]);
    }
}

#[tokio::test]
async fn everything_is_there_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("drp.db").display().to_string();
    let open = || async { Objects::open(store(&path), options()).await.unwrap() };
    let objects = open().await;
    let id = machine(&objects, json!({"Name": "m1", "Params": {"x1": [1, "ü"]}})).await;
    let (before, key) =
        (objects.get("machines", &id).unwrap(), objects.pubkey("machines", &id).await.unwrap());
    let prefs = objects.prefs(true);
    drop(objects);
    let objects = open().await;
    let after = objects.get("machines", "Name:m1").unwrap();
    assert_eq!((after.json, after.revision), (before.json, before.revision));
    assert_eq!(objects.pubkey("machines", &id).await.unwrap(), key);
    assert_eq!(objects.prefs(true), prefs);
    assert_eq!(objects.count("users"), 1);
}

#[tokio::test]
async fn too_large_and_too_deep_objects_are_refused() {
    let small = Options { max_object_bytes: 4096, ..Options::default() };
    let objects = Objects::open(store("memory:///"), small).await.unwrap();
    let big = json!({"Name": "p1", "Params": {"xx": "y".repeat(5000)}});
    assert_eq!(objects.create(&me(), "profiles", big).await.unwrap_err().code, 422);
    let mut deep = json!(1);
    for _ in 0..120 {
        deep = json!([deep]);
    }
    let deep = json!({"Name": "p1", "Params": {"xx": deep}});
    assert_eq!(objects.create(&me(), "profiles", deep).await.unwrap_err().code, 400);
}
