//! What is wrong is named, and nothing is lost.

use crate::{exchanges, refused, run};
use drp_tests::daemon::{Builder, Daemon, answer, binary};
use drp_tests::peers::skipped;
use serde_json::json;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;

/// The user `nobody`.
pub const NOBODY: u32 = 65_534;

fn refuses(builder: Builder, says: &[&str]) {
    let log = builder.try_start().map(drop).expect_err("it must not start");
    for text in says {
        assert!(log.contains(text), "{text:?} is not in:\n{log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_make_no_sense() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "profiles", json!({"Name": "hall", "Description": "kept"})).await;
    let raw = |method: &str, path: &str, body: Vec<u8>| {
        answer(daemon.request(method, path).header("content-type", "application/json").body(body))
    };
    for (method, path) in [
        ("POST", "/api/v3/profiles"),
        ("PUT", "/api/v3/profiles/hall"),
        ("PATCH", "/api/v3/profiles/hall"),
        ("POST", "/api/v3/profiles/hall/params"),
        ("POST", "/api/v3/profiles/hall/params/xx"),
        ("PATCH", "/api/v3/profiles/hall/params"),
        ("PATCH", "/api/v3/meta/profiles/hall"),
        ("POST", "/api/v3/prefs"),
        ("POST", "/api/v3/events"),
        ("POST", "/api/v3/contents"),
        ("PUT", "/api/v3/users/rocketskates/password"),
    ] {
        for body in ["{\"Name\": ", "", "\u{0}", "{\"Name\":\"a\"}}"] {
            let got = raw(method, path, body.into()).await;
            assert_eq!(got.status, 400, "{method} {path} {body:?}: {}", got.text());
            assert_eq!(got.json()["Code"], 400);
        }
    }
    run(
        &daemon,
        exchanges! {
            POST "profiles" json!([1]) => 400;
            POST "profiles" json!({"Name": 1}) => 400;
            POST "profiles" json!({"Name": "x1", "Params": []}) => 400;
            PATCH "profiles/hall" json!({"op": "add"}) => 400;
            PATCH "profiles/hall" json!([{"op": "frobnicate", "path": "/x"}]) => 400;
            PATCH "profiles/hall" json!([{"op": "replace", "path": "/Description", "value": 7}]) => 406;
            POST "profiles/hall/params" json!([]) => 400;
            POST "prefs" json!({"logLevel": 1}) => 400;
            GET "profiles/hall" => 200 json!({"Description": "kept"});
        },
    )
    .await;
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(raw("POST", "/api/v3/profiles/hall/params/xx", deep.into()).await.status, 400);
    let large = raw("POST", "/api/v3/profiles", vec![b' '; (16 << 20) + 1]).await;
    refused(&large, 413, "POST", &["The body is larger than 16777216 bytes"]);
    // A hundred megabytes of unknown length.
    let pieces = (0..100).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20]));
    let chunked = daemon.request("POST", "/api/v3/profiles").header("content-type", "application/json");
    let chunked = chunked.body(reqwest::Body::wrap_stream(futures_util::stream::iter(pieces)));
    refused(&answer(chunked).await, 413, "POST", &["The body is larger than 16777216 bytes"]);
    assert_eq!(daemon.get("profiles/hall").await["Description"], "kept");
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_names() {
    let daemon = Daemon::start();
    daemon.expect(201, "POST", "machines", json!({"Name": "m1"})).await;
    run(&daemon, exchanges! {
        GET "machines/Nothing:x" => 404 json!({"Messages": ["Not Found"]});
        GET "plugins/none" => 404;
        GET "plugin_providers/none" => 404 json!({"Type": "GET", "Messages": ["Not Found"]});
        DELETE "plugin_providers/none" => 404;
        GET "plugin_providers/none/binary" => 404;
        POST "machines/Name:m1/actions/none" json!({}) => 400 json!({"Type": "INVOKE", "Model": "machines", "Key": "Name:m1", "Messages": ["Action none on machines: Not Found"]});
        POST "machines/Name:m1/actions/none?plugin=p" json!({}) => 400 json!({"Messages": ["Action none on machines for plugin p not found"]});
        POST "machines/none/actions/none" json!({}) => 404 json!({"Type": "POST", "Messages": ["Not Found"]});
        GET "machines/Name:m1/actions/none" => 404 json!({"Type": "GET", "Messages": ["none: Not Found"]});
        GET "users/nobody/token" => 404;
        PUT "users/nobody/password" json!({"Password": "x"}) => 404;
        GET "plugin-apis/none/x" => 404;
    }).await;
}

#[test]
fn an_occupied_port_is_named() {
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    refuses(Daemon::builder().arg("--api-port").arg(&port), &[&format!("127.0.0.1:{port}"), "--api-port"]);
    refuses(
        Daemon::builder().arg("--static-port").arg(&port),
        &[&format!("127.0.0.1:{port}"), "--static-port"],
    );
}

#[test]
fn a_base_root_has_one_daemon() {
    let daemon = Daemon::start();
    let pid = daemon.pid().to_string();
    refuses(Daemon::builder().base(daemon.base()), &[&pid, "drp stop"]);
}

#[test]
fn bad_settings_are_said_all_at_once() {
    let bad = Daemon::builder().arg("--api-port=many").arg("--static-ip=nowhere").arg("--log-format=xml");
    refuses(bad, &["api-port", "many", "static-ip", "nowhere", "log-format", "xml"]);
}

#[test]
fn bad_certificates_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let (cert, key) = (dir.path().join("c.pem"), dir.path().join("k.pem"));
    let made = |cert_path: &std::path::Path, key_path: &std::path::Path, last: i32| {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2000, 1, 1);
        params.not_after = rcgen::date_time_ymd(last, 1, 1);
        let pair = rcgen::KeyPair::generate().unwrap();
        std::fs::write(cert_path, params.self_signed(&pair).unwrap().pem()).unwrap();
        std::fs::write(key_path, pair.serialize_pem()).unwrap();
    };
    let start = || {
        let tls = |flag: &str, path: &std::path::Path| format!("--{flag}={}", path.display());
        Daemon::builder().arg(tls("tls-cert", &cert)).arg(tls("tls-key", &key))
    };
    refuses(start(), &["c.pem", "No such file"]);
    made(&cert, &key, 2001);
    refuses(start(), &["c.pem", "expired"]);
    made(&cert, &key, 2100);
    made(&cert, &dir.path().join("other.pem"), 2100);
    refuses(start(), &["c.pem", "k.pem", "do not belong together"]);
    std::fs::write(&cert, "noise").unwrap();
    refuses(start(), &["c.pem", "no certificate in it"]);
    made(&cert, &key, 2100);
    drop(start().start());
}

#[test]
fn directories_that_cannot_be_used_are_named() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    refuses(
        Daemon::builder().arg(format!("--plugin-root={}", file.display())),
        &["plugin directory", "file"],
    );
    refuses(
        Daemon::builder().arg(format!("--backend={}", dir.path().display())),
        &["store", &dir.path().display().to_string()],
    );
    std::fs::write(
        dir.path().join("noise.db"),
        "this is no database, but it is long enough to be looked at ".repeat(50),
    )
    .unwrap();
    refuses(Daemon::builder().arg(format!("--backend={}/noise.db", dir.path().display())), &["noise.db"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_plugin_directory_is_named() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let plugins = dir.path().join("closed");
    std::fs::create_dir(&plugins).unwrap();
    std::fs::set_permissions(&plugins, PermissionsExt::from_mode(0o000)).unwrap();
    let mut builder = Daemon::builder().arg(format!("--plugin-root={}", plugins.display()));
    if std::fs::read_dir(&plugins).is_ok() {
        // Root reads everything, so the daemon runs as somebody else, who must reach its executable.
        let there =
            std::process::Command::new(binary("drp")).arg("--version").uid(NOBODY).gid(NOBODY).status();
        if !there.is_ok_and(|status| status.success()) {
            return skipped("another user who may run the build", "build in a directory that all may read");
        }
        builder = builder.uid(NOBODY);
    }
    refuses(builder, &["plugin directory", "closed", "Permission denied"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_nothing_is_lost() {
    let dir = tempfile::tempdir_in("/tmp").unwrap();
    let mount = nix::mount::mount(
        Some("tmpfs"),
        dir.path(),
        Some("tmpfs"),
        nix::mount::MsFlags::empty(),
        Some("size=7m"),
    );
    if let Err(error) = mount {
        return skipped(
            "a small file system",
            &format!("cannot mount a tmpfs ({error}); run the tests as root"),
        );
    }
    let unmount = Unmount(dir.path().to_owned());
    let ballast = dir.path().join("ballast");
    std::fs::write(&ballast, vec![1; 1 << 20]).unwrap();
    let daemon = Daemon::builder().base(dir.path()).start();
    let text = "x".repeat(200_000);
    let mut kept = Vec::new();
    let refusal = loop {
        let name = format!("p{}", kept.len());
        let got = daemon.call("POST", "/api/v3/profiles", json!({"Name": name, "Documentation": text})).await;
        if got.status != 201 {
            break got;
        }
        kept.push(name);
        assert!(kept.len() < 100, "the disk never fills");
    };
    assert!(refusal.status >= 500, "{}", refusal.text());
    assert!(
        refusal.text().to_lowercase().contains("full") || refusal.text().contains("space"),
        "{}",
        refusal.text()
    );
    for name in &kept {
        assert_eq!(daemon.get(&format!("profiles/{name}")).await["Name"], *name);
    }
    let upload = daemon
        .request("POST", "/api/v3/files/big")
        .header("content-type", "application/octet-stream")
        .body(vec![1; 8 << 20]);
    let got = answer(upload).await;
    assert_eq!(got.status, 507, "{}", got.text());
    assert_eq!(
        daemon.get("files").await.as_array().unwrap().iter().filter(|n| **n == json!("big")).count(),
        0
    );
    daemon.kill9();
    // Somebody makes room.
    std::fs::remove_file(&ballast).unwrap();
    let daemon = Daemon::builder().base(dir.path()).start();
    assert!(!kept.is_empty());
    for name in &kept {
        let got = daemon.get(&format!("profiles/{name}")).await;
        assert!(got["Name"] == *name && got["Documentation"] == text, "{name} was acknowledged");
    }
    assert_eq!(daemon.get("profiles?Name=Re(^p[0-9])").await.as_array().unwrap().len(), kept.len());
    daemon.expect(201, "POST", "profiles", json!({"Name": "room"})).await;
    drop(daemon);
    drop(unmount);
}

struct Unmount(std::path::PathBuf);

impl Drop for Unmount {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(&self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}
