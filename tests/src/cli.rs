//! The command line against a running daemon, over its local socket.

use crate::daemon::{Daemon, binary};
use serde_json::Value;
use std::process::Command;

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Its exit code.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    /// Standard output of a command that must have succeeded, as JSON; null when there is none.
    #[track_caller]
    #[must_use]
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{self:?}");
        if self.out.trim().is_empty() {
            return Value::Null;
        }
        serde_json::from_str(&self.out).unwrap_or_else(|e| panic!("{e} in {:?}", self.out))
    }
}

/// Runs `drp` with these words, and `--format json`.
#[must_use]
pub fn drp(daemon: &Daemon, words: &[&str]) -> Said {
    let mut command = Command::new(binary("drp"));
    command.env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    command.args(["--socket".as_ref(), daemon.socket.as_os_str()]).args(["--format", "json"]).args(words);
    let done = command.output().expect("drp runs");
    Said {
        code: done.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&done.stdout).into_owned(),
        err: String::from_utf8_lossy(&done.stderr).into_owned(),
    }
}
