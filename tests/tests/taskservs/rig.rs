//! A daemon with one task service, and a machine.

use crate::machine::Machine;
use crate::source::Source;
use drp_extensions::Extension;
use drp_extensions::launcher::{self, HostedBy, Programs};
use drp_schemas::{Evaluator, Settings};
use drp_tests::daemon::{Daemon, answer, binary};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

pub struct Rig {
    pub daemon: Daemon,
    pub machine: Machine,
    pub source: Source,
    /// Name of the plugin.
    pub plugin: String,
    _files: tempfile::TempDir,
}

/// Folder of an extension that ships.
pub fn shipped(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../extensions").join(path).canonicalize().unwrap()
}

pub fn evaluator() -> Evaluator {
    static CONTRACTS: OnceLock<tempfile::TempDir> = OnceLock::new();
    let contracts = CONTRACTS.get_or_init(|| tempfile::tempdir().unwrap());
    let import_paths = vec![drp_schemas::install(contracts.path()).unwrap()];
    // The deadline is for a loaded machine.
    let deadline = Duration::from_secs(60);
    let usual = Settings::with_worker(binary("drp-nickel"));
    Evaluator::new(Settings { import_paths, roots: Some(Vec::new()), deadline, ..usual })
}

/// A record and a launcher, as registering an extension makes them.
pub async fn launcher(extension: &str, folder: &Path) -> (String, PathBuf) {
    let evaluator = evaluator();
    let extension = Extension::open(&shipped(extension), &evaluator).await.unwrap();
    assert_eq!(extension.hosted_by(), Some(HostedBy::TaskservHost));
    let hosted = extension.hosted(&evaluator).await.unwrap();
    let record = folder.join(format!("{}.json", hosted.plugin()));
    std::fs::write(&record, serde_json::to_vec(&hosted).unwrap()).unwrap();
    let host = binary("taskserv");
    let programs = Programs { nushell: host.clone(), cluster: host.clone(), taskserv: host };
    let text = launcher::text(&hosted, &HostedBy::TaskservHost, &programs, &record);
    let file = folder.join(hosted.plugin());
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    (hosted.plugin(), file)
}

impl Rig {
    pub async fn start(extension: &str) -> Option<Self> {
        let machine = Machine::start()?;
        let files = tempfile::tempdir().unwrap();
        let (plugin, file) = launcher(extension, files.path()).await;
        let daemon = Daemon::builder().plugin_file(&plugin, file).start();
        daemon.wait_for(&format!("plugin_providers/{plugin}"), |answer| answer.status == 200).await;
        let rig = Self { daemon, machine, source: Source::start().await, plugin, _files: files };
        rig.daemon.wait_plugin(&rig.plugin).await;
        Some(rig)
    }

    /// Params of a plugin object that reach the machine.
    pub fn settings(&self) -> Value {
        json!({
            "host": "127.0.0.1", "port": self.machine.sshd.port(), "user": self.machine.sshd.user(),
            "ssh_key": self.machine.sshd.key(), "known_hosts": self.machine.sshd.known_hosts(),
            "root": self.machine.root(), "timeout": 60,
        })
    }

    /// Makes a plugin object with these settings.
    pub async fn plugin(&self, name: &str, settings: &Value) {
        let params: serde_json::Map<String, Value> = settings
            .as_object()
            .unwrap()
            .iter()
            .map(|(k, v)| (format!("{}/{k}", self.plugin), v.clone()))
            .collect();
        let plugin = json!({"Name": name, "Provider": self.plugin, "Params": params});
        let made = self.daemon.expect(201, "POST", "plugins", plugin).await;
        assert!(
            !made.to_string().contains("OPENSSH PRIVATE KEY"),
            "the daemon answers with the sealed value"
        );
        self.daemon.wait_plugin(name).await;
    }

    /// With a plugin object `site` that reaches the machine.
    pub async fn ready(extension: &str, more: Value) -> Option<Self> {
        let rig = Self::start(extension).await?;
        let mut settings = rig.settings();
        for (name, value) in more.as_object().unwrap() {
            settings[name] = value.clone();
        }
        rig.plugin("site", &settings).await;
        Some(rig)
    }

    pub async fn act(&self, plugin: &str, operation: &str, params: Value) -> (u16, Value) {
        let request =
            self.daemon.request("POST", &format!("/api/v3/plugins/Name:{plugin}/actions/{operation}"));
        let done = answer(request.json(&params).timeout(Duration::from_secs(180))).await;
        (done.status, done.json())
    }

    /// An operation of `site` that has to succeed.
    pub async fn good(&self, operation: &str, params: Value) -> Value {
        let (status, result) = self.act("site", operation, params).await;
        assert_eq!(status, 200, "{operation}: {result}\n{}", self.daemon.log());
        result
    }

    /// One that has to fail; what it says.
    pub async fn bad(&self, operation: &str, params: Value, code: u16) -> String {
        self.bad_of("site", operation, params, code).await
    }

    pub async fn bad_of(&self, plugin: &str, operation: &str, params: Value, code: u16) -> String {
        let (status, result) = self.act(plugin, operation, params).await;
        assert_eq!(status, code, "{operation}: {result}\n{}", self.daemon.log());
        let messages = result["Messages"].as_array().unwrap();
        messages.iter().filter_map(Value::as_str).collect::<Vec<_>>().join("\n")
    }
}
