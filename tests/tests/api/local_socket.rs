//! The local socket of the command line: the kernel says who calls.

use crate::bad_input::NOBODY;
use bytes::Bytes;
use drp_tests::daemon::{Daemon, binary};
use drp_tests::peers::skipped;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;

pub async fn call(daemon: &Daemon, method: &str, path: &str) -> (u16, Vec<u8>) {
    let client: Client<hyperlocal::UnixConnector, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build(hyperlocal::UnixConnector);
    let uri: hyper::Uri = hyperlocal::Uri::new(&daemon.socket, path).into();
    let request =
        hyper::Request::builder().method(method).uri(uri).header("content-type", "application/json");
    let answer = client.request(request.body(Full::new(Bytes::new())).unwrap()).await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.into_body().collect().await.unwrap().to_bytes().to_vec())
}

fn json(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_needs_no_password() {
    let daemon = Daemon::start();
    assert_eq!(std::fs::metadata(&daemon.socket).unwrap().permissions().mode() & 0o777, 0o600);
    let (status, who) = call(&daemon, "GET", "/api/v3/whoami").await;
    assert_eq!(status, 200);
    assert!(json(&who)["Principal"].as_str().unwrap().starts_with("local:"));
    let (_, state) = call(&daemon, "GET", "/api/v3/system/status").await;
    let state = json(&state);
    assert_eq!((&state["State"], &state["Pid"]), (&json!("ready"), &json!(daemon.pid())));
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_else_is_told_why_not() {
    let daemon = Daemon::start();
    // The file's mode keeps others out already; the daemon does not rely on it.
    std::fs::set_permissions(&daemon.socket, PermissionsExt::from_mode(0o666)).unwrap();
    std::fs::set_permissions(daemon.base(), PermissionsExt::from_mode(0o755)).unwrap();
    let mut drp = std::process::Command::new(binary("drp"));
    drp.arg("--socket").arg(&daemon.socket).args(["machines", "list"]).uid(NOBODY).gid(NOBODY);
    let done = match drp.output() {
        Ok(done) if nix::unistd::geteuid().is_root() => done,
        _ => {
            return skipped(
                "another user who may run the build",
                "run the tests as root, in a directory all may read",
            );
        }
    };
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(!done.status.success() && said.contains("may not use the local socket"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_stops_when_asked_over_it_and_only_there() {
    let daemon = Daemon::start();
    let got = daemon.call("POST", "/api/v3/system/shutdown", Value::Null).await;
    assert_eq!(got.status, 403, "{}", got.text());
    let (status, _) = call(&daemon, "POST", "/api/v3/system/shutdown").await;
    assert_eq!(status, 202);
    let socket = daemon.socket.clone();
    let (status, log) = tokio::task::spawn_blocking(move || daemon.stop()).await.unwrap();
    assert!(status.success(), "{log}");
    assert!(!socket.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_a_store() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall"})).await;
    let content = json!({"meta": {"Name": "lamps"}, "sections": {"profiles": {"lamp": {"Name": "lamp"}}}});
    daemon.expect(201, "POST", "contents", content).await;
    for path in ["/api/v3/backup", "/api/v3/system/backup"] {
        let (status, bytes) = call(&daemon, "GET", path).await;
        assert_eq!(status, 200);
        assert!(bytes.starts_with(b"SQLite format 3\0"));
    }
    let (_, bytes) = call(&daemon, "GET", "/api/v3/backup").await;
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let backup = dir.path().join("backup");
    std::fs::write(&backup, bytes).unwrap();

    // Over a store that has something else, while its daemon runs, and once it does not.
    let base = dir.path().join("base");
    let other = Daemon::builder().base(&base).start();
    other.expect(201, "POST", "profiles", json!({"Name": "other"})).await;
    let restore = |file: &Path| {
        let mut drp = std::process::Command::new(binary("drp"));
        drp.arg("--base-root").arg(&base).arg("restore").arg(file).output().unwrap()
    };
    assert!(!restore(&backup).status.success(), "a running daemon keeps its store");
    assert!(other.stop().0.success());
    let noise = dir.path().join("noise");
    std::fs::write(&noise, "no database".repeat(1000)).unwrap();
    assert!(!restore(&noise).status.success());
    let done = restore(&backup);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let restored = Daemon::builder().base(&base).start();
    assert_eq!(restored.get("profiles/hall").await["Name"], "hall");
    assert_eq!(restored.get("profiles/lamp").await["Bundle"], "lamps");
    assert_eq!(restored.call("GET", "/api/v3/profiles/other", Value::Null).await.status, 404);
    assert!(base.join("drp.db.before-restore").exists());
    // What the first one put aside is not replaced by a second one.
    assert!(restored.stop().0.success());
    let aside = std::fs::read(base.join("drp.db.before-restore")).unwrap();
    assert!(restore(&backup).status.success());
    assert_eq!(std::fs::read(base.join("drp.db.before-restore")).unwrap(), aside);
    assert!(base.join("drp.db.before-restore.2").exists());
}
