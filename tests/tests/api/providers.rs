//! Plugin providers: upload, show, replace, delete (wire-protocol §1.11, §3.9).

use crate::refused;
use drp_tests::daemon::{Daemon, answer, binary};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_uploaded_shown_and_deleted() {
    let daemon = Daemon::start();
    let mut events = EventSocket::connect(&daemon).await;
    events.register("plugin_providers.*.*").await;
    let bytes = std::fs::read(binary("incrementer")).unwrap();
    let upload = |body: Vec<u8>| {
        daemon
            .request("POST", "/api/v3/plugin_providers/incrementer")
            .header("content-type", "application/octet-stream")
            .body(body)
    };
    let got = answer(upload(bytes.clone())).await;
    assert_eq!(
        (got.status, got.json()),
        (201, json!({"path": "incrementer", "size": bytes.len()})),
        "{}",
        daemon.log()
    );
    assert_eq!(
        events.until("plugin_providers", "create", "incrementer").await["Object"]["Name"],
        "incrementer"
    );

    let shown = daemon.get("plugin_providers/incrementer").await;
    assert_eq!((&shown["PluginVersion"], &shown["AutoStart"]), (&json!(4), &json!(false)));
    for action in shown["AvailableActions"].as_array().unwrap() {
        assert_eq!(action["Provider"], "incrementer");
    }
    for (key, value) in
        [("Name", "incrementer"), ("Type", "plugin"), ("DisplayName", "Incrementer Test Plugin")]
    {
        assert_eq!(shown["Meta"][key], value, "{}", shown["Meta"]);
    }
    assert!(shown["Meta"].get("color").is_some() && shown["Meta"].get("icon").is_some());
    assert_eq!(daemon.get("plugin_providers").await.as_array().unwrap().len(), 1);
    assert_eq!(daemon.call("HEAD", "/api/v3/plugin_providers/incrementer", Value::Null).await.status, 200);
    let param = daemon.get("params/incrementer/step").await;
    assert_eq!((&param["ReadOnly"], &param["Bundle"]), (&json!(true), &json!("incrementer")));
    let file = daemon.call("GET", "/api/v3/files/plugin_providers/incrementer/testFile", Value::Null).await;
    assert_eq!((file.status, file.text().as_str()), (200, "ImaFile"));
    let served =
        answer(daemon.http.get(format!("{}/files/plugin_providers/incrementer/testFile", daemon.files)))
            .await;
    assert_eq!(served.text(), "ImaFile");
    let back = daemon.call("GET", "/api/v3/plugin_providers/incrementer/binary", Value::Null).await;
    assert_eq!(back.bytes, bytes);

    assert_eq!(daemon.call("DELETE", "/api/v3/plugin_providers/incrementer", Value::Null).await.status, 204);
    events.until("plugin_providers", "delete", "incrementer").await;
    assert_eq!(daemon.call("GET", "/api/v3/params/incrementer/step", Value::Null).await.status, 404);
    refused(
        &daemon.call("DELETE", "/api/v3/plugin_providers/incrementer", Value::Null).await,
        404,
        "DELETE",
        &["Not Found"],
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_uploads_are_refused() {
    let daemon = Daemon::start();
    let upload = |name: &str, kind: &str, body: &'static str| {
        answer(
            daemon
                .request("POST", &format!("/api/v3/plugin_providers/{name}"))
                .header("content-type", kind.to_owned())
                .body(body),
        )
    };
    let octets = "application/octet-stream";
    assert_eq!(upload("lamp", "application/json", "{}").await.status, 415);
    let empty = upload("lamp", octets, "").await;
    assert_eq!(empty.status, 400, "{}", empty.text());
    let script = upload("lamp", octets, "#!/bin/sh\nexit 3\n").await;
    assert_eq!(script.status, 400, "{}", script.text());
    assert_eq!(script.json()["Messages"][0], "Import plugin failed lamp: define failed");
    let noise = upload("noise", octets, "this is no program").await;
    assert_eq!(
        (noise.status, &noise.json()["Messages"][0]),
        (400, &json!("Import plugin failed noise: define failed"))
    );
    let unpack = "#!/bin/sh\n[ $1 = define ] || exit 5\necho '{\"Name\": \"full\", \"PluginVersion\": 4}'\n";
    let full = upload("full", octets, unpack).await;
    assert_eq!(
        (full.status, &full.json()["Messages"][0]),
        (400, &json!("Import plugin failed full: unpack failed"))
    );
    // A refused upload stays (wire-protocol §1.11), and whoever sent it can take it away.
    for name in ["lamp", "noise", "full"] {
        let (path, file) =
            (format!("/api/v3/plugin_providers/{name}"), daemon.base().join("plugins").join(name));
        assert!(file.exists(), "{name}");
        assert_eq!(daemon.call("DELETE", &path, Value::Null).await.status, 204);
        assert!(!file.exists(), "{name}");
        refused(&daemon.call("DELETE", &path, Value::Null).await, 404, "DELETE", &["Not Found"]);
    }
    assert_eq!(daemon.get("system/status").await["Problems"], json!([]));
    assert!(upload("..%2fescape", octets, "x").await.status >= 400);
    assert_eq!(daemon.get("plugin_providers").await, json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn plugins_follow_their_provider() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "one", "Provider": "incrementer"})).await;
    daemon.wait_plugin("one").await;
    daemon.expect(201, "POST", "plugins", json!({"Name": "lost", "Provider": "nowhere"})).await;
    let lost =
        daemon.wait_for("plugins/lost", |a| !a.json()["PluginErrors"].as_array().unwrap().is_empty()).await;
    assert_eq!(lost.json()["PluginErrors"], json!(["Missing Plugin Provider: nowhere"]));
    assert_eq!(lost.json()["Available"], true);

    assert_eq!(daemon.call("DELETE", "/api/v3/plugin_providers/incrementer", Value::Null).await.status, 204);
    let without =
        daemon.wait_for("plugins/one", |a| !a.json()["PluginErrors"].as_array().unwrap().is_empty()).await;
    assert_eq!(without.json()["PluginErrors"], json!(["Missing Plugin Provider: incrementer"]));
    let bytes = std::fs::read(binary("incrementer")).unwrap();
    let upload = daemon
        .request("POST", "/api/v3/plugin_providers/incrementer")
        .header("content-type", "application/octet-stream")
        .body(bytes);
    assert_eq!(answer(upload).await.status, 201);
    daemon.wait_for("plugins/one", |a| a.json()["PluginErrors"] == json!([])).await;
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let path = format!("machines/{}/actions", machine["Uuid"].as_str().unwrap());
    daemon.wait_for(&path, |a| a.json().as_array().is_some_and(|list| list.len() == 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_auto_start_provider_gets_its_plugin() {
    let daemon = Daemon::builder().plugin("echo").start();
    let provider = daemon.get("plugin_providers/echo").await;
    if provider["AutoStart"] != json!(true) {
        assert_eq!(daemon.call("GET", "/api/v3/plugins/echo", Value::Null).await.status, 404);
        return;
    }
    let plugin = daemon.wait_plugin("echo").await;
    assert_eq!((&plugin["Provider"], &plugin["Meta"]), (&json!("echo"), &provider["Meta"]));
}
