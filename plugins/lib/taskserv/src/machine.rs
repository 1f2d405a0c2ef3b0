//! The machine that a task service is on, and what it is told.

use crate::TaskservError;
use crate::record::shortened;
use drp_ssh::{Output, Run, Ssh};
use std::sync::Arc;
use std::time::Duration;

/// A machine that is reached over SSH.
#[derive(Debug, Clone)]
pub(crate) struct Machine {
    pub(crate) ssh: Arc<Ssh>,
    /// `sudo -n`, or nothing.
    pub(crate) prefix: Vec<String>,
    /// What all paths are put below, without a slash at its end.
    pub(crate) root: String,
    /// How long one step may take.
    pub(crate) timeout: Duration,
}

impl Machine {
    /// A path below the root.
    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.root)
    }

    /// A script with values as `$1`, `$2`, …, whatever its exit status.
    pub(crate) async fn ask(
        &self,
        text: &'static str,
        arguments: &[&str],
        words: &str,
    ) -> Result<Output, TaskservError> {
        let run = Run::script(&self.prefix, text, arguments.iter().copied());
        Ok(self.ssh.run(run.called(words).within(self.timeout)).await?)
    }

    /// As [`ask`](Self::ask); another status than 0 is an error. What it printed.
    pub(crate) async fn tell(
        &self,
        text: &'static str,
        arguments: &[&str],
        words: &str,
    ) -> Result<String, TaskservError> {
        let output = self.ask(text, arguments, words).await?;
        self.judge(output, words)
    }

    /// A command; another status than 0 is an error. What it printed.
    pub(crate) async fn run(&self, argv: &[&str], words: &str) -> Result<String, TaskservError> {
        let output = self.run_within(argv, words, self.timeout).await?;
        self.judge(output, words)
    }

    /// A command, whatever its exit status.
    pub(crate) async fn run_within(
        &self,
        argv: &[&str],
        words: &str,
        deadline: Duration,
    ) -> Result<Output, TaskservError> {
        let argv = self.prefix.iter().map(String::as_str).chain(argv.iter().copied());
        Ok(self.ssh.run(Run::argv(argv).called(words).within(deadline)).await?)
    }

    /// Writes a file.
    pub(crate) async fn write(&self, path: &str, mode: u32, content: Vec<u8>) -> Result<(), TaskservError> {
        Ok(self.ssh.upload(&self.prefix, path, mode, content, self.timeout).await?)
    }

    fn judge(&self, output: Output, words: &str) -> Result<String, TaskservError> {
        if output.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        let said = if said.trim().is_empty() { "it said nothing".to_owned() } else { shortened(said.trim()) };
        let status = output.status.map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
        let what = format!("{words} on {} ended with {status}: {said}", self.ssh.target());
        Err(TaskservError::machine(what, ""))
    }
}
