//! Start, status, stop, backup and restore of a daemon.

use crate::run::Drp;
use drp_tests::daemon::Daemon;

#[test]
fn a_daemon_is_stopped() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let daemon = Daemon::builder().base(base.path()).start();
    let pid = daemon.pid();
    assert_eq!(Drp::at(base.path(), ["status"]).json()["Pid"], pid);
    assert_eq!(Drp::at(base.path(), ["stop", "--dry-run"]).json()["Process"], pid);
    Drp::at(base.path(), ["stop"]).ok();
    let gone = std::fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|s| s.contains(") Z "));
    assert!(gone || !std::path::Path::new(&format!("/proc/{pid}")).exists());
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    Drp::at(base.path(), ["stop"]).fails(6);
    Drp::at(base.path(), ["status"]).fails(6);
    Drp::at(base.path(), ["stop", "--endpoint", "https://127.0.0.1:1"]).fails(2);
}

#[test]
fn a_backup_is_restored() {
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("backup.db").display().to_string();
    let daemon = Daemon::builder().base(base.path()).start();
    Drp::on(&daemon, ["machines", "create", "kept"]).ok();
    let bundle = r#"{"meta": {"Name": "lamps"}, "sections": {"profiles": {"hall": {"Name": "hall"}}}}"#;
    Drp::on(&daemon, ["contents", "create", bundle]).ok();
    let done = Drp::on(&daemon, ["backup", &file]).json();
    assert_eq!(done["size"], std::fs::metadata(&file).unwrap().len());
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600, "it holds secrets");
    Drp::on(&daemon, ["backup", &file]).fails(4);
    Drp::on(&daemon, ["machines", "create", "later"]).ok();
    let ran = Drp::on(&daemon, ["restore", &file]).fails(4);
    assert!(ran.hints().contains("drp stop"), "{ran:#?}");
    assert!(daemon.stop().0.success());

    let bad = dir.path().join("bad");
    std::fs::write(&bad, "not a database").unwrap();
    let ran = Drp::at(base.path(), ["restore", &bad.display().to_string()]).run();
    assert_ne!(ran.code, 0, "{ran:#?}");
    Drp::at(base.path(), ["restore", &file]).ok();
    let daemon = Daemon::builder().base(base.path()).start();
    Drp::on(&daemon, ["machines", "exists", "Name:kept"]).ok();
    Drp::on(&daemon, ["machines", "exists", "Name:later"]).fails(3);
    drop(daemon);

    // On a new host too: uploaded content is part of it.
    let fresh = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    Drp::at(fresh.path(), ["restore", &file]).ok();
    let daemon = Daemon::builder().base(fresh.path()).start();
    Drp::on(&daemon, ["machines", "exists", "Name:kept"]).ok();
    assert_eq!(Drp::on(&daemon, ["contents", "show", "lamps"]).json()["meta"]["Name"], "lamps");
    assert_eq!(Drp::on(&daemon, ["profiles", "show", "hall"]).json()["Bundle"], "lamps");
}

#[test]
fn a_daemon_that_cannot_start_says_why() {
    let daemon = Daemon::start();
    let port = daemon.api.rsplit(':').next().unwrap();
    let dir = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let base = dir.path().display().to_string();
    let ran = Drp::new([
        "serve",
        "--base-root",
        &base,
        "--bind",
        "127.0.0.1",
        "--api-port",
        port,
        "--static-port",
        "0",
    ])
    .fails(1);
    assert!(ran.err.contains(port), "{ran:#?}");
    let ran = Drp::new(["serve", "--base-root", &base, "--api-port", "x"]).fails(2);
    assert!(ran.err.contains("api-port"), "{ran:#?}");
}
