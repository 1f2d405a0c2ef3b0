//! Groups with calls of their own (wire-protocol §6.2).

use crate::talk::{Talk, headers, op};
use drp_tests::daemon::{Daemon, answer, binary};
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn providers_come_and_go() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    assert_eq!(talk.call("HEAD", "plugin_providers/echo", Value::Null).await.status, 404);
    let program = std::fs::read(binary("echo")).unwrap();
    let got = talk.upload("plugin_providers/echo?replaceWritable=true", program.clone()).await;
    assert_eq!(got.status, 201, "{}", got.text());
    assert_eq!(got.json(), json!({"path": "echo", "size": program.len()}));
    assert_eq!(talk.call("HEAD", "plugin_providers/echo", Value::Null).await.status, 200);
    assert_eq!(talk.get("plugin_providers").await[0]["Name"], "echo");
    assert_eq!(talk.get("plugin_providers/echo").await["PluginVersion"], 4);
    let back = talk.download("plugin_providers/echo/binary").await;
    assert!(back.status == 200 && back.bytes == program);
    talk.ok(204, "DELETE", "plugin_providers/echo", Value::Null).await;
    talk.ok(404, "GET", "plugin_providers/echo", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn contents_are_uploaded_again_and_again() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    let bundle = |version: &str| json!({"meta": {"Name": "lamps", "Version": version}, "sections": {"profiles": {"hall": {"Name": "hall"}}}});
    // upload: GET, then POST or PUT
    talk.ok(404, "GET", "contents/lamps", Value::Null).await;
    let summary = talk.ok(201, "POST", "contents", bundle("v1.0.0")).await;
    assert_eq!(summary["Counts"]["profiles"], 1, "{summary}");
    talk.get("contents/lamps").await;
    let summary = talk.ok(200, "PUT", "contents/lamps?replaceWritable=true", bundle("v1.0.1")).await;
    assert_eq!(summary["meta"]["Version"], "v1.0.1");
    assert!(talk.get("contents").await.to_string().contains("lamps"));
    assert_eq!(talk.call("HEAD", "contents/lamps", Value::Null).await.status, 200);
    assert_eq!(talk.get("profiles/hall").await["ReadOnly"], true);
    talk.ok(409, "POST", "contents", bundle("v1.0.0")).await;
    talk.ok(204, "DELETE", "contents/lamps", Value::Null).await;
    talk.ok(404, "GET", "profiles/hall", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn users_change_passwords_and_get_tokens() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    talk.ok(201, "POST", "users", json!({"Name": "jane", "Roles": ["superuser"]})).await;
    let user = talk.ok(200, "PUT", "users/jane/password", json!({"Password": "pw of jane"})).await;
    assert!(user.get("PasswordHash").is_none(), "{user}");
    let token = talk.get("users/jane/token?ttl=330&scope=machines&action=list,get&specific=*").await;
    let with =
        |path: &str| headers(daemon.anonymous("GET", path)).bearer_auth(token["Token"].as_str().unwrap());
    assert_eq!(answer(with("/api/v3/machines")).await.status, 200);
    assert_eq!(answer(with("/api/v3/prefs")).await.status, 403);
    let narrowed = talk.get("users/jane/token?ttl=330&roles=superuser").await;
    assert!(narrowed["Info"]["features"].is_array());
    talk.ok(400, "GET", "users/jane/token?ttl=soon", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn prefs_info_objects_and_interfaces() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    assert_eq!(talk.get("prefs").await["defaultStage"], "none");
    let all = talk.ok(201, "POST", "prefs", json!({"defaultStage": "local"})).await;
    assert_eq!((&all["defaultStage"], &all["defaultBootEnv"]), (&json!("local"), &json!("local")));
    talk.ok(400, "POST", "prefs", json!({"nonsense": "1"})).await;
    let info = talk.get("info").await;
    for field in ["arch", "os", "version", "id", "api_port", "file_port", "features", "scopes", "stats"] {
        assert!(info.get(field).is_some(), "{field}");
    }
    let types = talk.get("objects").await;
    for prefix in ["machines", "preferences", "catalog_items", "workflows"] {
        assert!(types.as_array().unwrap().contains(&json!(prefix)), "{types}");
    }
    assert!(talk.get("interfaces").await.is_array());
    assert_eq!(talk.get("interfaces/lo").await["Name"], "lo");
    talk.ok(404, "GET", "interfaces/nowhere", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_and_isos() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    for (kind, path) in [("files", "/notes"), ("isos", "notes")] {
        let done = talk.upload(&format!("{kind}/notes"), b"hello".to_vec()).await;
        assert_eq!((done.status, done.json()), (201, json!({"Path": path, "Size": 5})), "{kind}");
        assert!(talk.get(kind).await.as_array().unwrap().contains(&json!("notes")), "{kind}");
        assert_eq!(talk.download(&format!("{kind}/notes")).await.bytes, b"hello", "{kind}");
        let head = daemon.request("HEAD", &format!("/api/v3/{kind}/notes")).send().await.unwrap();
        assert_eq!(head.headers()["x-drp-sha256sum"].len(), 64, "{kind}");
        talk.ok(204, "DELETE", &format!("{kind}/notes"), Value::Null).await;
        let gone = talk.ok(404, "GET", &format!("{kind}/notes"), Value::Null).await;
        assert_eq!(
            (&gone["Messages"], &gone["Key"]),
            (&json!(["Not a regular file"]), &json!("/notes")),
            "{kind}"
        );
    }
    // catalog: what the product keeps its catalogue in is not here, and that is an answer
    let got = talk.call("GET", "files/rebar-catalog/rackn-catalog.json", Value::Null).await;
    assert_eq!(got.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_machines_have_alone() {
    let daemon = Daemon::start();
    let talk = Talk::start(&daemon).await;
    for (prefix, name) in [("profiles", "base"), ("stages", "prepare"), ("tasks", "say-hello")] {
        talk.ok(201, "POST", prefix, json!({ "Name": name })).await;
    }
    let machine = talk.ok(201, "POST", "machines", json!({"Name": "m1", "Tasks": ["say-hello"]})).await;
    let path = format!("machines/{}", machine["Uuid"].as_str().unwrap());
    // addprofile, removeprofile
    talk.update(&path, "Profiles", json!(["base"])).await;
    talk.update(&path, "Profiles", json!([])).await;
    // stage, with force
    let old = talk.get(&path).await;
    let patch = json!([op("test", "Stage", &old["Stage"]), op("replace", "Stage", &json!("prepare"))]);
    let moved = talk.ok(200, "PATCH", &format!("{path}?force=true"), patch).await;
    assert_eq!(moved["Stage"], "prepare");
    // token
    assert!(talk.get(&format!("{path}/token?ttl=3y")).await["Token"].is_string());
    // a locked machine is told so
    talk.update(&path, "Locked", json!(true)).await;
    let old = talk.get(&path).await;
    let patch =
        json!([op("test", "Description", &old["Description"]), op("replace", "Description", &json!("x"))]);
    let got = talk.call("PATCH", &path, patch).await;
    assert_eq!((got.status >= 400, &got.json()["Messages"]), (true, &json!(["Locked"])), "{}", got.text());
    talk.update(&path, "Locked", json!(false)).await;
}
