//! One worker process.

use crate::{Answer, Request, SchemaError, Settings};
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// Longest answer that is read, in bytes.
const ANSWER_BYTES: u64 = 64 << 20;

/// A running `drp-nickel`. It is killed when this is dropped.
pub(crate) struct Worker {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    documents: u32,
}

/// Why a worker gave no answer.
pub(crate) enum Lost {
    /// It ended, in this way.
    Ended(String),
    /// It said something that is no answer.
    Garbled(std::io::Error),
}

impl Worker {
    /// Starts one. Its environment is empty: nothing of ours is its business.
    pub(crate) fn start(settings: &Settings) -> Result<Self, SchemaError> {
        let failed = |source| SchemaError::Worker { what: "start", path: settings.worker.clone(), source };
        let mut child = Command::new(&settings.worker)
            .arg("--memory")
            .arg(settings.memory.to_string())
            .arg("--parent")
            .arg(std::process::id().to_string())
            .env_clear()
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        let pipes = child.stdin.take().zip(child.stdout.take());
        let (requests, answers) = pipes.ok_or_else(|| failed(std::io::ErrorKind::BrokenPipe.into()))?;
        Ok(Self { child, requests, answers: BufReader::new(answers), documents: 0 })
    }

    /// How many documents it has seen.
    pub(crate) fn documents(&self) -> u32 {
        self.documents
    }

    /// Asks, and waits for the answer as long as the caller does. A worker whose call was not awaited to its end
    /// must not be used again.
    pub(crate) async fn ask(&mut self, request: &Request) -> Result<Answer, Lost> {
        self.documents += 1;
        let mut line = serde_json::to_vec(request).map_err(|error| Lost::Garbled(error.into()))?;
        line.push(b'\n');
        let sent = self.requests.write_all(&line).await;
        let mut answer = Vec::new();
        if sent.is_ok() {
            let read = (&mut self.answers).take(ANSWER_BYTES).read_until(b'\n', &mut answer).await;
            read.map_err(Lost::Garbled)?;
        }
        if answer.last() != Some(&b'\n') {
            let _ = self.child.start_kill();
            let status = self.child.wait().await;
            return Err(Lost::Ended(
                status.map_or_else(|error| error.to_string(), |status| status.to_string()),
            ));
        }
        serde_json::from_slice(&answer).map_err(|error| Lost::Garbled(error.into()))
    }
}
