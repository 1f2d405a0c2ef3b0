//! Start and end of a plugin process (wire-protocol §1.5, §1.10).

use crate::{binary, configured, launch};
use drp_plugin_testkit::{FakeDaemon, TestkitError};
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::json;
use std::{
    os::unix::{fs::PermissionsExt, net::UnixListener},
    process::{Command, Stdio},
    time::Duration,
};

#[tokio::test]
async fn the_socket_is_private_and_removed_at_the_end() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    let socket = plugin.socket().to_owned();
    assert_eq!(socket.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(plugin.stop().await.unwrap().success());
    assert!(!socket.exists());
    daemon.log_line("its last line", |l| l.message == "STOPPING").await.unwrap();
}

#[tokio::test]
async fn a_stale_socket_is_replaced_and_another_file_is_not() {
    let daemon = FakeDaemon::start().await.unwrap();
    drop(UnixListener::bind(daemon.path("p1.to.1")).unwrap());
    launch(&daemon).await.stop().await.unwrap();
    std::fs::write(daemon.path("p1.to.2"), "precious").unwrap();
    let Err(TestkitError::NotReady { why, stderr, .. }) = daemon.launch(binary(&daemon), "p1").await else {
        panic!("it listens on a file")
    };
    assert_eq!(why, "it said Failed");
    assert!(
        stderr.iter().any(|l| l.starts_with("Error: cannot listen on ") && l.contains("p1.to.2")),
        "{stderr:?}"
    );
    assert_eq!(std::fs::read_to_string(daemon.path("p1.to.2")).unwrap(), "precious");
}

#[tokio::test]
async fn stop_cancels_what_runs_and_answers_before_the_end() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = configured(&daemon).await;
    let (waiting, stopped) = tokio::join!(plugin.action("wait", json!({})), async {
        // The action must be there before the stop; it says nothing, so give it time to be read.
        tokio::time::sleep(Duration::from_millis(200)).await;
        plugin.post("/api-plugin/v4/stop", "null").await
    });
    assert_eq!(stopped.unwrap().success().unwrap()["Code"], 200);
    assert_eq!(waiting.unwrap().success().unwrap(), "cancelled");
    assert!(plugin.ended().await.unwrap().success());
    let told = daemon.event("the stop hook", |e| e.action == "stopped").await.unwrap();
    assert_eq!((told.key.as_str(), &told.object), ("p1", &json!(true)));
}

#[tokio::test]
async fn a_stop_that_is_written_slowly_is_answered() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = configured(&daemon).await;
    let mut stream = tokio::net::UnixStream::connect(plugin.socket()).await.unwrap();
    stream
        .write_all(b"POST /api-plugin/v4/stop HTTP/1.1\r\nHost: unix\r\nContent-Length: 4\r\n\r\n")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    stream.write_all(b"null").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(plugin.ended().await.unwrap().success());
}

#[tokio::test]
async fn a_stop_hook_that_takes_too_long_is_left_behind() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = launch(&daemon).await;
    plugin.config(json!({"probe/patterns": ["probe.slow.stop"]})).await.unwrap().success().unwrap();
    assert!(plugin.stop().await.unwrap().success());
    daemon.log_line("the complaint", |l| l.message.contains("the stop hook took longer")).await.unwrap();
}

#[tokio::test]
async fn sigterm_stops_in_order() {
    let daemon = FakeDaemon::start().await.unwrap();
    let mut plugin = configured(&daemon).await;
    plugin.signal(Signal::SIGTERM);
    assert!(plugin.ended().await.unwrap().success());
    assert!(daemon.events().iter().any(|e| e.action == "stopped"));
}

#[tokio::test]
async fn a_hook_runs_to_its_end_when_the_caller_hangs_up() {
    let daemon = FakeDaemon::start().await.unwrap();
    let plugin = configured(&daemon).await;
    let call = plugin.action("later", json!({}));
    assert!(tokio::time::timeout(Duration::from_millis(50), call).await.is_err(), "the caller hangs up");
    daemon.event("the end of the hook", |e| e.action == "ran").await.unwrap();
}

#[tokio::test]
async fn the_end_of_the_daemon_is_the_end_of_the_plugin() {
    let daemon = FakeDaemon::start().await.unwrap();
    let (to, from) = (daemon.path("orphan.to"), daemon.path("orphan.from"));
    let script =
        format!("{} listen {} {} & echo $!; wait", binary(&daemon).display(), to.display(), from.display());
    let mut parent = Command::new("sh").args(["-c", &script]).stdout(Stdio::piped()).spawn().unwrap();
    let pid = {
        use std::io::{BufRead, BufReader};
        let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
        let pid = lines.next().unwrap().unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), "READY!");
        Pid::from_raw(pid.parse().unwrap())
    };
    parent.kill().unwrap();
    parent.wait().unwrap();
    for _ in 0..200 {
        if !to.exists() && kill(pid, None).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    kill(pid, Signal::SIGKILL).unwrap();
    panic!("the plugin outlived its daemon");
}
