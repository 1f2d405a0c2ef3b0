//! The pack: whole, taken by the daemon, its scripts clean, and its tasks run as a machine's agent runs them.

use drp_tests::agent::{Agent, End};
use drp_tests::daemon::Daemon;
use drp_tests::pack::Pack;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What packs of discovery bring.
const FOREIGN: [&str; 3] = ["kernel-console", "discover", "sledgehammer-wait"];

async fn daemon() -> Daemon {
    let daemon = Daemon::builder().plugin("packet-ipmi").start();
    for stage in ["discover", "sledgehammer-wait"] {
        daemon.expect(201, "POST", "stages", json!({"Name": stage})).await;
    }
    daemon
}

#[tokio::test]
async fn the_pack_is_documented_and_whole() {
    Pack::of_plugin("packet-ipmi").await.check(&FOREIGN);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_takes_it_and_its_scripts_are_clean() {
    let daemon = daemon().await;
    let pack = Pack::of_plugin("packet-ipmi").await;
    daemon.wait_for("stages/packet-discover", |a| a.status == 200).await;
    pack.loads(&daemon, "packet-ipmi").await;
    let odd = json!({"packet/metadata-url": "http://x/'; touch /tmp/owned; '"});
    pack.scripts_are_clean(&daemon, &[json!({}), odd]).await;
}

/// A metadata service; with nothing to say it answers 404.
async fn metadata(pages: &[(&str, String)]) -> (String, Arc<Mutex<usize>>) {
    let pages: BTreeMap<String, String> =
        pages.iter().map(|(path, text)| (format!("/{path}"), text.clone())).collect();
    let asked = Arc::new(Mutex::new(0));
    let count = asked.clone();
    let app = axum::Router::new().fallback(move |uri: axum::http::Uri| {
        *count.lock().unwrap() += 1;
        let page = pages.get(uri.path()).cloned();
        async move { page.ok_or(axum::http::StatusCode::NOT_FOUND) }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, asked)
}

/// Runs the stage on a new machine, and gives the machine and what root's authorized_keys holds.
async fn discover(daemon: &Daemon, name: &str, url: &str, root: &Path) -> (Value, String, String) {
    let machine = json!({"Name": name, "Params": {"packet/metadata-url": url}});
    let machine = daemon.expect(201, "POST", "machines", machine).await;
    let uuid = machine["Uuid"].as_str().unwrap();
    let tasks = json!([{"op": "replace", "path": "/Tasks", "value": ["packet-discover", "packet-console", "packet-ssh-keys"]}]);
    daemon.expect(200, "PATCH", &format!("machines/{uuid}"), tasks).await;
    let agent = Agent::boot(daemon, uuid, root).await.with_cli();
    // Root's folder, for the test, is another one.
    let getent = root.join("bin/getent");
    std::fs::write(&getent, format!("#!/bin/sh\necho root:x:0:0:root:{}:/bin/bash\n", root.display()))
        .unwrap();
    std::fs::set_permissions(&getent, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    assert_eq!(agent.walk().await, End::Complete, "{}", logs(daemon, uuid).await);
    let keys = std::fs::read_to_string(root.join(".ssh/authorized_keys")).unwrap_or_default();
    (daemon.get(&format!("machines/{uuid}")).await, keys, logs(daemon, uuid).await)
}

async fn logs(daemon: &Daemon, machine: &str) -> String {
    let mut text = String::new();
    for job in daemon.get(&format!("jobs?Machine=Eq({machine})")).await.as_array().unwrap() {
        let path = format!("/api/v3/jobs/{}/log", job["Uuid"].as_str().unwrap());
        text += &daemon.call("GET", &path, Value::Null).await.text();
    }
    text
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_reads_what_the_device_says_about_itself() {
    let daemon = daemon().await;
    daemon.wait_for("tasks/packet-discover", |a| a.status == 200).await;
    let said = json!({"id": "d-1", "plan": "c3.small.x86", "facility": "ewr1", "metro": "ny'$(touch x)", "other": 1});
    let keys = "ssh-ed25519 AAAA one\n# no key\nssh-rsa BBBB two".to_owned();
    let pages = [("metadata", said.to_string()), ("2009-04-04/meta-data/public-keys", keys)];
    let (url, _) = metadata(&pages).await;
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join(".ssh")).unwrap();
    std::fs::write(root.path().join(".ssh/authorized_keys"), "ssh-rsa OLD old").unwrap();
    let (machine, keys, log) = discover(&daemon, "node-1", &url, root.path()).await;
    let params = &machine["Params"];
    assert_eq!(
        (&params["packet/uuid"], &params["packet/plan"]),
        (&json!("d-1"), &json!("c3.small.x86")),
        "{log}"
    );
    assert_eq!(
        (&params["packet/facility"], &params["packet/metro"]),
        (&json!("ewr1"), &json!("ny'$(touch x)"))
    );
    assert_eq!(params["packet/sos"], "d-1@sos.ewr1.packet.net");
    assert_eq!(machine["Profiles"], json!(["packet-console"]));
    assert_eq!(keys, "ssh-rsa OLD old\nssh-ed25519 AAAA one\nssh-rsa BBBB two\n");
    assert!(!root.path().join("x").exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_machine_that_is_no_metal_device_passes_through() {
    let daemon = daemon().await;
    daemon.wait_for("tasks/packet-discover", |a| a.status == 200).await;
    let (url, asked) = metadata(&[]).await;
    let root = tempfile::tempdir().unwrap();
    let (machine, keys, log) = discover(&daemon, "node-1", &url, root.path()).await;
    assert_eq!(
        (machine["Params"].get("packet/uuid"), &machine["Profiles"], keys.as_str()),
        (None, &json!([]), "")
    );
    assert!(log.contains("not a Metal device") && *asked.lock().unwrap() >= 3, "{log}");
}
