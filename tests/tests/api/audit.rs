//! The audit log: who did what, from where, on which object, with which request, and how it ended.

use crate::refused;
use drp_tests::daemon::{Daemon, answer};
use serde_json::{Value, json};

/// Entries as short lines, without those of the set-up.
fn short(entries: &Value) -> Vec<String> {
    let text = |entry: &Value, name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let line = |e: &Value| {
        let parts = ["Who", "Action", "Scope", "Key", "Outcome", "Detail"].map(|name| text(e, name));
        format!("{} {}", parts.join(" ").trim_end(), e["Status"])
    };
    entries.as_array().unwrap().iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_who_did_what() {
    let daemon = Daemon::builder().plugin("incrementer").start();
    daemon.expect(201, "POST", "plugins", json!({"Name": "incr", "Provider": "incrementer"})).await;
    daemon.wait_plugin("incr").await;
    let machine = daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    let id = machine["Uuid"].as_str().unwrap();
    daemon.expect(201, "POST", "users", json!({"Name": "ann"})).await;
    daemon.expect(200, "PUT", "users/ann/password", json!({"Password": "canary-1"})).await;
    let promote = json!([{"op": "add", "path": "/Roles/-", "value": "superuser"}]);
    daemon.expect(200, "PATCH", "users/ann", promote).await;
    daemon.get("users/ann/token?ttl=60").await;
    daemon.expect(201, "POST", "prefs", json!({"systemGrantorSecret": "canary-2", "logLevel": "info"})).await;
    daemon.expect(201, "POST", "contents", json!({"meta": {"Name": "c1"}, "sections": {}})).await;
    daemon.expect(200, "POST", "machines/Name:m1/params/secret", json!("canary-3")).await;
    daemon.wait_plugin("incr").await;
    daemon.expect(200, "POST", "machines/Name:m1/actions/increment", json!({})).await;
    daemon.call("POST", "/api/v3/plugin_providers/bad", json!("canary-4")).await;
    let ann = |password: &'static str| {
        daemon.anonymous("DELETE", "/api/v3/users/bob").basic_auth("ann", Some(password))
    };
    answer(ann("canary-5")).await;
    answer(ann("canary-1").header("x-log-token", "ticket-7").header("x-log-request", "info")).await;
    answer(daemon.anonymous("GET", "/api/v3/info").bearer_auth("canary-6")).await;
    let all = daemon.get("audit").await;
    let lines = short(&all);
    let me = "user:rocketskates";
    let expected = [
        format!("{me} login users rocketskates ok 200"),
        format!("{me} create machines {id} ok 201"),
        format!("{me} create users ann ok 201"),
        format!("{me} password users ann ok 200"),
        format!("{me} update users ann ok update:/Roles/- 200"),
        format!("{me} token users ann ok 200"),
        format!("{me} post preferences  ok logLevel systemGrantorSecret 201"),
        format!("{me} create contents c1 ok 201"),
        format!("{me} update machines {id} ok update:/Params/secret 200"),
        format!("{me} action:increment machines {id} ok 200"),
        format!("{me} create plugin_providers bad failed 415"),
        "user:ann login users ann refused unknown user or wrong password 403".to_owned(),
        "user:ann login users ann ok 200".to_owned(),
        "user:ann delete users bob failed 404".to_owned(),
    ];
    let mut rest = lines.iter();
    for want in &expected {
        assert!(rest.any(|line| line == want), "{want} is not where it belongs in {lines:#?}");
    }
    assert!(
        lines.iter().any(|line| line.contains("login users  refused malformed, forged or expired token 403"))
    );
    assert!(!all.to_string().contains("canary"), "{all}");
    let seqs: Vec<u64> = all.as_array().unwrap().iter().map(|e| e["Seq"].as_u64().unwrap()).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).collect::<Vec<_>>());
    for (query, want) in [
        ("request=ticket-7", vec!["user:ann login users ann ok 200", "user:ann delete users bob failed 404"]),
        ("scope=contents", vec!["user:rocketskates create contents c1 ok 201"]),
        (
            "who=user:ann&outcome=refused",
            vec!["user:ann login users ann refused unknown user or wrong password 403"],
        ),
        ("since=2999-01-01T00:00:00Z", vec![]),
        ("who=user:ann&limit=1", vec!["user:ann delete users bob failed 404"]),
    ] {
        assert_eq!(short(&daemon.get(&format!("audit?{query}")).await), want, "{query}");
    }
    assert_eq!(all[0]["From"], "127.0.0.1");
    assert_eq!(crate::local_socket::call(&daemon, "DELETE", "/api/v3/users/bob").await.0, 404);
    let last = daemon.get("audit?limit=1").await;
    assert!(last[0]["From"] == "local" && last[0]["Who"].as_str().unwrap().starts_with("local:"), "{last}");
    for query in ["limit=many", "since=yesterday"] {
        assert_eq!(daemon.call("GET", &format!("/api/v3/audit?{query}"), Value::Null).await.status, 406);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_outlives_a_daemon_that_is_killed() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let mut last = 0;
    for round in 0..3 {
        let daemon = Daemon::builder().base(base.path()).start();
        for n in 0..5 {
            daemon.expect(201, "POST", "profiles", json!({"Name": format!("p{round}-{n}")})).await;
        }
        daemon.kill9();
        let text = std::fs::read_to_string(base.path().join("audit.log")).unwrap();
        let entry: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
        assert_eq!(
            (&entry["Action"], &entry["Key"]),
            (&json!("create"), &json!(format!("p{round}-4"))),
            "{text}"
        );
        assert!(entry["Seq"].as_u64().unwrap() > last);
        last = entry["Seq"].as_u64().unwrap();
    }
    let mode = std::os::unix::fs::PermissionsExt::mode(
        &std::fs::metadata(base.path().join("audit.log")).unwrap().permissions(),
    );
    assert_eq!(mode & 0o777, 0o600);
    let daemon = Daemon::builder().base(base.path()).start();
    let made = daemon.get("audit?action=create&scope=profiles").await;
    assert_eq!(made.as_array().unwrap().len(), 15);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_is_told_and_reading_it_needs_a_claim() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "users", json!({"Name": "eve"})).await;
    daemon.expect(200, "PUT", "users/eve/password", json!({"Password": "pw"})).await;
    let eve = |method, path| daemon.anonymous(method, path).basic_auth("eve", Some("pw"));
    let got = answer(eve("GET", "/api/v3/audit")).await;
    refused(&got, 403, "AUTH", &["Cannot access /api/v3/audit", "Requires: audit list "]);
    answer(eve("DELETE", "/api/v3/machines/x")).await;
    let told = short(&daemon.get("audit?who=user:eve").await);
    assert_eq!(
        told,
        [
            "user:eve login users eve ok 200",
            "user:eve list audit  refused 403",
            "user:eve delete machines x refused 403"
        ]
    );
    let none = Daemon::builder().arg("--audit-size=0").start();
    none.expect(201, "POST", "users", json!({"Name": "eve"})).await;
    assert_eq!(none.get("audit").await, json!([]));
    assert!(!none.base().join("audit.log").exists());
}
