//! Runs `drp` and looks at what came of it.

use drp_tests::daemon::{Daemon, binary};
use serde_json::Value;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

/// A command line in the making.
pub struct Drp {
    command: Command,
    input: Option<Vec<u8>>,
    words: Vec<String>,
}

/// What came of it.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Drp {
    /// Without a daemon, and with an environment of its own.
    pub fn new<S: AsRef<str>>(words: impl IntoIterator<Item = S>) -> Self {
        let words: Vec<String> = words.into_iter().map(|w| w.as_ref().to_owned()).collect();
        let mut command = Command::new(binary("drp"));
        command.env_clear().env("PATH", "/usr/bin:/bin").args(&words);
        Self { command, input: None, words }
    }

    /// For a daemon, through its local socket.
    pub fn on<S: AsRef<str>>(daemon: &Daemon, words: impl IntoIterator<Item = S>) -> Self {
        Self::at(daemon.base(), words)
    }

    /// For a base root.
    pub fn at<S: AsRef<str>>(base: &Path, words: impl IntoIterator<Item = S>) -> Self {
        Self::new(words).env("DRP_BASE_ROOT", &base.display().to_string())
    }

    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub fn dir(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub fn input(mut self, text: &str) -> Self {
        self.input = Some(text.as_bytes().to_vec());
        self
    }

    /// Starts it with its output piped, for streams.
    pub fn spawn(mut self) -> std::process::Child {
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    }

    pub fn run(mut self) -> Ran {
        let stdin = if self.input.is_some() { Stdio::piped() } else { Stdio::null() };
        let mut child =
            self.command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        if let Some(input) = &self.input {
            // A command that fails early does not read it.
            let _ = child.stdin.take().unwrap().write_all(input);
        }
        let output = child.wait_with_output().unwrap();
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs it, and panics unless it succeeds.
    pub fn ok(self) -> Ran {
        let words = self.words.clone();
        let ran = self.run();
        assert_eq!(ran.code, 0, "drp {words:?}: {ran:#?}");
        ran
    }

    /// Runs it, and panics unless it ends with this code.
    pub fn fails(self, code: i32) -> Ran {
        let words = self.words.clone();
        let ran = self.run();
        assert_eq!(ran.code, code, "drp {words:?}: {ran:#?}");
        ran
    }

    /// Runs it and takes its output as JSON.
    pub fn json(self) -> Value {
        let ran = self.ok();
        serde_json::from_str(&ran.out).unwrap_or_else(|e| panic!("{e}: {ran:#?}"))
    }
}

impl Ran {
    /// The hints, one line each.
    pub fn hints(&self) -> String {
        self.err.lines().filter_map(|l| l.strip_prefix("hint: ")).collect::<Vec<_>>().join("\n")
    }
}
