//! Servers go on when plugin and daemon end, and what a crash left half is removed.

use crate::local_rig::{Rig, call};
use drp_tests::peers::wait_until;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

fn pid(info: &Value) -> Pid {
    Pid::from_raw(i32::try_from(info["pid"].as_i64().unwrap_or_else(|| panic!("{info}"))).unwrap())
}

/// Kills the plugin and waits until the daemon has started it anew.
async fn kill_plugin(rig: &Rig) {
    let of_plugin = |rig: &Rig| {
        std::fs::read_dir("/proc").unwrap().flatten().find_map(|entry| {
            let pid: i32 = entry.file_name().to_str()?.parse().ok()?;
            let line = std::fs::read(entry.path().join("cmdline")).ok()?;
            let text = String::from_utf8_lossy(&line).into_owned();
            let ours = text.contains("local-provider") && text.contains("listen");
            let parent = std::fs::read_to_string(entry.path().join("stat")).ok()?;
            let parent: i32 = parent.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()?;
            (ours && parent == rig.daemon.pid()).then_some(pid)
        })
    };
    let old = of_plugin(rig).expect("a plugin that runs");
    kill(Pid::from_raw(old), Signal::SIGKILL).unwrap();
    assert!(wait_until(Duration::from_secs(30), || of_plugin(rig).is_some_and(|new| new != old)));
    rig.daemon.wait_plugin("local-provider").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_outlive_plugin_and_daemon_and_dead_ones_are_told_from_stopped_ones() {
    let Some(rig) = Rig::start(json!({"max_servers": 1, "stop_timeout": 1})).await else { return };
    // The daemon's data outlive it here.
    let base = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
    let made = rig.create("bare", json!({})).await;
    let id = made["server_id"].as_str().unwrap().to_owned();
    let server = json!({"server_id": id});
    let qemu = pid(&rig.info(&id).await);
    let environ = std::fs::read(format!("/proc/{qemu}/environ")).unwrap();
    assert!(!String::from_utf8_lossy(&environ).contains("RS_"), "QEMU has the plugin's token");

    let config = json!({"hostname": "two", "plan": "tiny", "os": "bare"});
    assert!(
        rig.bad("create-server", json!({"config": config}), 409, "FULL").await.contains("max_servers is 1")
    );

    kill_plugin(&rig).await;
    assert_eq!((pid(&rig.info(&id).await), &rig.info(&id).await["status"]), (qemu, &json!("running")));

    let data = base.path().to_owned();
    let rig = rig
        .restart(|daemon| {
            let from = daemon.base().to_owned();
            copy(&from, &data);
            let (status, log) = daemon.stop();
            assert!(status.success(), "{log}");
            data
        })
        .await;
    assert_eq!((pid(&rig.info(&id).await), &rig.info(&id).await["status"]), (qemu, &json!("running")));

    let rig = rig.restart(drp_tests::daemon::Daemon::kill9).await;
    assert_eq!((pid(&rig.info(&id).await), &rig.info(&id).await["status"]), (qemu, &json!("running")));

    // One whose QEMU died was not stopped.
    kill(qemu, Signal::SIGKILL).unwrap();
    assert!(wait_until(Duration::from_secs(10), || {
        std::fs::read(format!("/proc/{qemu}/cmdline")).unwrap_or_default().is_empty()
    }));
    let dead = rig.info(&id).await;
    assert_eq!(dead["status"], "error", "{dead}");
    assert!(dead["message"].as_str().unwrap().contains("nobody had stopped it"));
    rig.good("start-server", server.clone()).await;
    let again = rig.info(&id).await;
    assert_eq!(again["status"], "running");
    assert_ne!(pid(&again), qemu);

    // Nothing has the power button here yet: the plug is pulled after the deadline.
    let stopped = rig.good("stop-server", server.clone()).await;
    assert_eq!(rig.info(&id).await["status"], "stopped", "{stopped}");

    // A process that has got the number since is not the server's.
    let foreign = std::process::Command::new("sleep").arg("60").spawn().unwrap();
    let path = rig.state().join("servers").join(&id).join("server.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap();
    record["run"] =
        json!({"pid": foreign.id(), "start": 1, "boot": boot.trim(), "accel": "tcg", "since": ""});
    std::fs::write(&path, record.to_string()).unwrap();
    assert_eq!(rig.info(&id).await["status"], "error");
    rig.good("delete-server", server).await;
    let mut foreign = foreign;
    assert!(foreign.try_wait().unwrap().is_none(), "a foreign process was ended");
    foreign.kill().unwrap();
    foreign.wait().unwrap();
    rig.is_empty().await;
}

/// The data of a daemon, without sockets.
fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap().flatten() {
        let (kind, target) = (entry.file_type().unwrap(), to.join(entry.file_name()));
        if kind.is_dir() {
            copy(&entry.path(), &target);
        } else if kind.is_file() {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_dies_while_it_makes_a_server_leaves_nothing_half() {
    let Some(rig) = Rig::start(json!({})).await else { return };
    // A QEMU that hesitates when it is to start a server.
    let slow = rig.dir.path().join("slow-qemu");
    let begun = rig.dir.path().join("begun");
    let script = format!(
        "#!/bin/sh\ncase \"$*\" in *-daemonize*) touch {}; while :; do sleep 0.2; done;; esac\nexec qemu-system-x86_64 \"$@\"\n",
        begun.display()
    );
    std::fs::write(&slow, script).unwrap();
    std::fs::set_permissions(&slow, std::fs::Permissions::from_mode(0o755)).unwrap();
    rig.configure(&json!({"qemu": slow, "max_servers": 3})).await;
    let config = json!({"hostname": "half", "plan": "tiny", "os": "bare"});
    let asked = call(&rig.daemon, "create-server", json!({"config": config}));
    let killed = async {
        for _ in 0..1200 {
            if begun.exists() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert!(begun.exists(), "{}", rig.daemon.log());
        let listed = rig.good("list-servers", json!({})).await;
        assert_eq!(listed[0]["status"], "creating", "{listed}");
        kill_plugin(&rig).await;
    };
    let (answer, ()) = tokio::join!(asked, killed);
    assert!(answer.status == 409 && answer.text().contains("SIGKILL"), "{}", answer.text());
    let gone = wait_until(Duration::from_secs(20), || {
        std::fs::read_dir(rig.state().join("servers")).unwrap().next().is_none()
    });
    assert!(gone, "{}", rig.daemon.log());
    rig.is_empty().await;

    // A QEMU that refuses leaves nothing either.
    let refusing: PathBuf = rig.dir.path().join("refusing-qemu");
    let script = "#!/bin/sh\ncase \"$*\" in *-daemonize*) echo 'no memory today' >&2; exit 1;; esac\nexec qemu-system-x86_64 \"$@\"\n";
    std::fs::write(&refusing, script).unwrap();
    std::fs::set_permissions(&refusing, std::fs::Permissions::from_mode(0o755)).unwrap();
    rig.configure(&json!({"qemu": refusing, "max_servers": 2})).await;
    let mut said = String::new();
    for _ in 0..100 {
        let config = json!({"hostname": "half", "plan": "tiny", "os": "bare"});
        said = rig.bad("create-server", json!({"config": config}), 502, "QEMU").await;
        if said.contains("no memory today") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(said.contains("no memory today"), "{said}");
    rig.is_empty().await;
}
