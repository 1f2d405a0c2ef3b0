//! Generic object routes, lists, conditional requests (wire-protocol §3.4 to §3.6).

use crate::{exchanges, refused, run};
use drp_tests::daemon::{Daemon, answer};
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn objects_come_and_go() {
    let daemon = Daemon::start();
    run(&daemon, exchanges! {
        POST "profiles" json!({"Name": "hall", "Description": "a"}) => 201 json!({"Name": "hall", "Validated": true, "Available": true, "Errors": [], "Params": {}});
        POST "profiles" json!({"Name": "hall"}) => 409 json!({"Type": "CREATE", "Messages": ["already exists"], "Code": 409});
        POST "profiles" json!({"Name": ""}) => 400 json!({"Type": "CREATE", "Messages": ["Empty key not allowed"]});
        POST "profiles" json!({"Name": "b@d"}) => 422 json!({"Type": "ValidationError"});
        HEAD "profiles/hall" => 200;
        GET "profiles/hall" => 200 json!({"Description": "a"});
        GET "profiles/Name:hall" => 200 json!({"Name": "hall"});
        GET "profiles/absent" => 404 json!({"Type": "GET", "Model": "profiles", "Key": "absent", "Messages": ["Not Found"]});
        HEAD "profiles/absent" => 404;
        PUT "profiles/hall" json!({"Name": "hall", "Description": "b"}) => 200 json!({"Description": "b"});
        PUT "profiles/hall" json!({"Name": "other"}) => 400 json!({"Messages": ["Key change from hall to other not allowed"]});
        PATCH "profiles/hall" json!([
            {"op": "test", "path": "/Description", "from": "", "value": "b"},
            {"op": "replace", "path": "/Description", "from": "", "value": "c"},
        ]) => 200 json!({"Description": "c"});
        PATCH "profiles/hall" json!([{"op": "test", "path": "/Description", "from": "", "value": "b"}]) => 409 json!({"Type": "PATCH"});
        DELETE "profiles/hall" => 200 json!({"Name": "hall"});
        DELETE "profiles/hall" => 404 json!({"Messages": ["Not Found"]});
        DELETE "profiles/global" => 409;
    }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_test_shows_the_patch() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let patch = json!([{"op": "test", "path": "/Name", "from": "", "value": "x"}]);
    let got = daemon.call("PATCH", "/api/v3/profiles/hall", patch).await;
    let patch = "Patch: [\n  {\n    \"op\": \"test\",\n    \"path\": \"/Name\",\n    \"from\": \"\",\n    \"value\": \"x\"\n  }\n]";
    refused(&got, 409, "PATCH", &["Patch error at line 0: Test op failed.", patch]);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_of_params_hold_slashes() {
    let daemon = Daemon::start();
    run(&daemon, exchanges! {
        POST "params" json!({"Name": "cow/id", "Schema": {"type": "string"}}) => 201 json!({"Name": "cow/id"});
        GET "params/cow/id" => 200 json!({"Name": "cow/id"});
        GET "params/cow%2Fid" => 200 json!({"Name": "cow/id"});
        GET "params/Name:cow/id" => 200 json!({"Name": "cow/id"});
        GET "params/cow/other" => 404 json!({"Key": "cow/other"});
        DELETE "params/cow/id" => 200;
    }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_filter_sort_and_count() {
    let daemon = Daemon::start();
    for n in 1..=5 {
        let place = if n % 2 == 0 { "even" } else { "odd" };
        daemon
            .expect(
                201,
                "POST",
                "machines",
                json!({"Name": format!("m{n}"), "Description": place, "Meta": {"side": place}}),
            )
            .await;
    }
    for (query, names, filtered) in [
        ("?sort=Name&limit=2&offset=1", vec!["m2", "m3"], "5"),
        ("?sort=Name&reverse=true&limit=1", vec!["m5"], "5"),
        ("?Meta.side=even&sort=Name", vec!["m2", "m4"], "2"),
        ("?Name=Between(m2,m4)&sort=Name", vec!["m2", "m3", "m4"], "3"),
        ("?Name=m1&Name=m5&sort=Name", vec!["m1", "m5"], "2"),
        ("?Name=In(m1,m2)&Name=Re(5$)&sort=Name", vec!["m1", "m2", "m5"], "3"),
        ("?Name=none", vec![], "0"),
    ] {
        let got = daemon.call("GET", &format!("/api/v3/machines{query}"), Value::Null).await;
        let list = got.json();
        let found: Vec<&str> = list.as_array().unwrap().iter().filter_map(|m| m["Name"].as_str()).collect();
        assert_eq!(found, names, "{query}: {}", got.text());
        assert_eq!(got.header("x-drp-list-filter-count"), filtered, "{query}");
        assert_eq!(got.header("x-drp-list-total-count"), "5");
        assert_eq!(got.header("x-drp-list-count"), names.len().to_string());
        let head = daemon.call("HEAD", &format!("/api/v3/machines{query}"), Value::Null).await;
        assert_eq!((head.status, head.header("x-drp-list-filter-count")), (200, filtered), "{query}");
    }
    let slim = daemon.get("machines?slim=Meta,Params&Name=m1").await;
    assert_eq!((&slim[0]["Meta"], &slim[0]["Partial"]), (&json!({}), &json!(true)));
    for (query, message) in [
        ("?Nothing=1", "Filter not found: Nothing"),
        ("?sort=Runnable", "Not sortable: Runnable"),
        ("?limit=-1", "Limit cannot be negative"),
        ("?offset=-1", "Offset cannot be negative"),
    ] {
        let got = daemon.call("GET", &format!("/api/v3/machines{query}"), Value::Null).await;
        assert_eq!(got.status, 406, "{query}");
        assert_eq!(got.json()["Messages"], json!([message]));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn indexes_and_types_are_listed() {
    let daemon = Daemon::start();
    let types = daemon.get("objects").await;
    for prefix in ["machines", "params", "plugins", "profiles", "users"] {
        assert!(types.as_array().unwrap().contains(&json!(prefix)), "{types}");
    }
    assert!(!types.as_array().unwrap().contains(&json!("interfaces")));
    run(&daemon, exchanges! {
        GET "indexes" => 200 json!({"machines": {"Name": {"Type": "string", "Unique": true, "Unordered": false, "Regex": true}}});
        GET "indexes/machines" => 200 json!({"Address": {"Type": "IP Address"}});
        GET "indexes/machines/Name" => 200 json!({"Unique": true});
        GET "indexes/unknown" => 200 json!({"Key": {"Unique": true}});
        GET "indexes/machines/nothing" => 404 json!({"Messages": ["index get: not found: nothing"]});
    }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn meta_is_patched_on_its_own() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall", "Meta": {"color": "red"}})).await;
    run(&daemon, exchanges! {
        GET "meta/profiles/hall" => 200 json!({"color": "red"});
        PATCH "meta/profiles/hall" json!([{"op": "add", "path": "/icon", "from": "", "value": "lamp"}]) => 200 json!({"color": "red", "icon": "lamp"});
        PATCH "meta/profiles/hall" json!([{"op": "test", "path": "/icon", "from": "", "value": "x"}]) => 409;
        GET "meta/profiles/none" => 404;
        GET "meta/nothing/x" => 404 json!({"Messages": ["No route"]});
    }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poll_ends_with_the_change_it_waits_for() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let first = daemon.call("GET", "/api/v3/profiles/hall", Value::Null).await;
    let tag = first.header("etag").to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let head = daemon.call("HEAD", "/api/v3/profiles/hall", Value::Null).await;
    assert_eq!(head.header("etag"), tag);
    let poll = |wait: &str| {
        daemon
            .request("GET", "/api/v3/profiles/hall")
            .header("if-none-match", &tag)
            .header("prefer", format!("wait={wait}"))
    };
    let unchanged = answer(poll("100ms")).await;
    assert_eq!((unchanged.status, unchanged.bytes.len()), (304, 0));
    let waiting = tokio::spawn(answer(poll("20s")));
    tokio::time::sleep(Duration::from_millis(100)).await;
    daemon.expect(200, "POST", "profiles/hall/params/aa", json!(1)).await;
    let changed = waiting.await.unwrap();
    assert_eq!((changed.status, &changed.json()["Params"]), (200, &json!({"aa": 1})));
    assert_ne!(changed.header("etag"), tag);
    assert_eq!(answer(poll("20s")).await.status, 200, "a change that already happened is told at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn machines_have_their_defaults() {
    let daemon = Daemon::start();
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    assert!(
        crate::contains(
            &machine,
            &json!({
                "Arch": "amd64", "Runnable": true, "CurrentTask": 0, "Pool": "default", "PoolStatus": "Free",
                "WorkflowComplete": true, "Profiles": [], "Params": {}, "Tasks": [], "Available": true,
                "Stage": "none", "BootEnv": "local", "Workflow": "",
            })
        ),
        "{machine}"
    );
    let got = daemon.call("POST", "/api/v3/machines", json!({"Name": "m2", "Profiles": ["foo"]})).await;
    assert_eq!((got.status, &got.json()["Type"]), (422, &json!("ValidationError")), "{}", got.text());
    assert!(got.text().contains("Profile foo (at 0) does not exist"), "{}", got.text());
}
