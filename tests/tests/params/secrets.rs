//! Where secrets are, and where they are not (wire-protocol §5).

use drp_tests::daemon::{Daemon, binary};
use drp_tests::events::EventSocket;
use serde_json::{Value, json};

const CANARY: &str = "canary-4711-secret";

async fn secure_param(daemon: &Daemon) {
    let param = json!({"Name": "door/code", "Secure": true, "Schema": {"type": "string", "maxLength": 30}});
    daemon.expect(201, "POST", "params", param).await;
}

/// Every way in which a secret can come, right and wrong; then events, logs, answers and the disk are searched.
#[tokio::test(flavor = "multi_thread")]
async fn no_event_log_error_or_file_shows_a_secret() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(dir.path()).plugin("incrementer").start();
    daemon.expect(201, "POST", "prefs", json!({"logLevel": "debug"})).await;
    let mut events = EventSocket::connect(&daemon).await;
    events.register("*.*.*").await;
    secure_param(&daemon).await;
    daemon.expect(201, "POST", "plugins", json!({"Name": "incrementer", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incrementer").await;
    let long = format!("{CANARY}{}", "x".repeat(30));
    let with = |value: Value| json!({"door/code": value});
    let machine = json!({"Name": "m1", "Params": with(json!(CANARY))});
    let content = json!({
        "meta": {"Name": "doors"},
        "sections": {"profiles": {"front": {"Name": "front", "Params": with(json!(CANARY))}}},
    });
    let patch =
        |value: &Value| json!([{"op": "add", "path": "/Params/door~1code", "from": "", "value": value}]);
    let of_params = |value: &Value| json!([{"op": "add", "path": "/door~1code", "from": "", "value": value}]);
    let failing = json!([{"op": "test", "path": "/Params/door~1code", "from": "", "value": CANARY}]);
    let calls = [
        (201, "POST", "machines", machine),
        (201, "POST", "contents", content),
        (200, "POST", "machines/Name:m1/params/door/code", json!(CANARY)),
        (200, "POST", "machines/Name:m1/params", with(json!(CANARY))),
        (200, "PATCH", "machines/Name:m1/params", of_params(&json!(CANARY))),
        (200, "PATCH", "machines/Name:m1", patch(&json!(CANARY))),
        (409, "POST", "machines/Name:m1/params/door/code", json!(long)),
        (409, "POST", "machines/Name:m1/params/door/code", json!({CANARY: CANARY})),
        (409, "POST", "machines/Name:m1/params", with(json!([CANARY]))),
        (409, "PATCH", "machines/Name:m1/params", of_params(&json!({"a": CANARY}))),
        (422, "PATCH", "machines/Name:m1", patch(&json!(long))),
        (409, "PATCH", "machines/Name:m1", failing),
        (
            409,
            "POST",
            "machines/Name:m1/params/door/code",
            json!({"Key": CANARY, "Nonce": CANARY, "Payload": CANARY}),
        ),
        (422, "POST", "machines", json!({"Name": "m2", "Params": with(json!(long))})),
        (400, "POST", "machines/Name:m1/actions/increment", with(json!(CANARY))),
        (406, "GET", &format!("machines?limit=x&door/code={CANARY}"), Value::Null),
        (
            200,
            "PATCH",
            "params/door/code",
            json!([{"op": "replace", "path": "/Secure", "from": "", "value": false}]),
        ),
        (
            200,
            "PATCH",
            "params/door/code",
            json!([{"op": "replace", "path": "/Secure", "from": "", "value": true}]),
        ),
        (200, "GET", "machines?aggregate=true", Value::Null),
        (200, "GET", "profiles/front", Value::Null),
        (200, "GET", "logs", Value::Null),
    ];
    for (status, method, path, body) in calls {
        let answer = daemon.call(method, &format!("/api/v3/{path}"), body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.text());
        // The log of requests names the query as it was sent.
        if path != "logs" {
            assert!(!answer.text().contains(CANARY), "{method} {path}: {}", answer.text());
        }
    }
    let opened = daemon.get("machines/Name:m1/params/door/code?decode=true").await;
    assert_eq!(opened, json!(CANARY), "it is there all the same");
    let mark = json!({"Type": "test", "Action": "end", "Key": "here"});
    daemon.expect(204, "POST", "events", mark).await;
    loop {
        let event = events.next().await;
        if event["Type"] == "log" {
            continue;
        }
        assert!(!event.to_string().contains(CANARY), "{event}");
        if event["Type"] == "test" {
            break;
        }
    }
    events.close().await;
    let (status, log) = tokio::task::spawn_blocking(move || daemon.stop()).await.unwrap();
    assert!(status.success(), "{log}");
    let told = log.lines().filter(|line| line.contains(CANARY) && !line.contains("limit=x"));
    assert_eq!(told.collect::<Vec<_>>(), Vec::<&str>::new());
    for file in std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file()) {
        let bytes = std::fs::read(&file).unwrap();
        let found = bytes.windows(CANARY.len()).any(|w| w == CANARY.as_bytes());
        assert!(!found, "{} holds the secret in plain", file.display());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_keeps_keys_and_a_restart_too() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let base = dir.path().join("base");
    let daemon = Daemon::builder().base(&base).start();
    secure_param(&daemon).await;
    daemon.expect(201, "POST", "endpoints", json!({"Id": "e:1", "Params": {"door/code": CANARY}})).await;
    daemon.expect(201, "POST", "machines", json!({"Name": "m1", "Params": {"door/code": CANARY}})).await;
    let pubkey = daemon.get("machines/Name:m1/pubkey").await;
    let backup = daemon.call("GET", "/api/v3/backup", Value::Null).await;
    assert_eq!(backup.status, 200);
    let file = dir.path().join("backup");
    std::fs::write(&file, &backup.bytes).unwrap();
    let check = async |daemon: &Daemon| {
        for path in ["machines/Name:m1", "endpoints/e:1"] {
            assert_eq!(
                daemon.get(&format!("{path}/params/door/code?decode=true")).await,
                json!(CANARY),
                "{path}"
            );
        }
        assert_eq!(daemon.get("machines/Name:m1/pubkey").await, pubkey);
    };
    daemon.kill9();
    let daemon = Daemon::builder().base(&base).start();
    check(&daemon).await;
    drop(daemon);
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    let mut restore = std::process::Command::new(binary("drp"));
    let restored = restore.arg("--base-root").arg(&other).arg("restore").arg(&file).output().unwrap();
    assert!(restored.status.success(), "{}", String::from_utf8_lossy(&restored.stderr));
    let daemon = Daemon::builder().base(&other).start();
    check(&daemon).await;
}
