//! Nothing stays: whatever ends a command, its processes end too.

use crate::rig::{PLUGIN, Rig};
use drp_tests::daemon::processes_under;
use drp_tests::events::EventSocket;
use serde_json::json;
use std::path::Path;
use std::time::{Duration, Instant};

/// Waits until no process has the marker in its command line.
fn gone(marker: &Path) {
    let end = Instant::now() + Duration::from_secs(30);
    while !processes_under(marker).is_empty() {
        assert!(Instant::now() < end, "{:?}", processes_under(marker));
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_that_takes_too_long_is_ended_with_all_it_started() {
    let Some(rig) = Rig::start().await else { return };
    let marker = rig.extension.folder.path().join("marker-of-deadline");
    let params = json!({"marker": marker, "my-provider-provider/nushell-timeout": 5});
    let (code, messages) = rig.fails("hides", params).await;
    assert_eq!((code, messages[0].as_str()), (504, "hides took longer than 5 s, so it was ended"));
    gone(&marker);
    // One that ends leaves nothing behind either.
    let marker = rig.extension.folder.path().join("marker-of-end");
    assert_eq!(rig.ok("hides-and-ends", json!({"marker": marker})).await, json!("ended"));
    assert_eq!(processes_under(&marker), Vec::<String>::new());
    for wrong in [json!(0), json!(-1), json!("long"), json!(1_000_000)] {
        let params = json!({"marker": "x", "my-provider-provider/nushell-timeout": wrong});
        let (code, messages) = rig.fails("hides-and-ends", params).await;
        assert!(code == 400 && messages.join(" ").contains("nushell-timeout"), "{messages:?}");
    }
}

/// Starts a command that hides processes, and waits until they are hidden.
async fn hide(rig: &Rig, marker: &Path) -> tokio::task::JoinHandle<()> {
    let mut events = EventSocket::connect(&rig.daemon).await;
    events.register(&format!("extensions.progress.{PLUGIN}")).await;
    let path = format!("/api/v3/plugins/{PLUGIN}/actions/hides");
    let request = rig.daemon.request("POST", &path).json(&json!({"marker": marker}));
    let call = tokio::spawn(async move { drop(request.send().await) });
    events.until("extensions", "progress", PLUGIN).await;
    let end = Instant::now() + Duration::from_secs(30);
    while processes_under(marker).len() < 4 {
        assert!(Instant::now() < end, "{:?}", processes_under(marker));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    call
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_stops_ends_its_commands() {
    let Some(rig) = Rig::start().await else { return };
    let marker = rig.extension.folder.path().join("marker-of-stop");
    let call = hide(&rig, &marker).await;
    rig.daemon.expect(200, "DELETE", &format!("plugins/{PLUGIN}"), json!(null)).await;
    gone(&marker);
    call.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_is_killed_leaves_nothing() {
    let Some(rig) = Rig::start().await else { return };
    let marker = rig.extension.folder.path().join("marker-of-kill");
    let call = hide(&rig, &marker).await;
    let status = rig.daemon.get("system/status").await;
    let plugins = status["Plugins"].as_array().unwrap();
    let pid = plugins.iter().find(|plugin| plugin["Name"] == PLUGIN).unwrap()["Pid"].as_i64().unwrap();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap());
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL).unwrap();
    gone(&marker);
    call.await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_daemon_that_is_killed_leaves_nothing() {
    let Some(rig) = Rig::start().await else { return };
    let marker = rig.extension.folder.path().join("marker-of-daemon");
    let call = hide(&rig, &marker).await;
    drop(rig.daemon.kill9());
    gone(&marker);
    call.await.unwrap();
}
