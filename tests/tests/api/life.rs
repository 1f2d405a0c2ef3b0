//! Starting, stopping, starting again.

use drp_tests::daemon::{Daemon, answer, binary, processes_under};
use nix::sys::signal::Signal;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_start_makes_a_password_and_a_certificate() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).own_password().start();
    let file = base.path().join("admin-password");
    let password = std::fs::read_to_string(&file).unwrap().trim().to_owned();
    assert_eq!(mode(&file), 0o600);
    assert_eq!(mode(&base.path().join("tls/server.key")), 0o600);
    assert!(daemon.printed.iter().any(|line| line.contains(&password)), "{:?}", daemon.printed);
    let info = |d: &Daemon, password: &str| {
        answer(d.anonymous("GET", "/api/v3/info").basic_auth("rocketskates", Some(password)))
    };
    assert_eq!(info(&daemon, &password).await.status, 200);
    assert_eq!(info(&daemon, "r0cketsk8ts").await.status, 403);
    assert!(!daemon.log().contains(&password));
    let id = info(&daemon, &password).await.json()["id"].clone();
    let cert = std::fs::read(base.path().join("tls/server.crt")).unwrap();
    assert!(daemon.stop().0.success());

    let again = Daemon::builder().base(base.path()).own_password().start();
    assert!(again.printed.is_empty(), "{:?}", again.printed);
    let shown = info(&again, &password).await;
    assert_eq!((shown.status, &shown.json()["id"]), (200, &id));
    assert_eq!(std::fs::read(base.path().join("tls/server.crt")).unwrap(), cert);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_survives_a_kill() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    for n in 0..20 {
        daemon.expect(201, "POST", "profiles", json!({"Name": format!("p{n}"), "Params": {"num": n}})).await;
    }
    daemon.kill9();
    let daemon = Daemon::builder().base(base.path()).start();
    for n in 0..20 {
        assert_eq!(daemon.get(&format!("profiles/p{n}")).await["Params"]["num"], n);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_in_memory_forgets() {
    let base = tempfile::tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).arg("--backend").arg("memory:///").start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    assert!(daemon.stop().0.success());
    let daemon = Daemon::builder().base(base.path()).arg("--backend").arg("memory:///").start();
    assert_eq!(daemon.call("GET", "/api/v3/profiles/hall", Value::Null).await.status, 404);
    assert!(!base.path().join("drp.db").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_under_way_ends_before_the_daemon_does() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let tag = daemon.call("GET", "/api/v3/profiles/hall", Value::Null).await.header("etag").to_owned();
    let poll = daemon
        .request("GET", "/api/v3/profiles/hall")
        .header("if-none-match", tag)
        .header("prefer", "wait=1s");
    let poll = tokio::spawn(answer(poll));
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    let stopping = tokio::task::spawn_blocking(move || daemon.stop());
    assert_eq!(poll.await.unwrap().status, 304);
    assert!(stopping.await.unwrap().0.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_signal_ends_a_stop_that_takes_too_long() {
    let daemon = Daemon::builder().plugin("stress").start();
    let plugin = json!({"Name": "slow", "Provider": "stress", "Params": {"stress/stop": "hang"}});
    daemon.expect(201, "POST", "plugins", plugin).await;
    daemon.wait_plugin("slow").await;
    let base = daemon.base().to_owned();
    daemon.signal(Signal::SIGINT);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let began = Instant::now();
    let (status, log) = tokio::task::spawn_blocking(move || daemon.stop()).await.unwrap();
    assert!(status.success(), "{log}");
    assert!(log.contains("told again to stop"), "{log}");
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    let end = Instant::now() + Duration::from_secs(2);
    while !processes_under(&base).is_empty() {
        assert!(Instant::now() < end, "{:?}", processes_under(&base));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A provider that takes its time to define itself: the lamp of the tests behind a script.
fn slow_lamp(dir: &Path, seconds: u32) -> std::path::PathBuf {
    let script = dir.join("slow-lamp");
    let lamp = binary("drp-test-lamp");
    let text = format!("#!/bin/sh\n[ \"$1\" = define ] && sleep {seconds}\nexec {} \"$@\"\n", lamp.display());
    std::fs::write(&script, text).unwrap();
    std::fs::set_permissions(&script, std::fs::Permissions::from_mode(0o755)).unwrap();
    script
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_done_before_it_is_known_what_is_secret() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let lamp = slow_lamp(base.path(), 3);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let builder = Daemon::builder().base(base.path()).plugin_file("lamp", lamp);
    let starting =
        tokio::task::spawn_blocking(move || builder.arg("--api-port").arg(port.to_string()).start());
    let http = reqwest::Client::builder().tls_danger_accept_invalid_certs(true).build().unwrap();
    let request = |method: &str, path: &str| {
        let url = format!("https://127.0.0.1:{port}{path}");
        http.request(method.parse().unwrap(), url).basic_auth("rocketskates", Some("r0cketsk8ts"))
    };
    let end = Instant::now() + Duration::from_secs(30);
    while request("GET", "/livez").send().await.is_err() {
        assert!(Instant::now() < end);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(answer(request("GET", "/readyz")).await.status, 503);
    assert_eq!(answer(request("GET", "/readyz")).await.header("retry-after"), "1");
    assert_eq!(answer(request("GET", "/api/v3/info")).await.status, 200);
    assert_eq!(answer(request("GET", "/api/v3/system/status")).await.json()["State"], "starting");

    // Over both ways in: who comes early waits, and then finds everything as it should be.
    let machine = json!({"Name": "m1", "Params": {"lamp/code": "canary-early"}});
    let created = answer(request("POST", "/api/v3/machines").json(&machine));
    let socket = base.path().join("drp.sock");
    let local = reqwest::Client::builder().unix_socket(socket).build().unwrap();
    let offered = answer(local.get("http://localhost/api/v3/system/actions"));
    let ran = answer(request("POST", "/api/v3/system/actions/settings").json(&json!({})));
    let (created, offered, ran) = tokio::join!(created, offered, ran);
    assert_eq!(answer(request("GET", "/readyz")).await.status, 200);
    assert_eq!(created.status, 201, "{}", created.text());
    assert!(!created.text().contains("canary-early"), "sealed at once: {}", created.text());
    assert_eq!((offered.status, ran.status), (200, 200), "{} {}", offered.text(), ran.text());
    let daemon = starting.await.unwrap();
    let kept = std::fs::read(base.path().join("drp.db-wal")).unwrap_or_default();
    assert!(!kept.windows(12).any(|w| w == b"canary-early"));
    drop(daemon);
}
