//! The machine: a folder, `systemctl`, and `sshd`.

use drp_tests::peers::{Sshd, find_program, skipped};
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

pub struct Machine {
    dir: tempfile::TempDir,
    pub sshd: Sshd,
}

impl Machine {
    pub fn start() -> Option<Self> {
        let Some(python) = find_program("python3") else {
            skipped("python3", "apt-get install python3");
            return None;
        };
        // Short: sockets are made below it.
        let dir = tempfile::Builder::new().prefix("ts-").tempdir().unwrap();
        for folder in ["bin", "systemd", "root/etc/systemd/system"] {
            std::fs::create_dir_all(dir.path().join(folder)).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/systemctl.py");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let text = format!(
            "#!/bin/sh\nSYSTEMD_UNIT_PATH='{}' SYSTEMCTL_STATE='{}' exec '{}' '{}' \"$@\"\n",
            at("root/etc/systemd/system"),
            at("systemd"),
            python.display(),
            script.display()
        );
        let program = dir.path().join("bin/systemctl");
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let sshd = Sshd::start(&dir.path().join("bin"))?;
        Some(Self { dir, sshd })
    }

    /// What all paths are put below.
    pub fn root(&self) -> PathBuf {
        self.dir.path().join("root")
    }

    pub fn at(&self, path: &str) -> PathBuf {
        self.root().join(path.trim_start_matches('/'))
    }

    pub fn text(&self, path: &str) -> String {
        std::fs::read_to_string(self.at(path)).unwrap_or_default()
    }

    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    pub fn systemctl(&self, words: &[&str]) -> String {
        let output = Command::new(self.dir.path().join("bin/systemctl")).args(words).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The process of a unit; 0 when it does not run.
    pub fn pid(&self, unit: &str) -> i32 {
        self.systemctl(&["show", "--property=MainPID", "--value", unit]).parse().unwrap()
    }

    /// What `systemctl` was told, without what only looks.
    pub fn told(&self) -> Vec<String> {
        let calls = std::fs::read_to_string(self.dir.path().join("systemd/calls")).unwrap_or_default();
        let calls = calls.lines().map(|line| serde_json::from_str::<Vec<String>>(line).unwrap().join(" "));
        calls.filter(|call| !call.starts_with("is-") && !call.starts_with("show")).collect()
    }

    /// Has a verb of `systemctl` fail once.
    pub fn breaks(&self, verb: &str) {
        std::fs::write(self.dir.path().join(format!("systemd/break-{verb}")), "").unwrap();
    }

    /// Every file below the root, but folders that are empty.
    pub fn files(&self) -> Vec<String> {
        let mut all = Vec::new();
        let mut folders = vec![self.root()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap().flatten() {
                if entry.file_type().unwrap().is_dir() {
                    folders.push(entry.path());
                } else {
                    all.push(entry.path().strip_prefix(self.root()).unwrap().display().to_string());
                }
            }
        }
        all.sort();
        all
    }

    pub fn state(&self, name: &str) -> Value {
        let text = self.text(&format!("/var/lib/drp/taskservs/{name}/state.json"));
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let units = std::fs::read_dir(self.dir.path().join("systemd")).into_iter().flatten().flatten();
        for entry in units {
            if let Some(unit) = entry.file_name().to_str().and_then(|name| name.strip_suffix(".status")) {
                self.systemctl(&["stop", unit]);
            }
        }
    }
}
