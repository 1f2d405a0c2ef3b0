//! Nothing outlives its owner (promise P2).

use crate::bench::{Bench, Recorder, alive, holds, limits, write_plugin};
use drp_host::InstanceState;
use drp_protocol::Plugin;
use serde_json::json;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

async fn forked(bench: &Bench) -> Vec<u64> {
    let pids = bench.act("lamp", "fork", json!({})).await.unwrap();
    let pids: Vec<u64> = pids.as_array().unwrap().iter().map(|p| p.as_u64().unwrap()).collect();
    assert_eq!(pids.len(), 11);
    pids
}

fn all_gone(pids: &[u64]) -> bool {
    !pids.iter().any(|p| alive(*p))
}

#[tokio::test]
async fn children_end_with_a_stopped_plugin() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let pids = forked(&bench).await;
    assert!(pids.iter().all(|p| alive(*p)));
    bench.host.remove_plugin("lamp").await;
    assert!(all_gone(&pids), "left: {:?}", pids.iter().filter(|p| alive(**p)).collect::<Vec<_>>());
    bench.close().await;
}

#[tokio::test]
async fn children_end_with_a_crashed_plugin() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let pids = forked(&bench).await;
    bench.act("lamp", "die", json!({})).await.unwrap_err();
    holds("all children are gone", || all_gone(&pids)).await;
    bench.close().await;
}

#[tokio::test]
async fn dropping_the_host_ends_its_plugins() {
    let bench = Bench::new().await;
    bench.run("lamp", "").await;
    let pid = bench.status("lamp").pid.unwrap();
    let Bench { dir, host, .. } = bench;
    drop(host);
    holds("the plugin is gone", || !alive(pid.into())).await;
    drop(dir);
}

const HOST_TEST: &str = "processes::host_process";

/// Started by the test below: a host to kill. Among the other tests it only checks that it would be found.
#[tokio::test]
async fn host_process() {
    let Ok(dir) = std::env::var("HOST_TEST_DIR") else {
        let own = module_path!().split_once("::").unwrap().1;
        return assert_eq!(own, HOST_TEST.trim_end_matches("::host_process"));
    };
    let dir = Path::new(&dir);
    let backend = Arc::new(Recorder::default());
    let host = Bench::open(dir, limits(), &backend).await;
    host.scan().await;
    host.upsert_plugin(Plugin { name: "lamp".into(), provider: "lamp".into(), ..Plugin::default() });
    holds("configured", || host.plugin_status("lamp").unwrap().state == InstanceState::Configured).await;
    let action = drp_protocol::Action { command: "fork".into(), ..Default::default() };
    let pids = host.invoke("lamp", &action, Duration::from_secs(20)).await.unwrap();
    let mut pids: Vec<u64> = serde_json::from_slice(&pids).unwrap();
    pids.push(host.plugin_status("lamp").unwrap().pid.unwrap().into());
    std::fs::write(dir.join("pids.part"), serde_json::to_vec(&pids).unwrap()).unwrap();
    std::fs::rename(dir.join("pids.part"), dir.join("pids")).unwrap();
    std::future::pending::<()>().await;
}

#[tokio::test]
async fn a_killed_host_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    write_plugin(dir.path(), "lamp", "", json!({}));
    let mut host = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", HOST_TEST])
        .env("HOST_TEST_DIR", dir.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    holds("the host serves", || dir.path().join("pids").exists()).await;
    let pids: Vec<u64> = serde_json::from_slice(&std::fs::read(dir.path().join("pids")).unwrap()).unwrap();
    let (plugin, children) = pids.split_last().unwrap();
    host.kill().unwrap();
    host.wait().unwrap();
    // The plugin dies with the host, by itself.
    holds("the plugin is gone", || !alive(*plugin)).await;
    // What it started itself is ended by the next host, before that starts anything.
    let backend = Arc::new(Recorder::default());
    let next = Bench::open(dir.path(), limits(), &backend).await;
    assert!(all_gone(children), "left: {:?}", children.iter().filter(|p| alive(**p)).collect::<Vec<_>>());
    let bench = Bench { dir, backend, host: next };
    bench.run("lamp", "").await;
    bench.close().await;
}
