//! The stand-in for `VBoxManage`, `tests/peers/vboxmanage.py`, in a folder of its own: VirtualBox is in no Debian archive.
//! Where its behaviour comes from is said in the script.

use super::process::{find_program, scripts, skipped, wait_until};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A user's VirtualBox in a folder, and the program that talks to it.
#[derive(Debug)]
pub struct VirtualBox {
    dir: tempfile::TempDir,
}

impl VirtualBox {
    /// One without machines. `None` (after saying SKIPPED) when there is no Python.
    pub fn start() -> Option<Self> {
        if find_program("python3").is_none() {
            skipped("python3", "apt-get install python3");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("vbox-").tempdir().expect("a temporary folder");
        let bin = dir.path().join("bin");
        std::fs::create_dir(&bin).expect("its bin folder");
        let program = bin.join("VBoxManage");
        // Plugins do not inherit VBOX_STATE from the daemon.
        let text = format!(
            "#!/bin/sh\nVBOX_STATE='{}' exec '{}' \"$@\"\n",
            dir.path().display(),
            scripts().join("vboxmanage.py").display()
        );
        std::fs::write(&program, text).expect("the stand-in");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("an executable");
        let vbox = Self { dir };
        vbox.write("state.json", &json!({"vms": [], "disks": {}}));
        Some(vbox)
    }

    /// The folder to put on PATH.
    pub fn bin(&self) -> PathBuf {
        self.dir.path().join("bin")
    }

    /// The folder of everything.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn write(&self, name: &str, value: &Value) {
        std::fs::write(self.dir.path().join(name), value.to_string()).expect("its file");
    }

    /// Machines and disks as they are.
    pub fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.dir.path().join("state.json")).expect("its state");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Adds a machine that is off.
    pub fn add(&self, name: &str, uuid: &str) {
        let mut state = self.state();
        let tail = &uuid[uuid.len() - 6..].to_ascii_uppercase();
        let folder = self.dir.path().join("machines").join("m");
        let vm = json!({"name": name, "uuid": uuid, "state": "poweroff", "boot": ["floppy", "dvd", "disk", "none"],
            "memory": 128, "vram": 8, "cpus": 1, "acpi": false, "macs": [format!("080027{tail}")], "nics": ["nat"],
            "folder": folder, "controllers": [], "disk": null, "changed": "2024-01-01T00:00:00.000000000"});
        state["vms"].as_array_mut().expect("machines").push(vm);
        self.write("state.json", &state);
    }

    /// A machine, by name; null when there is none.
    pub fn vm(&self, name: &str) -> Value {
        let state = self.state();
        state["vms"]
            .as_array()
            .into_iter()
            .flatten()
            .find(|vm| vm["name"] == name)
            .cloned()
            .unwrap_or_default()
    }

    /// Changes something of a machine, or of the whole when the name is empty.
    pub fn set(&self, name: &str, key: &str, value: impl Into<Value>) {
        let mut state = self.state();
        let value = value.into();
        if name.is_empty() {
            state[key] = value;
        } else {
            for vm in state["vms"].as_array_mut().into_iter().flatten().filter(|vm| vm["name"] == name) {
                vm[key] = value.clone();
            }
        }
        self.write("state.json", &state);
    }

    /// What goes wrong with the next commands; see the script.
    pub fn faults(&self, faults: Value) {
        self.write("faults.json", &faults);
    }

    /// The words of the commands that began so, with what became of them.
    pub fn log(&self, begin: &str) -> Vec<(Vec<String>, String)> {
        let text = std::fs::read_to_string(self.dir.path().join("log")).unwrap_or_default();
        text.lines()
            .map(|line| serde_json::from_str::<Value>(line).expect("a line of JSON"))
            .map(|line| {
                let words = line["args"].as_array().into_iter().flatten();
                let words: Vec<String> = words.filter_map(Value::as_str).map(str::to_owned).collect();
                (words, line["outcome"].as_str().unwrap_or_default().to_owned())
            })
            .filter(|(words, _)| words.join(" ").starts_with(begin))
            .collect()
    }

    /// So often a command that began so had its effect.
    pub fn count(&self, begin: &str) -> usize {
        let effects = ["done", "lose", "later"];
        self.log(begin).iter().filter(|(_, outcome)| effects.contains(&outcome.as_str())).count()
    }

    /// The pids of a command that hangs, and of its child, once there is one.
    pub fn hanging(&self) -> Vec<i32> {
        let file = self.dir.path().join("hanging");
        let read = || {
            let text = std::fs::read_to_string(&file).unwrap_or_default();
            text.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>()
        };
        wait_until(Duration::from_secs(10), || read().len() == 2);
        read()
    }
}
