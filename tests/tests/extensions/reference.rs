//! The extensions of the reference text, from validation to deletion, from the command line and from REST.

use drp_tests::cli::drp;
use drp_tests::daemon::{Daemon, answer, binary};
use drp_tests::peers::{CLOUD_KEY, MockCloud, nu};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

fn example(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../extensions/examples").join(name);
    folder.canonicalize().unwrap().display().to_string()
}

/// `None` (after saying SKIPPED) without Nushell.
fn start() -> Option<(Daemon, PathBuf)> {
    let nu = nu()?;
    Some((Daemon::builder().arg(format!("--nu={}", nu.display())).start(), nu))
}

async fn settings(daemon: &Daemon, plugin: &str, settings: Value) {
    let all = settings.as_object().unwrap().iter();
    let params: serde_json::Map<String, Value> =
        all.map(|(name, value)| (format!("{plugin}/{name}"), value.clone())).collect();
    daemon.expect(200, "POST", &format!("plugins/{plugin}/params"), params.into()).await;
    daemon.wait_plugin(plugin).await;
}

fn cloud_settings(cloud: &MockCloud) -> Value {
    json!({
        "auth": {"api_key": CLOUD_KEY, "api_secret": "not-used-by-the-mock"},
        "api": {"base_url": cloud.url},
    })
}

/// Validates without a daemon, as authors do.
fn validate(name: &str, nu: &Path) -> Value {
    let dir = nu.parent().unwrap().display().to_string();
    let path = format!("{dir}:{}", std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new(binary("drp"));
    command.env("PATH", path).args(["ext", "validate", &example(name), "--format", "json"]);
    let done = command.output().unwrap();
    let said: Value = serde_json::from_slice(&done.stdout)
        .unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&done.stderr)));
    assert!(done.status.success(), "{said:#}");
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn my_provider_from_the_command_line() {
    let Some((daemon, nu)) = start() else { return };
    let checked = validate("my-provider", &nu);
    assert!(checked["valid"] == true && checked["errors"] == json!([]), "{checked:#}");
    let done = drp(&daemon, &["ext", "register", &example("my-provider")]).json();
    assert_eq!(done["plugin"], "my-provider-provider");
    let config = format!("{}/examples/config.toml", example("my-provider"));
    let create = ["server", "create", "web-01", "--provider", "my-provider", "--config", &config];
    let planned = drp(&daemon, &[&create[..], &["--check"]].concat()).json();
    assert_eq!(
        planned,
        json!({"action": "create-server", "hostname": "web-01", "check_mode": true, "would_create": true,
               "estimated_time": "2-5 minutes"})
    );
    let cloud = MockCloud::start(Duration::from_millis(100));
    settings(&daemon, "my-provider-provider", cloud_settings(&cloud)).await;
    let made = drp(&daemon, &[&create[..], &["--wait"]].concat()).json();
    assert!(made["success"] == true && made["status"] == "running", "{made}");
    let id = made["server_id"].as_str().unwrap();
    let listed = drp(&daemon, &["server", "list", "--provider", "my-provider"]).json();
    assert_eq!(listed[0]["server_id"], id);
    let gone = drp(&daemon, &["server", "delete", id, "--provider", "my-provider"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    assert_eq!(drp(&daemon, &["server", "list", "--provider", "my-provider"]).json(), json!([]));
    assert!(cloud.servers().await.is_empty());
    // What `std log` says is the daemon's log.
    assert!(daemon.get("logs").await.to_string().contains("Creating server: web-01"));
    assert_eq!(drp(&daemon, &["ext", "unregister", "provider", "my-provider"]).code, 0);
    assert_eq!(drp(&daemon, &["ext", "list"]).json(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn my_provider_over_rest() {
    let Some((daemon, _)) = start() else { return };
    let post = async |path: &str, body: Value| {
        answer(daemon.request("POST", path).json(&body).timeout(Duration::from_secs(120))).await
    };
    let path = json!({"path": example("my-provider")});
    let checked = post("/api/v1/extensions/validate", path.clone()).await;
    assert!(checked.status == 200 && checked.json()["valid"] == true, "{}", checked.text());
    let registered = post("/api/v1/extensions", path).await;
    assert_eq!(registered.status, 201, "{}", registered.text());
    let act = async |operation: &str, body: Value| {
        let got = post(&format!("/api/v3/plugins/my-provider-provider/actions/{operation}"), body).await;
        assert_eq!(got.status, 200, "{operation}: {}", got.text());
        got.json()
    };
    let config = json!({"hostname": "api-01", "plan": "1xCPU-1GB", "zone": "eu-west-1"});
    assert_eq!(act("create-server", json!({"config": config, "check": true})).await["would_create"], true);
    let cloud = MockCloud::start(Duration::from_millis(100));
    settings(&daemon, "my-provider-provider", cloud_settings(&cloud)).await;
    let made = act("create-server", json!({"config": config, "wait": true})).await;
    let of = json!({"server_id": made["server_id"]});
    assert_eq!(act("list-servers", json!({})).await[0]["hostname"], "api-01");
    assert_eq!(act("get-server-info", of.clone()).await["zone"], "eu-west-1");
    act("delete-server", of).await;
    assert_eq!(act("list-servers", json!({})).await, json!([]));
    // Settings are checked by the schema that is made of the contract, and by the contract itself.
    let bad = json!({"my-provider-provider/api": {"base_url": "nowhere"}});
    daemon.expect(409, "POST", "plugins/my-provider-provider/params", bad).await;
    let bad = json!({"my-provider-provider/api": {"base_url": "https://me@cloud.example.com"}});
    daemon.expect(200, "POST", "plugins/my-provider-provider/params", bad).await;
    let wrong = daemon
        .wait_for("plugins/my-provider-provider", |a| {
            !a.json()["PluginErrors"].as_array().unwrap().is_empty()
        })
        .await;
    assert!(wrong.json()["PluginErrors"].to_string().contains("settings.ncl"), "{}", wrong.text());
    let gone = daemon.call("DELETE", "/api/v1/extensions/provider/my-provider", Value::Null).await;
    assert_eq!(gone.status, 204, "{}", gone.text());
}

/// A `systemctl` that runs nothing: it notes what it is told, and says that the unit is as it was told last.
const SYSTEMCTL: &str = r#"#!/bin/sh
here=$(dirname "$0")
echo "$*" >> "$here/calls"
case $1 in
start | restart) echo active > "$here/state" ;;
stop) echo inactive > "$here/state" ;;
is-active) cat "$here/state" 2>/dev/null || { echo inactive; exit 3; } ;;
esac
"#;

#[tokio::test(flavor = "multi_thread")]
async fn my_service_and_my_cluster() {
    let Some((daemon, nu)) = start() else { return };
    for name in ["my-service", "my-cluster"] {
        if name == "my-service" {
            let checked = validate(name, &nu);
            assert_eq!(checked["valid"], true, "{checked:#}");
        }
        // The service waits for its one setting without a default.
        let state = if name == "my-service" { "stopped" } else { "configured" };
        let done = drp(&daemon, &["ext", "register", &example(name)]).json();
        assert_eq!(done["state"], state, "{done}");
    }
    // The daemon's file server has the releases, and stands for the service's health too.
    let upload = async |name: &str, text: &str| {
        let request = daemon.request("POST", &format!("/api/v3/files/my-service/{name}"));
        let request = request.header("content-type", "application/octet-stream");
        assert_eq!(answer(request.body(text.to_owned())).await.status, 201);
    };
    upload("versions.json", r#"["1.1.0", "1.0.0"]"#).await;
    upload("1.0.0/my-service", "#!/bin/sh\necho one\n").await;
    upload("1.1.0/my-service", "#!/bin/sh\necho eleven\n").await;
    upload("health", "ok").await;
    let host = tempfile::tempdir().unwrap();
    let systemctl = host.path().join("systemctl");
    crate::rig::write(host.path(), "systemctl", SYSTEMCTL.as_bytes());
    std::fs::set_permissions(&systemctl, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let releases = format!("{}/files/my-service", daemon.files);
    let root = host.path().join("root");
    let all = json!({
        "source": releases, "root": root, "systemctl": systemctl, "health": format!("{releases}/health"),
    });
    settings(&daemon, "my-service-taskserv", all).await;
    let planned = drp(&daemon, &["taskserv", "install", "my-service", "--check"]).json();
    assert!(planned["would_install"] == true && !root.exists(), "{planned}");
    assert_eq!(drp(&daemon, &["taskserv", "status", "my-service"]).json()["status"], "absent");
    // As the cluster's component.
    let plan = drp(&daemon, &["cluster", "create", "my-cluster", "--check"]).json();
    assert!(plan["would_create"] == true && plan.to_string().contains("my-service"), "{plan}");
    let made = drp(&daemon, &["cluster", "create", "my-cluster", "--wait"]).json();
    assert_eq!(made["success"], true, "{made}\n{}", daemon.log());
    let status = drp(&daemon, &["taskserv", "status", "my-service"]).json();
    assert!(status["status"] == "running" && status["version"] == "1.0.0", "{status}");
    let config = std::fs::read_to_string(root.join("etc/my-service/config.yaml")).unwrap();
    assert!(config.contains("workers: 2"), "{config}");
    let up = drp(&daemon, &["taskserv", "upgrade", "my-service", "1.1.0"]).json();
    assert_eq!((&up["version"], &up["previous_version"]), (&json!("1.1.0"), &json!("1.0.0")));
    let program = std::fs::read_to_string(root.join("usr/local/bin/my-service")).unwrap();
    assert!(program.contains("eleven"));
    let cluster = drp(&daemon, &["cluster", "status", "my-cluster"]).json();
    assert_eq!(cluster["components"].as_array().unwrap().len(), 1, "{cluster}");
    let gone = drp(&daemon, &["cluster", "delete", "my-cluster", "--wait"]);
    assert_eq!(gone.code, 0, "{gone:?}");
    assert!(!root.join("usr/local/bin/my-service").exists());
    let calls = std::fs::read_to_string(host.path().join("calls")).unwrap();
    assert!(
        calls.contains("enable my-service.service") && calls.contains("stop my-service.service"),
        "{calls}"
    );
}
