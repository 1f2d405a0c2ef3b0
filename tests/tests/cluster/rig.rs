//! A daemon with a cluster and the task services of its components.

use drp_extensions::launcher::{HostedBy, Programs, text};
use drp_protocol::HostedExtension;
use drp_tests::daemon::{Answer, Daemon, binary};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The plugin of the cluster.
pub const PLUGIN: &str = "mesh-cluster";
/// The components of [`diamond`], in the order in which they are deployed.
pub const DIAMOND: [&str; 4] = ["base", "left", "right", "top"];

/// `base`, then `left` and `right` at once, then `top`.
pub fn diamond() -> Value {
    json!([
        {"name": "top", "type": "application", "version": "1.0.0", "dependencies": ["left", "right"]},
        {"name": "base", "type": "taskserv", "version": "1.0.0", "config": {"size": 1, "of": {"a": 1, "b": 2}}},
        {"name": "left", "type": "taskserv", "version": "1.0.0", "dependencies": ["base"]},
        {"name": "right", "type": "taskserv", "version": "1.0.0", "dependencies": ["base"]},
    ])
}

/// Where the daemon and its task services live; outlives daemons.
pub struct Place {
    temp: tempfile::TempDir,
}

/// Settings in a hurry; the defaults that the extension gives.
fn settings(more: &Value) -> Value {
    let mut all =
        json!({"health_timeout": 1.0, "health_interval": 0.05, "step_timeout": 20.0, "start_timeout": 20.0});
    for (name, value) in more.as_object().unwrap() {
        all[name] = value.clone();
    }
    all.as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| json!({"name": name, "default": value, "schema": {}}))
        .collect()
}

impl Place {
    pub fn new(components: &Value, more: &Value) -> Self {
        let temp = tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").unwrap();
        let place = Self { temp };
        std::fs::create_dir_all(place.dir()).unwrap();
        std::fs::create_dir_all(place.base().join("plugins")).unwrap();
        for component in components.as_array().unwrap() {
            place.add(component["name"].as_str().unwrap());
        }
        place.define("1.0.0", components, more);
        place
    }

    /// Installs the task service of a component.
    pub fn add(&self, name: &str) {
        let program = binary("drp-test-taskserv");
        let (program, dir) = (program.display(), self.dir());
        let script =
            format!("#!/bin/sh\nexec '{program}' --name '{name}' --dir '{}' \"$@\"\n", dir.display());
        self.executable(&format!("{name}-taskserv"), &script);
    }

    /// Registers the cluster, or registers it anew.
    pub fn define(&self, version: &str, components: &Value, more: &Value) {
        let record = self.record_file();
        let extension: HostedExtension = serde_json::from_value(json!({
            "type": "cluster", "name": "mesh", "version": version, "root": self.base(), "settings": settings(more),
            "cluster": {"name": "mesh", "version": version, "components": components, "features": {"ingress": false}},
        }))
        .unwrap();
        std::fs::write(&record, serde_json::to_string(&extension).unwrap()).unwrap();
        let none = PathBuf::from("/nonexistent");
        let programs = Programs { cluster: binary("cluster"), nushell: none.clone(), taskserv: none };
        self.executable(PLUGIN, &text(&extension, &HostedBy::ClusterEngine, &programs, &record));
    }

    fn executable(&self, name: &str, script: &str) {
        let path = self.base().join("plugins").join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub fn base(&self) -> &Path {
        self.temp.path()
    }

    pub fn record_file(&self) -> PathBuf {
        self.base().join("mesh.json")
    }

    pub fn dir(&self) -> PathBuf {
        self.base().join("installed")
    }

    /// Switches faults of a component, `operation=fault`; none: all off.
    pub fn fault(&self, component: &str, faults: &[&str]) {
        std::fs::write(self.dir().join(format!("{component}.fault")), faults.join("\n")).unwrap();
    }

    /// Makes an operation of a component wait; `place` is `before` or `after` its effect.
    pub fn hold(&self, component: &str, operation: &str, place: &str) {
        std::fs::write(self.dir().join(format!("{component}.{operation}.{place}")), "").unwrap();
    }

    /// Waits until it does.
    pub async fn held(&self, component: &str, operation: &str, place: &str) {
        let here = self.dir().join(format!("{component}.{operation}.{place}.here"));
        let end = Instant::now() + Duration::from_secs(30);
        while !here.exists() {
            assert!(Instant::now() < end, "{operation} of {component} never got there:\n{}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub fn release(&self, component: &str, operation: &str, place: &str) {
        let _ = std::fs::remove_file(self.dir().join(format!("{component}.{operation}.{place}")));
        let _ = std::fs::remove_file(self.dir().join(format!("{component}.{operation}.{place}.here")));
    }

    /// What is really installed, sorted.
    pub fn installed(&self) -> Vec<String> {
        let files = std::fs::read_dir(self.dir()).unwrap().map(|entry| entry.unwrap().file_name());
        let mut names: Vec<String> = files
            .filter_map(|file| file.to_str().unwrap().strip_suffix(".json").map(str::to_owned))
            .collect();
        names.sort();
        names
    }

    /// What a component was installed as.
    pub fn state(&self, component: &str) -> Value {
        let file = self.dir().join(format!("{component}.json"));
        std::fs::read_to_string(file).map_or(Value::Null, |text| serde_json::from_str(&text).unwrap())
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir().join("log")).unwrap_or_default()
    }

    /// Components in the order in which an operation of theirs came to a point: `begin`, `effect` or `end`.
    pub fn order(&self, operation: &str, point: &str) -> Vec<String> {
        let log = self.log();
        let words = log.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        words
            .filter(|words| words[0] == operation && words[2] == point)
            .map(|words| words[1].to_owned())
            .collect()
    }

    pub fn forget_log(&self) {
        let _ = std::fs::remove_file(self.dir().join("log"));
    }

    /// A daemon here, with everything configured.
    pub async fn daemon(&self) -> Daemon {
        let daemon = Daemon::builder().base(self.base()).start();
        daemon.wait_plugin(PLUGIN).await;
        daemon
    }
}

/// A place with a daemon.
pub struct Rig {
    pub daemon: Daemon,
    pub place: Place,
}

impl Rig {
    pub async fn start(components: Value, settings: Value) -> Self {
        let place = Place::new(&components, &settings);
        let daemon = place.daemon().await;
        for component in components.as_array().unwrap() {
            daemon.wait_plugin(&format!("{}-taskserv", component["name"].as_str().unwrap())).await;
        }
        Self { daemon, place }
    }

    pub async fn act(&self, command: &str, params: Value) -> Answer {
        act(&self.daemon, command, params).await
    }

    /// An operation that goes well.
    pub async fn good(&self, command: &str, params: Value) -> Value {
        let answer = self.act(command, params).await;
        assert_eq!(answer.status, 200, "{command}: {}\n{}", answer.text(), self.daemon.log());
        answer.json()
    }

    /// An operation that fails with this code; gives its messages on lines.
    pub async fn bad(&self, code: u16, command: &str, params: Value) -> String {
        let answer = self.act(command, params).await;
        assert_eq!(answer.status, code, "{command}: {}\n{}", answer.text(), self.daemon.log());
        let messages = answer.json()["Messages"].as_array().unwrap().clone();
        messages.iter().map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>().join("\n")
    }

    /// The stored deployment.
    pub async fn stored(&self) -> Value {
        stored(&self.daemon).await
    }

    /// Waits until no operation is under way.
    pub async fn settled(&self) -> Value {
        settled(&self.daemon).await
    }
}

pub async fn act(daemon: &Daemon, command: &str, params: Value) -> Answer {
    daemon.call("POST", &format!("/api/v3/plugins/{PLUGIN}/actions/{command}"), params).await
}

pub async fn stored(daemon: &Daemon) -> Value {
    daemon.get(&format!("cluster_deployments/{PLUGIN}")).await["Deployment"].clone()
}

/// Waits until the stored state is one at rest, and gives it.
pub async fn settled(daemon: &Daemon) -> Value {
    let rest = ["running", "rolled-back", "failed", "deleted"];
    let at_rest = |answer: &Answer| {
        answer.status == 200
            && rest.contains(&answer.json()["Deployment"]["phase"].as_str().unwrap_or_default())
    };
    daemon.wait_for(&format!("cluster_deployments/{PLUGIN}"), at_rest).await.json()["Deployment"].clone()
}

/// `component stage` of all, in the order in which they are deployed.
pub fn stages(deployment: &Value) -> Vec<String> {
    let parts = deployment["components"].as_array().unwrap().iter();
    parts
        .map(|part| format!("{} {}", part["name"].as_str().unwrap(), part["stage"].as_str().unwrap()))
        .collect()
}

/// `component outcome` of every step of undoing.
pub fn rollback(deployment: &Value) -> Vec<String> {
    let steps = deployment["operation"]["rollback"].as_array().unwrap().iter();
    steps
        .map(|step| format!("{} {}", step["component"].as_str().unwrap(), step["outcome"].as_str().unwrap()))
        .collect()
}
