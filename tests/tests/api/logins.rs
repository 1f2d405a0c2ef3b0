//! Passwords that are wrong too often, and passwords that a plugin checks (wire-protocol §3.2).

use crate::refused;
use drp_tests::daemon::{Answer, Daemon, USER, answer};
use serde_json::{Value, json};

async fn login(daemon: &Daemon, user: &str, password: &str) -> Answer {
    let path = format!("/api/v3/users/{user}/token");
    answer(daemon.anonymous("GET", &path).basic_auth(user, Some(password))).await
}

async fn somebody(daemon: &Daemon, name: &str) {
    daemon.expect(201, "POST", "users", json!({"Name": name})).await;
    daemon.expect(200, "PUT", &format!("users/{name}/password"), json!({"Password": "right"})).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_are_counted() {
    let daemon = Daemon::builder().arg("--login-failures=3").arg("--login-failures-source=6").start();
    somebody(&daemon, "ann").await;
    somebody(&daemon, "bob").await;
    let token = daemon.get("users/ann/token").await["Token"].as_str().unwrap().to_owned();
    for remaining in ["2", "1", "0"] {
        let got = login(&daemon, "ann", "wrong").await;
        assert_eq!((got.status, got.bytes.len()), (403, 0), "{}", got.text());
        assert_eq!((got.header("ratelimit-limit"), got.header("ratelimit-remaining")), ("3", remaining));
        assert_eq!(got.header("ratelimit-policy"), "3;w=60");
    }
    // Now not even the right one is looked at: it would tell which one it is.
    for password in ["wrong", "right"] {
        let got = login(&daemon, "ann", password).await;
        let wait: u64 = got.header("retry-after").parse().unwrap();
        assert!((1..=20).contains(&wait), "{wait}");
        assert_eq!(got.header("ratelimit-reset"), wait.to_string());
        let text = format!("Too many failed logins from 127.0.0.1; try again in {wait} s");
        refused(&got, 429, "AUTH", &[&text]);
    }
    // Who is in stays in, and others get in.
    assert_eq!(answer(daemon.anonymous("GET", "/api/v3/info").bearer_auth(&token)).await.status, 200);
    assert_eq!(login(&daemon, "bob", "right").await.status, 200);
    // From here there are three left, whoever it is.
    for name in ["x1", "x2", "x3"] {
        assert_eq!(login(&daemon, name, "wrong").await.status, 403);
    }
    assert_eq!(login(&daemon, "x4", "wrong").await.status, 429);
    // A password that was right a moment ago still is.
    assert_eq!(login(&daemon, "bob", "right").await.status, 200);
    assert!(daemon.get("info").await["arch"].is_string());
    assert_eq!(login(&daemon, "bob", "wrong").await.status, 429);
    // The local socket asks for no password.
    assert_eq!(crate::local_socket::call(&daemon, "GET", "/api/v3/whoami").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_tries_at_once_are_as_many_as_one_after_the_other() {
    let daemon = Daemon::builder().arg("--login-failures=5").start();
    somebody(&daemon, "ann").await;
    let tries = (0..20).map(|_| login(&daemon, "ann", "wrong"));
    let statuses: Vec<u16> = futures_util::future::join_all(tries).await.iter().map(|a| a.status).collect();
    assert_eq!(statuses.iter().filter(|s| **s == 403).count(), 5, "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| **s == 429).count(), 15, "{statuses:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_checks_passwords() {
    let daemon = Daemon::builder().plugin("drp-test-door").arg("--login-failures=0").start();
    daemon.wait_plugin("drp-test-door").await;
    let reader =
        json!({"Name": "reader", "Claims": [{"scope": "machines", "action": "list", "specific": "*"}]});
    daemon.expect(201, "POST", "roles", reader).await;
    // Nobody here knows her; the directory does, in any case.
    let first = login(&daemon, "Dora", "canary-door").await;
    let needs = "Requires: users token Dora";
    refused(&first, 403, "AUTH", &["Cannot access /api/v3/users/Dora/token", needs]);
    let got = login(&daemon, "dora", "canary-door").await;
    let token = got.json()["Token"].as_str().unwrap().to_owned();
    let user = daemon.get("users/dora").await;
    let kept = json!([user["Roles"], user["Meta"]["auth-method"], user["Description"]]);
    assert_eq!(kept, json!([["reader"], "drp-test-door", "of the directory"]));
    let with = |path: &str| daemon.anonymous("GET", path).bearer_auth(&token);
    assert_eq!(answer(with("/api/v3/machines")).await.json(), json!([]));
    assert_eq!(answer(with("/api/v3/whoami")).await.json()["Principal"], "user:dora");
    // Roles are what the directory says, at the next login that asks it.
    let none = json!([{"op": "replace", "path": "/Roles", "value": []}]);
    daemon.expect(200, "PATCH", "users/dora", none).await;
    assert_eq!(login(&daemon, "dora", "canary-door").await.status, 200);
    assert_eq!(daemon.get("users/dora").await["Roles"], json!(["reader"]));
    // A password here is none for her.
    daemon.expect(200, "PUT", "users/dora/password", json!({"Password": "here"})).await;
    for (user, password, status) in [
        ("dora", "here", 403),
        ("dora", "wrong", 403),
        ("nobody", "canary-door", 403),
        ("odd", "canary-door", 403),
        // It may not say that somebody is a user whose password is checked here.
        ("impostor", "canary-door", 403),
        (USER.0, "canary-door", 403),
        (USER.0, USER.1, 200),
    ] {
        let got = login(&daemon, user, password).await;
        assert_eq!(got.status, status, "{user} {password}: {}", got.text());
    }
    let got = login(&daemon, "rolf", "canary-door").await;
    let text = "plugin drp-test-door gave the user rolf, who cannot be kept: rolf: Role nowhere (at 0) does not exist";
    refused(&got, 503, "AUTH", &[text]);
    for (user, password) in [("broken", "canary-door"), ("dora", "canary-slow")] {
        let got = login(&daemon, user, password).await;
        let text =
            format!("plugin drp-test-door, which checks the password of {user}, does not answer; try again");
        refused(&got, 503, "AUTH", &[&text]);
        assert_eq!(got.header("retry-after"), "1");
    }
    // Without the plugin nobody vouches for her.
    daemon.expect(200, "DELETE", "plugins/drp-test-door", Value::Null).await;
    daemon.wait_for("system/actions", |a| a.json() == json!([])).await;
    assert_eq!(login(&daemon, "nobody", "canary-door").await.status, 403);
    let own = daemon.expect(200, "PUT", "users/dora/password", json!({"Password": "again"})).await;
    assert_eq!((own["Name"].as_str(), login(&daemon, "dora", "again").await.status), (Some("dora"), 403));
    // Its password is nowhere: not in the log, not in what the API keeps, not on the disk.
    let said = format!("{} {} {}", daemon.log(), daemon.get("logs").await, daemon.get("audit").await);
    assert!(said.contains("dora") && !said.contains("canary"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_event_of_a_login_has_no_password() {
    let daemon = Daemon::builder().plugin("drp-test-door").start();
    daemon.wait_plugin("drp-test-door").await;
    let mut socket = drp_tests::events::EventSocket::connect(&daemon).await;
    socket.register("*.*.*").await;
    login(&daemon, "nobody", "canary-door").await;
    loop {
        let event = socket.next().await;
        assert!(!event.to_string().contains("canary"), "{event}");
        if event["Type"] == "system" {
            assert_eq!((&event["Action"], &event["Key"]), (&json!("authenticate"), &json!("global")));
            assert_eq!(event["Object"]["Params"], json!({"auth/username": "nobody"}));
            break;
        }
    }
}

/// A hash as Python's standard library makes it (`N$r$p$salt$hash` in hex).
const MAKE: &str = "
import hashlib, os, sys
salt = os.urandom(16)
hashed = hashlib.scrypt(sys.argv[1].encode(), salt=salt, n=16384, r=8, p=1, maxmem=1 << 26, dklen=32)
print(f'16384$8$1${salt.hex()}${hashed.hex()}')
";

/// Whether one of the hashes in a file is that of a password.
const FIND: &str = "
import hashlib, re, sys
for found in re.finditer(rb'(\\d+)\\$(\\d+)\\$(\\d+)\\$([0-9a-f]{32})\\$([0-9a-f]{64})', open(sys.argv[2], 'rb').read()):
    n, r, p, salt, hashed = (part.decode() for part in found.groups())
    got = hashlib.scrypt(sys.argv[1].encode(), salt=bytes.fromhex(salt), n=int(n), r=int(r), p=int(p), maxmem=1 << 26, dklen=32)
    if got.hex() == hashed:
        print('found')
";

fn python(script: &str, args: &[&str]) -> String {
    let output = std::process::Command::new("python3").arg("-c").arg(script).args(args).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn hashes_are_those_of_another_implementation() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    if drp_tests::peers::find_program("python3").is_none() {
        return drp_tests::peers::skipped("python3", "run tests/setup.sh");
    }
    let daemon = Daemon::start();
    let hash = STANDARD.encode(python(MAKE, &["grüße aus Python"]));
    daemon.expect(201, "POST", "users", json!({"Name": "ann", "PasswordHash": hash})).await;
    assert_eq!(login(&daemon, "ann", "grüße aus Python").await.status, 200);
    assert_eq!(login(&daemon, "ann", "grüße").await.status, 403);
    daemon.expect(200, "PUT", "users/ann/password", json!({"Password": "grüße aus Rust"})).await;
    let copy = daemon.base().join("copy.db");
    let backup = daemon.anonymous("GET", "/api/v3/backup").basic_auth(USER.0, Some(USER.1));
    std::fs::write(&copy, answer(backup).await.bytes).unwrap();
    let copy = copy.to_str().unwrap();
    assert_eq!(python(FIND, &["grüße aus Rust", copy]), "found");
    assert_eq!(python(FIND, &["grüße aus Python", copy]), "");
}
