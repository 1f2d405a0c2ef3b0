//! The cluster `buildkit`, from its shipped extensions, on one machine.

use crate::machine::Machine;
use crate::rig::{evaluator, launcher, shipped};
use crate::source::{ARCH, Source, archive, containerd, sha256};
use drp_extensions::Extension;
use drp_extensions::launcher::{HostedBy, Programs, text};
use drp_tests::daemon::{Daemon, answer, binary};
use drp_tests::peers::free_tcp_port;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

fn program(files: &[(&str, &str)]) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    archive(dir.path())
}

/// A registry that answers at `/v2/` of the address of its configuration.
const REGISTRY: &str = r#"#!/usr/bin/env python3
import http.server, re, sys
host, port = re.search(r'addr: "([^"]*):(\d+)"', open(sys.argv[2]).read()).groups()
class Registry(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/v2/" else 404)
        self.end_headers()
http.server.HTTPServer((host, int(port)), Registry).serve_forever()
"#;

async fn cluster(folder: &Path) -> PathBuf {
    let evaluator = evaluator();
    let extension = Extension::open(&shipped("clusters/buildkit"), &evaluator).await.unwrap();
    let hosted = extension.hosted(&evaluator).await.unwrap();
    let record = folder.join("cluster.json");
    std::fs::write(&record, serde_json::to_vec(&hosted).unwrap()).unwrap();
    let engine = binary("cluster");
    let programs = Programs { nushell: engine.clone(), cluster: engine.clone(), taskserv: engine };
    let file = folder.join("buildkit-cluster");
    std::fs::write(&file, text(&hosted, &HostedBy::ClusterEngine, &programs, &record)).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o755)).unwrap();
    file
}

async fn act(daemon: &Daemon, operation: &str, params: Value) -> (u16, Value) {
    let request =
        daemon.request("POST", &format!("/api/v3/plugins/Name:buildkit-cluster/actions/{operation}"));
    let done = answer(request.json(&params).timeout(Duration::from_secs(240))).await;
    (done.status, done.json())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cluster_is_deployed_and_removed_and_a_failure_takes_all_back() {
    let Some(machine) = Machine::start() else { return };
    let source = Source::start().await;
    let files = tempfile::tempdir().unwrap();
    let mut builder = Daemon::builder().plugin_file("buildkit-cluster", cluster(files.path()).await);
    for name in ["containerd", "buildkit", "registry"] {
        let (plugin, file) = launcher(&format!("taskservs/{name}"), files.path()).await;
        builder = builder.plugin_file(&plugin, file);
    }
    let daemon = builder.start();
    for name in ["containerd", "buildkit", "registry"] {
        let plugin = format!("{name}-taskserv");
        daemon.wait_plugin(&plugin).await;
        let settings = [
            ("host", json!("127.0.0.1")),
            ("port", json!(machine.sshd.port())),
            ("user", json!(machine.sshd.user())),
            ("known_hosts", json!(machine.sshd.known_hosts())),
            ("root", json!(machine.root())),
            ("mirror", json!(source.url(""))),
            ("ssh_key", json!(machine.sshd.key())),
        ];
        for (setting, value) in settings {
            let path = format!("plugins/Name:{plugin}/params/{plugin}%2F{setting}");
            daemon.expect(200, "POST", &path, value).await;
        }
        daemon.wait_plugin(&plugin).await;
    }
    daemon.wait_plugin("buildkit-cluster").await;
    let buildkit = format!("buildkit-v0.12.0.linux-{ARCH}.tar.gz");
    let builder = program(&[
        ("bin/buildkitd", "#!/bin/sh\nexec sleep 1000\n"),
        ("bin/buildctl", "#!/bin/sh\n[ \"$4\" = workers ]\n"),
    ]);
    let registry = program(&[("registry", REGISTRY)]);
    source.release(&format!("/containerd-1.7.0-linux-{ARCH}.tar.gz"), containerd("1.7.0", true));
    source.put(&format!("/{buildkit}"), builder.clone());
    let name = format!("registry_2.8.0_linux_{ARCH}.tar.gz");
    source.put(&format!("/{name}.sha256"), format!("{}  {name}\n", sha256(&registry)));
    source.put(&format!("/{name}"), registry);
    let port = free_tcp_port();
    let config = |port: u16, asked: u16| {
        json!({"components": {
            "buildkit": {"config": {"source": {"checksums": {buildkit.clone(): sha256(&builder)}}}},
            "registry": {"config": {"address": format!("127.0.0.1:{port}"),
                "health_check": {"endpoint": format!("http://127.0.0.1:{asked}/v2/"), "interval": 1, "retries": 10}}},
        }})
    };

    let (status, plan) = act(&daemon, "create", json!({"check": true})).await;
    assert_eq!((status, &plan["would_create"]), (200, &json!(true)), "{plan}");
    assert_eq!(machine.sshd.logins(), 0);

    // The registry is asked where nobody listens.
    let (status, answer) = act(&daemon, "create", json!({"config": config(port, 1), "wait": true})).await;
    assert!(status >= 400, "{answer}");
    for unit in ["containerd", "buildkit", "registry"] {
        assert_eq!(machine.pid(&format!("{unit}.service")), 0, "{unit}: {answer}");
    }

    let (status, answer) = act(&daemon, "create", json!({"config": config(port, port), "wait": true})).await;
    assert_eq!((status, &answer["success"]), (200, &json!(true)), "{answer}\n{}", daemon.log());
    for unit in ["containerd", "buildkit", "registry"] {
        assert!(machine.pid(&format!("{unit}.service")) > 0, "{unit}");
    }
    let settings = machine.text("etc/buildkit/buildkitd.toml");
    assert!(
        settings.contains("gckeepstorage = 10240") && settings.contains("max-parallelism = 4"),
        "{settings}"
    );
    assert!(settings.contains("mirrors = [\"registry:5000\"]"), "{settings}");
    assert!(machine.text("etc/registry/config.yml").contains("rootdirectory: \"/var/lib/registry\""));

    let (status, answer) = act(&daemon, "delete", json!({"wait": true})).await;
    assert_eq!(status, 200, "{answer}");
    let left: Vec<_> = machine.files().into_iter().filter(|file| !file.starts_with("run/")).collect();
    assert_eq!(left, Vec::<String>::new());
}
