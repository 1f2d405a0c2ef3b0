//! The stand-in for racadm, `tests/peers/racadm.py`, in a folder of its own with one iDRAC behind it. There is no racadm
//! that could be had: Dell's is not free, and it needs an iDRAC. Where its behaviour comes from is said in the script.

use super::process::{find_program, scripts, skipped};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// An iDRAC in a folder, and the program that talks to it.
#[derive(Debug)]
pub struct Racadm {
    dir: tempfile::TempDir,
}

impl Racadm {
    /// A machine that is off. `None` (after saying SKIPPED) when there is no Python.
    pub fn start() -> Option<Self> {
        if find_program("python3").is_none() {
            skipped("python3", "apt-get install python3");
            return None;
        }
        let dir = tempfile::Builder::new().prefix("racadm-").tempdir().expect("a temporary folder");
        let program = dir.path().join("racadm");
        std::fs::copy(scripts().join("racadm.py"), &program).expect("the stand-in");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, mode).expect("an executable");
        let state = json!({
            "power": "OFF", "once": "Disabled", "first": "Normal", "led": false, "sel": true, "heeds": true,
            "certificate": "self-signed", "user": super::USER, "password": super::PASSWORD, "count": {},
        });
        std::fs::write(dir.path().join("state.json"), state.to_string()).expect("its state");
        std::fs::write(dir.path().join("faults.json"), "[]").expect("its faults");
        Some(Self { dir })
    }

    /// The folder to put on PATH.
    pub fn folder(&self) -> &Path {
        self.dir.path()
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// What the iDRAC is now.
    pub fn state(&self) -> Value {
        let text = std::fs::read_to_string(self.file("state.json")).expect("its state");
        serde_json::from_str(&text).expect("JSON")
    }

    /// Changes something of it.
    pub fn set(&self, name: &str, value: impl Into<Value>) {
        let mut state = self.state();
        state[name] = value.into();
        std::fs::write(self.file("state.json"), state.to_string()).expect("its state");
    }

    /// So often a kind of operation was carried out.
    pub fn count(&self, verb: &str) -> u64 {
        self.state()["count"][verb].as_u64().unwrap_or_default()
    }

    /// What goes wrong with the next calls whose words hold `on`.
    pub fn fault(&self, on: &str, what: &str, times: u32) {
        let fault = json!([{"on": on, "do": what, "times": times}]);
        std::fs::write(self.file("faults.json"), fault.to_string()).expect("its faults");
    }

    /// Every call so far: `argv`, `env`, `words`, `done`, `pid`.
    pub fn calls(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.file("calls")).unwrap_or_default();
        text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
    }

    /// Forgets the calls so far.
    pub fn forget(&self) {
        let _ = std::fs::remove_file(self.file("calls"));
    }

    /// The process that a hanging call started.
    pub fn sleeper(&self) -> Option<u32> {
        std::fs::read_to_string(self.file("sleeper")).ok()?.trim().parse().ok()
    }
}
