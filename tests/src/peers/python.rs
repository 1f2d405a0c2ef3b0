//! Python with packages: `DRP_TEST_PYTHON`, or the `.venv` that tests/setup.sh makes.

use super::process::{scripts, skipped};
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The Python that has a module. `None` when there is none.
pub(super) fn with_module(module: &str) -> Option<PathBuf> {
    let path = std::env::var_os("DRP_TEST_PYTHON")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../.venv/bin/python"), PathBuf::from);
    let works = Command::new(&path).args(["-c", &format!("import {module}")]).output();
    works.is_ok_and(|o| o.status.success()).then_some(path)
}

/// PyNaCl and Python's scrypt: sealed values and password hashes by others.
#[derive(Debug)]
pub struct SecretsPeer {
    python: PathBuf,
}

impl SecretsPeer {
    /// Finds it. `None` (after saying SKIPPED) when Python or PyNaCl is absent.
    pub fn find() -> Option<Self> {
        let python = with_module("nacl");
        if python.is_none() {
            skipped("PyNaCl", "run tests/setup.sh, or set DRP_TEST_PYTHON to a Python that has it");
        }
        python.map(|python| Self { python })
    }

    /// Asks it; panics with what it said when it fails. What can be asked is in tests/peers/secrets_peer.py.
    pub fn ask(&self, request: &Value) -> Value {
        let mut child = Command::new(&self.python)
            .arg(scripts().join("secrets_peer.py"))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Python starts");
        child.stdin.take().expect("stdin").write_all(request.to_string().as_bytes()).expect("written");
        let output = child.wait_with_output().expect("it ends");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("JSON")
    }
}
