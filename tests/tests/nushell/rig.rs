//! An extension in a folder with a hostile name, its launcher, and a daemon that runs it.

use drp_extensions::launcher::{self, HostedBy, Programs};
use drp_protocol::HostedExtension;
use drp_tests::daemon::{Answer, Builder, Daemon, binary};
use drp_tests::peers::nu;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

pub const PLUGIN: &str = "my-provider-provider";
pub const KEY: &str = "s3cret-canary-\"16\"";

/// The extension's files and its record.
pub struct Extension {
    pub folder: tempfile::TempDir,
    pub record: HostedExtension,
}

impl Extension {
    /// The extension that shows everything. `None` without Nushell.
    pub fn new() -> Option<Self> {
        let extension = Self::empty()?;
        extension.write("nulib/mod.nu", include_str!("mod.nu"));
        extension
            .write("nulib/other.nu", "export def from-another-file []: nothing -> string { \"other\" }\n");
        extension.write("templates/service.j2", "[Unit]\nDescription={{ name }}\n");
        Some(extension)
    }

    /// One without files.
    pub fn empty() -> Option<Self> {
        let nu = nu()?;
        let folder = tempfile::Builder::new().prefix("drp-ext").tempdir().unwrap();
        let root = folder.path().join("it's; $(touch owned) `touch owned` \"é\" \\n {x}");
        std::fs::create_dir_all(&root).unwrap();
        let record = json!({
            "type": "provider", "name": "my-provider", "version": "1.2.3", "description": "A provider for tests",
            "root": root, "nu": nu, "nushell": ">=0.107.0",
            "settings": [
                {"name": "auth", "doc": "Credentials", "required": true, "secure": true, "schema": {"type": "object"}},
                {"name": "api", "doc": "Where it is", "default": {"base_url": "http://localhost"},
                 "schema": {"type": "object"}},
            ],
        });
        Some(Self { folder, record: serde_json::from_value(record).unwrap() })
    }

    pub fn root(&self) -> &Path {
        &self.record.root
    }

    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// Writes the record file.
    pub fn record(&self) -> PathBuf {
        let path = self.folder.path().join("record.json");
        std::fs::write(&path, serde_json::to_vec(&self.record).unwrap()).unwrap();
        path
    }

    /// Writes the launcher.
    pub fn launcher(&self) -> PathBuf {
        use std::os::unix::fs::PermissionsExt;
        let programs =
            Programs { nushell: binary("nushell"), cluster: binary("nushell"), taskserv: binary("nushell") };
        let text = launcher::text(&self.record, &HostedBy::Nushell, &programs, &self.record());
        let path = self.folder.path().join("launcher");
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Runs the program on the record: exit code, standard output and standard error.
    pub fn run(&self, words: &[&str]) -> (Option<i32>, String, String) {
        let output = std::process::Command::new(binary("nushell"))
            .arg("--extension")
            .arg(self.record())
            .args(words)
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }
}

/// A daemon that runs it.
pub struct Rig {
    pub daemon: Daemon,
    pub extension: Extension,
}

impl Rig {
    pub async fn start() -> Option<Self> {
        Self::with(Extension::new()?, Daemon::builder()).await
    }

    pub async fn with(extension: Extension, builder: Builder) -> Option<Self> {
        let daemon = builder.plugin_file(PLUGIN, extension.launcher()).start();
        daemon.wait_plugin(PLUGIN).await;
        Some(Self { daemon, extension })
    }

    /// Runs a command.
    pub async fn call(&self, command: &str, params: Value) -> Answer {
        let path = format!("/api/v3/plugins/{PLUGIN}/actions/{command}");
        self.daemon.call("POST", &path, params).await
    }

    /// Runs a command that must go well.
    pub async fn ok(&self, command: &str, params: Value) -> Value {
        let answer = self.call(command, params).await;
        assert_eq!(answer.status, 200, "{command}: {}\n{}", answer.text(), self.daemon.log());
        answer.json()
    }

    /// Runs a command that must fail: its code and messages.
    pub async fn fails(&self, command: &str, params: Value) -> (u16, Vec<String>) {
        let answer = self.call(command, params).await;
        let error = answer.json();
        assert_eq!(error["Code"], answer.status, "{}", answer.text());
        let messages = error["Messages"].as_array().unwrap();
        (answer.status, messages.iter().map(|m| m.as_str().unwrap().to_owned()).collect())
    }

    /// Gives the plugin params, and waits until a process has them.
    pub async fn configure(&self, params: Value) {
        let mut plugin = self.daemon.get(&format!("plugins/{PLUGIN}")).await;
        plugin["Params"] = params;
        self.daemon.expect(200, "PUT", &format!("plugins/{PLUGIN}"), plugin).await;
    }
}
