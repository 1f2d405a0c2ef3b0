//! Who gets in, and how far (wire-protocol §3.2, §3.3).

use crate::refused;
use drp_tests::daemon::{Daemon, USER, answer};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

#[tokio::test(flavor = "multi_thread")]
async fn credentials_and_refusals() {
    let daemon = Daemon::start();
    let get = || daemon.anonymous("GET", "/api/v3/info");
    let token = daemon.get("users/rocketskates/token").await["Token"].as_str().unwrap().to_owned();
    for (request, status, asks, what) in [
        (get(), 401, true, "nothing"),
        (get().header("authorization", "Nonsense"), 401, true, "malformed"),
        (get().basic_auth(USER.0, Some("wrong")), 403, false, "wrong password"),
        (get().basic_auth("nobody", Some("x")), 403, false, "unknown user"),
        (get().bearer_auth("forged"), 403, true, "forged token"),
        (get().bearer_auth(&token[..token.len() - 2]), 403, true, "cut token"),
    ] {
        let got = answer(request).await;
        assert_eq!((got.status, got.bytes.len()), (status, 0), "{what}: {}", got.text());
        let asked = got.header("www-authenticate") == "dr-provision";
        assert_eq!(asked, asks, "{what}");
    }
    for request in [
        get().basic_auth(USER.0, Some(USER.1)),
        get().bearer_auth(&token),
        daemon.anonymous("GET", &format!("/api/v3/info?token={token}")),
        daemon.anonymous("GET", &format!("/api/v3/info?token={}:{}", USER.0, USER.1)),
    ] {
        assert_eq!(answer(request).await.status, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_kills_old_tokens() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "users", json!({"Name": "ann", "Roles": ["superuser"]})).await;
    let user = daemon.expect(200, "PUT", "users/ann/password", json!({"Password": "first"})).await;
    assert_eq!(user["Name"], "ann");
    assert!(user.get("PasswordHash").is_none(), "{user}");
    let login = |password: &'static str| {
        daemon.anonymous("GET", "/api/v3/users/ann/token").basic_auth("ann", Some(password))
    };
    let token = answer(login("first")).await.json()["Token"].as_str().unwrap().to_owned();
    let with = || daemon.anonymous("GET", "/api/v3/info").bearer_auth(&token);
    assert_eq!(answer(with()).await.status, 200);
    daemon.expect(200, "PUT", "users/ann/password", json!({"Password": "second"})).await;
    refused(&answer(with()).await, 403, "AUTH", &["Validation failed"]);
    assert_eq!(answer(login("first")).await.status, 403);
    assert_eq!(answer(login("second")).await.status, 200);
}

/// A user without a role, who may do nothing but read, change and identify itself.
async fn bare(daemon: &Daemon) {
    daemon.expect(201, "POST", "users", json!({"Name": "bare", "Roles": []})).await;
    daemon.expect(200, "PUT", "users/bare/password", json!({"Password": "pw"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_reads_by_patching() {
    let daemon = Daemon::start();
    bare(&daemon).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let before = daemon.get("machines/Name:m1").await;
    let test = json!([{"op": "test", "path": "/Name", "value": "m1"}]);
    for patch in [json!([]), test.clone(), json!([{"op": "test", "path": "/Secret", "value": ""}])] {
        let request = daemon.anonymous("PATCH", "/api/v3/machines/Name:m1").basic_auth("bare", Some("pw"));
        refused(&answer(request.json(&patch)).await, 404, "GET", &["Not Found"]);
    }
    // For those who may, it is a way of reading: nothing is written and nobody is told.
    let mut socket = EventSocket::connect(&daemon).await;
    socket.register("machines.*.*").await;
    for patch in [json!([]), test] {
        assert_eq!(daemon.expect(200, "PATCH", "machines/Name:m1", patch).await, before);
    }
    let change = json!([{"op": "replace", "path": "/Description", "value": "x"}]);
    daemon.expect(200, "PATCH", "machines/Name:m1", change).await;
    assert_eq!(socket.next().await["Object"]["Description"], "x");
}

/// What no claim can name is not for everybody.
#[tokio::test(flavor = "multi_thread")]
async fn without_a_role_nothing_can_be_changed() {
    let daemon = Daemon::start();
    bare(&daemon).await;
    let secret = json!({"Name": "baseTokenSecret", "Val": "x".repeat(32), "meta": {"Name": "x"}});
    let patch = json!([{"op": "replace", "path": "/Val", "value": "x".repeat(32)}]);
    let types = daemon.get("objects").await;
    let mut types: Vec<&str> = types.as_array().unwrap().iter().filter_map(Value::as_str).collect();
    types.extend(["preferences", "contents", "plugin_providers"]);
    for prefix in types {
        let one =
            format!("/api/v3/{prefix}/{}", if prefix == "preferences" { "baseTokenSecret" } else { "x" });
        let all = format!("/api/v3/{prefix}");
        for (method, path, body) in [
            ("POST", &all, &secret),
            ("PUT", &one, &secret),
            ("PATCH", &one, &patch),
            ("DELETE", &one, &Value::Null),
            ("GET", &one, &Value::Null),
            ("PATCH", &format!("/api/v3/meta/{prefix}/x"), &json!([])),
        ] {
            let request = daemon.anonymous(method, path).basic_auth("bare", Some("pw")).json(body);
            let got = answer(request).await;
            assert!([403, 404, 405].contains(&got.status), "{method} {path}: {} {}", got.status, got.text());
        }
    }
    // Not even those who may do everything pass by the checks of `/prefs`.
    let wrong =
        daemon.call("PUT", "/api/v3/preferences/logLevel", json!({"Name": "logLevel", "Val": "?"})).await;
    assert_eq!(wrong.status, 405, "{}", wrong.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_in_the_wrong_place_is_not_repeated() {
    let daemon = Daemon::start();
    for (method, path, body) in [
        ("PUT", "users/rocketskates/password", json!("canary")),
        ("PUT", "users/rocketskates/password", json!({"Password": ["canary"]})),
        ("PUT", "users/rocketskates", json!({"Name": "rocketskates", "Roles": "canary"})),
        ("POST", "users", json!({"Name": "eve", "Roles": "canary"})),
        ("POST", "prefs", json!({"baseTokenSecret": {"canary": 1}})),
        ("POST", "prefs", json!("canary")),
        ("POST", "machines/Name:x/params", json!("canary")),
        ("PATCH", "machines/Name:x", json!(["canary"])),
        ("POST", "contents", json!({"sections": "canary"})),
    ] {
        let got = daemon.call(method, &format!("/api/v3/{path}"), body).await;
        assert!((400..500).contains(&got.status), "{method} {path}: {}", got.text());
        assert!(!got.text().contains("canary"), "{method} {path}: {}", got.text());
    }
    assert!(!daemon.log().contains("canary"), "{}", daemon.log());
}

/// A backup holds every key and password hash, and the state of the daemon tells of its host: nothing less than
/// everything may ask for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_and_the_state_need_every_claim() {
    let daemon = Daemon::start();
    let most = json!({"Name": "most", "Claims": [{"scope": "*", "action": "get,list", "specific": "*"}]});
    daemon.expect(201, "POST", "roles", most).await;
    for (name, roles) in [("bare", json!([])), ("reader", json!(["most"]))] {
        daemon.expect(201, "POST", "users", json!({"Name": name, "Roles": roles})).await;
        daemon.expect(200, "PUT", &format!("users/{name}/password"), json!({"Password": "pw"})).await;
    }
    let narrow = daemon.get("users/rocketskates/token?scope=machines&action=get&specific=*").await;
    let narrow = narrow["Token"].as_str().unwrap();
    for path in ["/api/v3/backup", "/api/v3/system/backup", "/api/v3/system/status"] {
        let get = || daemon.anonymous("GET", path);
        let cannot = format!("Cannot access {path}");
        for request in [
            get().basic_auth("bare", Some("pw")),
            get().basic_auth("reader", Some("pw")),
            get().bearer_auth(narrow),
        ] {
            refused(&answer(request).await, 403, "AUTH", &[&cannot, "Requires: * * *"]);
        }
        assert_eq!(answer(get().basic_auth(USER.0, Some(USER.1))).await.status, 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_are_checked() {
    let daemon = Daemon::start();
    let role =
        json!({"Name": "reader", "Claims": [{"scope": "machines", "action": "list,get", "specific": "*"}]});
    daemon.expect(201, "POST", "roles", role).await;
    daemon.expect(201, "POST", "users", json!({"Name": "eve", "Roles": ["reader"]})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "pw"})).await;
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let id = machine["Uuid"].as_str().unwrap();
    let eve = async |method: &str, path: &str, body: Value| {
        let mut request = daemon.anonymous(method, path).basic_auth("eve", Some("pw"));
        if !body.is_null() {
            request = request.json(&body);
        }
        answer(request).await
    };
    assert_eq!(eve("GET", "/api/v3/machines", Value::Null).await.json().as_array().unwrap().len(), 1);
    assert_eq!(eve("GET", &format!("/api/v3/machines/{id}"), Value::Null).await.status, 200);
    assert_eq!(eve("GET", "/api/v3/info", Value::Null).await.status, 200);
    refused(&eve("GET", "/api/v3/profiles/global", Value::Null).await, 404, "GET", &["Not Found"]);
    assert_eq!(eve("GET", "/api/v3/profiles", Value::Null).await.json(), json!([]));
    let path = format!("/api/v3/machines/{id}");
    let needs = format!("Requires: machines delete {id}");
    let cannot = format!("Cannot access {path}");
    refused(&eve("DELETE", &path, Value::Null).await, 403, "AUTH", &[&cannot, &needs]);
    let patch = json!([{"op": "replace", "path": "/Description", "from": "", "value": "x"}]);
    let needs = format!("Requires: machines update:/Description {id}");
    refused(&eve("PATCH", &path, patch).await, 403, "AUTH", &[&cannot, &needs]);
    let decode = eve("GET", "/api/v3/machines/Name:m1?decode=true", Value::Null).await;
    refused(
        &decode,
        403,
        "AUTH",
        &["Cannot access /api/v3/machines/Name:m1", "Requires: machines getSecure Name:m1"],
    );
    // Users may always read themselves and take a token.
    assert_eq!(eve("GET", "/api/v3/users/eve/token?ttl=60", Value::Null).await.status, 200);
    assert_eq!(eve("GET", "/api/v3/users/rocketskates/token", Value::Null).await.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_expire_and_take_durations() {
    let daemon = Daemon::start();
    for (ttl, status) in [("60", 200), ("2h", 200), ("soon", 400), ("-1", 400)] {
        let got =
            daemon.call("GET", &format!("/api/v3/users/rocketskates/token?ttl={ttl}"), Value::Null).await;
        assert_eq!(got.status, status, "{ttl}: {}", got.text());
    }
    let token = daemon.get("users/rocketskates/token?ttl=1").await["Token"].as_str().unwrap().to_owned();
    tokio::time::sleep(std::time::Duration::from_millis(2100)).await;
    assert_eq!(answer(daemon.anonymous("GET", "/api/v3/info").bearer_auth(&token)).await.status, 403);
}

/// Whatever has no word in the claims table must not be open to everybody.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_open_to_somebody_without_claims() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incr").await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    daemon.expect(201, "POST", "cows", json!({"Id": "elsie"})).await;
    daemon.expect(201, "POST", "users", json!({"Name": "eve"})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "pw"})).await;
    let mut open = Vec::new();
    for (method, path, body) in [
        ("POST", "machines", json!({"Name": "m2"})),
        ("GET", "machines/Name:m1", Value::Null),
        ("PUT", "machines/Name:m1", json!({"Name": "m1"})),
        ("PATCH", "machines/Name:m1", json!([{"op": "replace", "path": "/Description", "value": "x"}])),
        ("PATCH", "machines/Name:m1", json!([])),
        ("DELETE", "machines/Name:m1", Value::Null),
        ("GET", "machines/Name:m1/params", Value::Null),
        ("GET", "machines/Name:m1/params/xx", Value::Null),
        ("POST", "machines/Name:m1/params/xx", json!(1)),
        ("POST", "machines/Name:m1/params", json!({})),
        ("PATCH", "machines/Name:m1/params", json!([])),
        ("DELETE", "machines/Name:m1/params/xx", Value::Null),
        ("GET", "machines/Name:m1/pubkey", Value::Null),
        ("GET", "machines/Name:m1/token", Value::Null),
        ("GET", "machines/Name:m1/actions", Value::Null),
        ("GET", "machines/Name:m1/actions/increment", Value::Null),
        ("POST", "machines/Name:m1/actions/increment", json!({})),
        ("POST", "cows", json!({"Id": "bella"})),
        ("GET", "cows/elsie", Value::Null),
        ("DELETE", "cows/elsie", Value::Null),
        ("POST", "cows/elsie/params/xx", json!(1)),
        ("GET", "system/actions", Value::Null),
        ("GET", "system/actions/incrstatus", Value::Null),
        ("POST", "system/actions/incrstatus", json!({})),
        ("GET", "meta/machines/Name:m1", Value::Null),
        ("PATCH", "meta/machines/Name:m1", json!([])),
        ("GET", "prefs", Value::Null),
        ("POST", "prefs", json!({})),
        ("POST", "events", json!({"Type": "a", "Action": "b", "Key": "c"})),
        ("GET", "objects", Value::Null),
        ("GET", "interfaces", Value::Null),
        ("GET", "contents", Value::Null),
        ("GET", "contents/incrementer", Value::Null),
        ("POST", "contents", json!({"meta": {"Name": "x1"}, "sections": {}})),
        ("DELETE", "contents/incrementer", Value::Null),
        ("GET", "plugin_providers", Value::Null),
        ("GET", "plugin_providers/incrementer", Value::Null),
        ("GET", "plugin_providers/incrementer/binary", Value::Null),
        ("POST", "plugin_providers/x1", Value::Null),
        ("DELETE", "plugin_providers/incrementer", Value::Null),
        ("GET", "files", Value::Null),
        ("GET", "files/plugin_providers/incrementer/testFile", Value::Null),
        ("POST", "files/x1", Value::Null),
        ("DELETE", "files/plugin_providers/incrementer/testFile", Value::Null),
        ("GET", "isos", Value::Null),
        ("GET", "users/rocketskates", Value::Null),
        ("GET", "users/rocketskates/token", Value::Null),
        ("PUT", "users/rocketskates/password", json!({"Password": "x"})),
        ("GET", "backup", Value::Null),
        ("GET", "system/backup", Value::Null),
        ("GET", "system/status", Value::Null),
        ("POST", "system/shutdown", Value::Null),
    ] {
        let mut request = daemon.anonymous(method, &format!("/api/v3/{path}")).basic_auth("eve", Some("pw"));
        if !body.is_null() {
            request = request.json(&body);
        }
        let got = answer(request).await;
        // A list is there, with nothing in it.
        let closed = matches!(got.status, 403 | 404) || (got.status == 200 && got.text() == "[]");
        if !closed {
            open.push(format!("{method} {path}: {} {}", got.status, got.text()));
        }
    }
    assert!(open.is_empty(), "{open:#?}");
    assert_eq!(daemon.get("machines/Name:m1/params").await, json!({}));
    for list in ["machines", "users", "plugins", "cows"] {
        let got =
            answer(daemon.anonymous("GET", &format!("/api/v3/{list}")).basic_auth("eve", Some("pw"))).await;
        let own = if list == "users" { 1 } else { 0 };
        assert_eq!(
            (got.status, got.json().as_array().map(Vec::len)),
            (200, Some(own)),
            "{list}: {}",
            got.text()
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_may_always_do_everything() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "users", json!({"Name": "ann"})).await;
    let text = "User rocketskates is the last one that may do everything; give another user the role superuser first";
    refused(&daemon.call("DELETE", "/api/v3/users/rocketskates", Value::Null).await, 409, "DELETE", &[text]);
    daemon
        .expect(200, "PATCH", "users/ann", json!([{"op": "add", "path": "/Roles", "value": ["superuser"]}]))
        .await;
    daemon.expect(200, "DELETE", "users/rocketskates", Value::Null).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_that_do_not_exist_are_said() {
    let daemon = Daemon::start();
    let says = json!(["bob: Role nope (at 0) does not exist"]);
    let user = json!({"Name": "bob", "Roles": ["nope"]});
    let created = daemon.call("POST", "/api/v3/users", user.clone()).await;
    assert_eq!((created.status, &created.json()["Messages"]), (422, &says), "{}", created.text());
    daemon.expect(201, "POST", "users", json!({"Name": "bob"})).await;
    let changed = daemon.expect(200, "PUT", "users/bob", user).await;
    assert_eq!((&changed["Available"], &changed["Errors"]), (&json!(false), &says));
    daemon.expect(201, "POST", "roles", json!({"Name": "nope"})).await;
    let healed = |a: &drp_tests::daemon::Answer| a.json()["Available"] == true;
    assert_eq!(daemon.wait_for("users/bob", healed).await.json()["Errors"], json!([]));
}
