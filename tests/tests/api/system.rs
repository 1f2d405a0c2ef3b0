//! Info, preferences, logs, content, interfaces (wire-protocol §3.9, §3.10).

use crate::{exchanges, refused, run};
use drp_tests::daemon::Daemon;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn info_is_honest_and_complete() {
    let daemon = Daemon::builder().arg("--drp-id").arg("lab-7").start();
    let info = daemon.get("info").await;
    let port: u16 = daemon.api.rsplit(':').next().unwrap().parse().unwrap();
    assert_eq!(
        (&info["id"], &info["api_port"], &info["address"]),
        (&json!("lab-7"), &json!(port), &json!("127.0.0.1"))
    );
    assert_eq!(
        (&info["prov_enabled"], &info["dhcp_enabled"], &info["ha_status"]),
        (&json!(true), &json!(false), &json!("Up"))
    );
    // Clients and plugins behave by these: each has a test that shows it, named beside it.
    let features = json!([
        "api-v3",                                // this whole test program
        "sane-exit-codes",                       // drp-tests cli: exit codes
        "common-blob-size",                      // files: uploads answer Path and Size
        "job-exit-states",                       // wire: jobs
        "profileless-machine",                   // params: a machine has Params of its own
        "threaded-log-levels",                   // lamp: a_traced_request_can_be_followed_into_the_plugin
        "plugin-v2",                             // lamp, actions
        "fsm-runner",                            // drp-tests jobs: walk
        "plugin-v2-safe-config",                 // lamp: secrets_reach_the_plugin_and_nobody_else
        "workflows",                             // drp-tests jobs: walk
        "default-workflow",                      // wire: references.yaml
        "http-range-header",                     // files: ranges
        "roles",                                 // auth: claims_are_checked
        "tenants",                               // wire: tenants.yaml
        "secure-params",                         // params, lamp
        "separate-meta-api",                     // objects: meta_is_patched_on_its_own
        "slim-objects",                          // objects: lists_filter_sort_and_count
        "secure-param-upgrade",                  // params: plain values of secure params are sealed
        "actions-in-task-list",                  // drp-tests jobs: walk
        "bundle-objects",                        // content_layers_come_and_go: Bundle names the layer
        "secure-params-in-content-packs",        // drp-objects engine: layers
        "task-prerequisites",                    // wire: jobs
        "content-prerequisite-version-checking", // wire: contents.yaml
        "stage-paramer",                         // drp-objects engine: params
        "selective-job-purge",                   // wire: jobs
    ]);
    assert_eq!(info["features"], features);
    assert_eq!(info["scopes"]["machines"]["getSecure"], json!({}));
    assert_eq!(info["stats"][0], json!({"name": "machines.count", "count": 0}));
    for key in ["License", "ClusterState", "errors", "version", "arch", "os"] {
        assert!(info.get(key).is_some(), "{key}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn preferences_are_one_map() {
    let daemon = Daemon::start();
    run(&daemon, exchanges! {
        GET "prefs" => 200 json!({"defaultStage": "none", "defaultBootEnv": "local", "knownTokenTimeout": "3600"});
        POST "prefs" json!({"logLevel": "info"}) => 201 json!({"logLevel": "info", "defaultStage": "none"});
        POST "prefs" json!({"nothing": "x"}) => 400 json!({"Messages": ["Unknown Preference nothing"]});
        POST "prefs" json!({"baseTokenSecret": "short"}) => 400 json!({"Messages": ["baseTokenSecret: Must be 32 bytes long"]});
    }).await;
    assert!(daemon.get("prefs").await.get("baseTokenSecret").is_none());
}

/// Set while it runs, and still there after the next start.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_level_is_a_preference() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let logged = async |daemon: &Daemon, path: &str| {
        daemon.get(path).await;
        daemon.log().contains(&format!("/api/v3/{path}"))
    };
    assert!(!logged(&daemon, "machines").await);
    daemon.expect(201, "POST", "prefs", json!({"logLevel": "debug"})).await;
    let end = std::time::Instant::now() + std::time::Duration::from_secs(20);
    while !logged(&daemon, "profiles").await {
        assert!(std::time::Instant::now() < end, "{}", daemon.log());
    }
    assert!(daemon.stop().0.success());
    let daemon = Daemon::builder().base(base.path()).start();
    while !logged(&daemon, "stages").await {
        assert!(std::time::Instant::now() < end, "{}", daemon.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_can_be_read() {
    let daemon = Daemon::start();
    let lines = daemon.get("logs").await;
    let line =
        lines.as_array().unwrap().iter().find(|l| l["Service"] == "drp").expect("a line of the daemon");
    for key in
        ["Group", "Seq", "Time", "Principal", "Level", "File", "Line", "Message", "Data", "IgnorePublish"]
    {
        assert!(line.get(key).is_some(), "{key} of {line}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn interfaces_are_listed() {
    let daemon = Daemon::start();
    let all = daemon.get("interfaces").await;
    assert!(all.as_array().unwrap().iter().any(|i| i["Name"] == "lo"), "{all}");
    assert_eq!(daemon.get("interfaces/lo").await["Name"], "lo");
    refused(
        &daemon.call("GET", "/api/v3/interfaces/none9", Value::Null).await,
        404,
        "GET",
        &["No interface"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn uploaded_content_is_there_after_a_restart() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let mut events = drp_tests::events::EventSocket::connect(&daemon).await;
    events.register("contents.*.*").await;
    let lamps = json!({"meta": {"Name": "lamps"}, "sections": {"profiles": {"hall": {"Name": "hall"}}}});
    daemon.expect(201, "POST", "contents", lamps).await;
    let event = events.next().await;
    assert_eq!((&event["Action"], &event["Object"]["meta"]["Name"]), (&json!("create"), &json!("lamps")));
    events.close().await;
    daemon.kill9();
    let daemon = Daemon::builder().base(base.path()).start();
    assert_eq!(daemon.get("profiles/hall").await["Bundle"], "lamps");
    assert_eq!(daemon.call("DELETE", "/api/v3/contents/lamps", Value::Null).await.status, 204);
    assert!(daemon.stop().0.success());
    let daemon = Daemon::builder().base(base.path()).start();
    assert_eq!(daemon.call("GET", "/api/v3/profiles/hall", Value::Null).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn content_layers_come_and_go() {
    let daemon = Daemon::start();
    let lamps = |version: &str, id: i64| {
        json!({
            "meta": {"Name": "lamps", "Version": version},
            "sections": {"profiles": {"hall": {"Name": "hall", "Params": {"lamp/id": id}}}},
        })
    };
    run(&daemon, exchanges! {
        POST "contents" lamps("v1.0.0", 4) => 201 json!({"meta": {"Name": "lamps", "Version": "v1.0.0"}, "Counts": {"profiles": 1}});
        POST "contents" lamps("v1.0.0", 4) => 409 json!({"Messages": ["Content lamps already exists"]});
        POST "contents" json!({"meta": {}, "sections": {}}) => 422 json!({"Messages": ["Store at content- has no Name metadata"]});
        GET "contents/lamps" => 200 json!({"sections": {"profiles": {"hall": {"Name": "hall"}}}});
        GET "contents/none" => 404 json!({"Messages": ["No such content store"]});
        GET "profiles/hall" => 200 json!({"ReadOnly": true, "Bundle": "lamps", "Params": {"lamp/id": 4}});
        DELETE "profiles/hall" => 409;
        PUT "contents/lamps" lamps("v1.0.1", 5) => 200 json!({"meta": {"Version": "v1.0.1"}});
        GET "profiles/hall" => 200 json!({"Params": {"lamp/id": 5}});
        PUT "contents/none" json!({"meta": {"Name": "none"}, "sections": {}}) => 404 json!({"Messages": ["Cannot find none"]});
        DELETE "contents/BasicStore" => 409;
    }).await;
    let listed = daemon.get("contents").await;
    let names: Vec<_> =
        listed.as_array().unwrap().iter().filter_map(|l| l["meta"]["Name"].as_str()).collect();
    assert!(names.contains(&"lamps") && names.contains(&"BasicStore"), "{names:?}");
    assert_eq!(daemon.call("DELETE", "/api/v3/contents/lamps", Value::Null).await.status, 204);
    assert_eq!(daemon.call("GET", "/api/v3/profiles/hall", Value::Null).await.status, 404);
}
