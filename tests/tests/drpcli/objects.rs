//! Objects of every type: list, show, exists, count, create, update, patch, destroy, indexes, meta, wait
//! (wire-protocol §6.2).

use crate::talk::{Talk, op};
use drp_tests::daemon::Daemon;
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

/// Type, object to make, name by which to find it, a field to change and its new value.
fn types() -> Vec<(&'static str, Value, &'static str, &'static str, Value)> {
    let named =
        |prefix, name: &'static str| (prefix, json!({ "Name": name }), name, "Description", json!("changed"));
    let with_id =
        |prefix, id: &'static str| (prefix, json!({ "Id": id }), id, "Description", json!("changed"));
    vec![
        ("machines", json!({"Name": "m1"}), "Name:m1", "Description", json!("changed")),
        (
            "params",
            json!({"Name": "rack/unit", "Schema": {"type": "integer"}}),
            "rack/unit",
            "Description",
            json!("changed"),
        ),
        named("profiles", "web"),
        (
            "plugins",
            json!({"Name": "lamp", "Provider": "incrementer"}),
            "lamp",
            "Description",
            json!("changed"),
        ),
        named("stages", "prepare"),
        named("tasks", "reset-bmc"),
        named("workflows", "burn-in"),
        ("templates", json!({"ID": "motd", "Contents": "hello"}), "motd", "Contents", json!("good bye")),
        named("bootenvs", "rescue"),
        (
            "subnets",
            json!({"Name": "lab", "Subnet": "10.1.0.1/24", "ActiveStart": "10.1.0.10", "ActiveEnd": "10.1.0.20", "ActiveLeaseTime": 60, "ReservedLeaseTime": 7200, "Strategy": "MAC"}),
            "lab",
            "Description",
            json!("changed"),
        ),
        (
            "leases",
            json!({"Addr": "10.1.0.5", "Token": "52:54:00:00:00:05", "Strategy": "MAC"}),
            "0A010005",
            "State",
            json!("ACK"),
        ),
        (
            "reservations",
            json!({"Addr": "10.1.0.6", "Token": "52:54:00:00:00:06", "Strategy": "MAC"}),
            "0A010006",
            "Description",
            json!("changed"),
        ),
        named("contexts", "ansible"),
        with_id("pools", "spare"),
        named("tenants", "red"),
        ("roles", json!({"Name": "watcher", "Claims": []}), "watcher", "Description", json!("changed")),
        named("users", "jane"),
        with_id("endpoints", "site-2"),
        with_id("version_sets", "spring"),
        ("catalog_items", json!({"Id": "lamp-v1"}), "lamp-v1", "Meta", json!({"color": "blue"})),
        // A raw type that a provider brings: `drpcli extended -l cows`.
        ("cows", json!({"Id": "berta"}), "berta", "Description", json!("changed")),
    ]
}

#[tokio::test(flavor = "multi_thread")]
async fn the_life_of_an_object_of_every_type() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    let talk = Talk::start(&daemon).await;
    talk.has_type("cows").await;
    for (prefix, body, id, field, value) in types() {
        let path = format!("{prefix}/{id}");
        // exists, show
        assert_eq!(talk.call("HEAD", &path, Value::Null).await.status, 404, "{path}");
        let missing = talk.ok(404, "GET", &path, Value::Null).await;
        assert_eq!(
            (&missing["Type"], &missing["Messages"]),
            (&json!("GET"), &json!(["Not Found"])),
            "{missing}"
        );
        // create, twice
        let made = talk.ok(201, "POST", prefix, body.clone()).await;
        let mut same = body.clone();
        if prefix == "machines" {
            same["Uuid"] = made["Uuid"].clone();
        }
        let again = talk.ok(409, "POST", prefix, same).await;
        assert_eq!(again["Messages"], json!(["already exists"]), "{prefix}");
        assert_eq!(talk.call("HEAD", &path, Value::Null).await.status, 200, "{path}");
        assert_eq!(talk.get(&path).await, made, "{path}: what was answered is what is there");
        // list, count
        let count = talk.call("HEAD", prefix, Value::Null).await;
        let counted: usize = count.header("X-DRP-LIST-FILTER-COUNT").parse().unwrap();
        let listed = talk.get(prefix).await;
        assert_eq!(listed.as_array().unwrap().len(), counted, "{prefix}");
        let slim =
            talk.get(&format!("{prefix}?slim=Params,Meta&limit=1&offset=0&sort=Key&reverse=true")).await;
        assert_eq!(slim.as_array().unwrap().len(), 1, "{prefix}");
        // update, also from a reference that is the whole object, and from one that it no longer is
        talk.update(&path, field, value.clone()).await;
        let whole = talk.get(&path).await;
        let got = talk.update_from(&path, &whole, field, made.get(field).cloned().unwrap_or(json!(""))).await;
        assert_eq!(got.status, 200, "{path}: {}", got.text());
        let got = talk.update_from(&path, &whole, field, value).await;
        assert_eq!(got.status, 409, "{path}: {}", got.text());
        assert!(got.text().contains("Test op failed."), "{}", got.text());
        // indexes
        let indexes = talk.get(&format!("indexes/{prefix}")).await;
        assert_eq!(indexes["Key"]["Unique"], true, "{prefix}");
        talk.get(&format!("indexes/{prefix}/Key")).await;
        // meta
        let meta = talk.get(&format!("meta/{prefix}/{id}")).await;
        let key = if meta.get("rack").is_some() { "replace" } else { "add" };
        let meta = talk
            .ok(200, "PATCH", &format!("meta/{prefix}/{id}"), json!([op(key, "rack", &json!("r1"))]))
            .await;
        assert_eq!(meta["rack"], "r1", "{prefix}");
        // destroy
        let gone = talk.ok(200, "DELETE", &path, Value::Null).await;
        assert_eq!(gone["Meta"]["rack"], "r1", "{prefix}: the answer is what was deleted");
        talk.ok(404, "DELETE", &path, Value::Null).await;
    }
    // extended -l of a type that is not there
    let missing = talk.ok(404, "GET", "unicorns", Value::Null).await;
    assert_eq!(missing["Messages"], json!(["No route"]));
}

#[tokio::test(flavor = "multi_thread")]
async fn wait_registers_twice_and_looks_again_after_each_event() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let key =
        talk.ok(201, "POST", "machines", json!({"Name": "m1"})).await["Uuid"].as_str().unwrap().to_owned();
    let path = format!("machines/{key}");
    let bearer = format!("Bearer {}", talk.token);
    let mut socket = EventSocket::try_connect(&daemon, Some(bearer), "").await.unwrap();
    socket.register(&format!("machines.update.{key}")).await;
    socket.register(&format!("machines.save.{key}")).await;
    assert_eq!(talk.get(&path).await["Description"], "");
    talk.update(&path, "Description", json!("almost")).await;
    let event = socket.until("machines", "update", &key).await;
    assert_eq!(event["Object"]["Description"], "almost");
    assert_ne!(talk.get(&path).await["Description"], "done");
    talk.update(&path, "Description", json!("done")).await;
    socket.until("machines", "update", &key).await;
    assert_eq!(talk.get(&path).await["Description"], "done");
    socket.send(&format!("deregister machines.update.{key}")).await;
    socket.until("websocket", "deregister", &format!("machines.update.{key}")).await;
    socket.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn show_with_a_tag_waits_for_a_change() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    talk.ok(201, "POST", "profiles", json!({"Name": "web"})).await;
    let tag = talk.call("HEAD", "profiles/web", Value::Null).await.header("etag").to_owned();
    assert!(!tag.is_empty());
    let ask = |wait: &str| {
        let call = daemon.anonymous("GET", "/api/v3/profiles/web").bearer_auth(&talk.token);
        call.header("If-None-Match", &tag).header("Prefer", format!("wait={wait}"))
    };
    assert_eq!(ask("1s").send().await.unwrap().status(), 304);
    let waiting = tokio::spawn(ask("60s").send());
    talk.update("profiles/web", "Description", json!("changed")).await;
    let got = waiting.await.unwrap().unwrap();
    assert_eq!(got.status(), 200);
    assert_ne!(got.headers()["etag"], tag.as_str());
}
