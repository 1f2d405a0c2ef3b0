//! A plugin process under test.

use crate::{Answer, TestkitError, recorder::object};
use bytes::Bytes;
use drp_protocol::{Action, Event, wire};
use http_body_util::{BodyExt, Full};
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use hyperlocal::UnixConnector;
use nix::{
    sys::signal::{Signal, killpg},
    unistd::Pid,
};
use serde_json::Value;
use std::{
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use tokio::{
    io::{AsyncBufReadExt, AsyncRead, BufReader},
    process::{Child, Command},
    sync::mpsc,
    task::JoinHandle,
};

/// How long a plugin may take to get ready, to answer and to end.
const LIMIT: Duration = Duration::from_secs(30);

type Lines = Arc<Mutex<Vec<String>>>;

/// A plugin that said `READY!`. Dropping it kills its process group.
pub struct RunningPlugin {
    name: String,
    child: Child,
    to: PathBuf,
    from: PathBuf,
    client: Client<UnixConnector, Full<Bytes>>,
    stdout: Lines,
    stderr: Lines,
    server: JoinHandle<std::io::Result<()>>,
}

impl RunningPlugin {
    pub(crate) async fn launch(
        binary: &Path,
        name: &str,
        to: PathBuf,
        from: PathBuf,
        environment: Vec<(String, String)>,
        scratch: &Path,
        server: JoinHandle<std::io::Result<()>>,
    ) -> Result<Self, TestkitError> {
        let mut child = Command::new(binary)
            .arg("listen")
            .args([&to, &from])
            .env_clear()
            .envs(environment)
            .current_dir(scratch)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(TestkitError::io("run", binary))?;
        let (heard, mut stdout_lines) = mpsc::unbounded_channel();
        let (stdout, stderr) = (Lines::default(), Lines::default());
        if let Some(pipe) = child.stdout.take() {
            tokio::spawn(collect(pipe, stdout.clone(), Some(heard)));
        }
        if let Some(pipe) = child.stderr.take() {
            tokio::spawn(collect(pipe, stderr.clone(), None));
        }
        let client = Client::builder(TokioExecutor::new()).build(UnixConnector);
        let plugin = Self { name: name.to_owned(), child, to, from, client, stdout, stderr, server };
        let ready = async {
            while let Some(line) = stdout_lines.recv().await {
                match line.as_str() {
                    wire::READY => return Ok(()),
                    wire::FAILED => return Err("it said Failed".to_owned()),
                    _ => {}
                }
            }
            Err("its output ended".to_owned())
        };
        let outcome = tokio::time::timeout(LIMIT, ready).await;
        match outcome.unwrap_or_else(|_| Err(format!("it said nothing for {LIMIT:?}"))) {
            Ok(()) => Ok(plugin),
            Err(why) => {
                // What it complains comes on another pipe.
                tokio::time::sleep(Duration::from_millis(100)).await;
                Err(TestkitError::NotReady {
                    why,
                    stdout: tail(plugin.stdout()),
                    stderr: tail(plugin.stderr()),
                })
            }
        }
    }

    /// Its process id.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.id()
    }

    /// The to-plugin socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.to
    }

    /// Lines on standard output so far.
    #[must_use]
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Lines on standard error so far.
    #[must_use]
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Sends config with these params and the instance's `Name`.
    ///
    /// # Errors
    /// [`TestkitError::Broken`] without an answer.
    pub async fn config(&self, params: Value) -> Result<Answer, TestkitError> {
        let mut params = object(params);
        params.insert("Name".to_owned(), self.name.clone().into());
        self.post(wire::CONFIG, Value::Object(params).to_string()).await
    }

    /// Runs a command of the `system` set.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub async fn action(&self, command: &str, params: Value) -> Result<Answer, TestkitError> {
        self.action_on("system", Value::Null, command, params).await
    }

    /// Runs a command on an object.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub async fn action_on(
        &self,
        set: &str,
        model: Value,
        command: &str,
        params: Value,
    ) -> Result<Answer, TestkitError> {
        let action = Action {
            model,
            plugin: self.name.clone(),
            command: command.to_owned(),
            command_set: set.to_owned(),
            params: object(params),
        };
        self.post(wire::ACTION, serde_json::to_string(&action).unwrap_or_default()).await
    }

    /// Sends an event.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub async fn publish(&self, event: &Event) -> Result<Answer, TestkitError> {
        self.post(wire::PUBLISH, serde_json::to_string(event).unwrap_or_default()).await
    }

    /// POSTs a JSON body.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub async fn post(&self, path: &str, body: impl Into<Bytes>) -> Result<Answer, TestkitError> {
        self.request(Method::POST, path, &[("content-type", "application/json")], body).await
    }

    /// Any request.
    ///
    /// # Errors
    /// As [`config`](Self::config).
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> Result<Answer, TestkitError> {
        let broken = |why: String| TestkitError::Broken { path: path.to_owned(), why };
        let uri: hyper::Uri = hyperlocal::Uri::new(&self.to, path).into();
        let mut request = Request::builder().method(method).uri(uri).header("host", "unix");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(|e| broken(e.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|e| broken(e.to_string()))?;
            let status = answer.status().as_u16();
            let content_type =
                answer.headers().get("content-type").and_then(|v| v.to_str().ok()).unwrap_or_default();
            let content_type = content_type.to_owned();
            let body = answer.into_body().collect().await.map_err(|e| broken(e.to_string()))?.to_bytes();
            Ok(Answer { status, body, content_type, what: path.to_owned() })
        };
        tokio::time::timeout(LIMIT, exchange)
            .await
            .map_err(|_| broken(format!("no answer within {LIMIT:?}")))?
    }

    /// Asks it to stop and waits for its end. An answer is wanted: SDK plugins give one.
    ///
    /// # Errors
    /// [`TestkitError::Broken`] without an answer, [`TestkitError::Late`] when it lives on.
    pub async fn stop(&mut self) -> Result<ExitStatus, TestkitError> {
        self.post(wire::STOP, "null").await?.success()?;
        self.ended().await
    }

    /// Waits for its end.
    ///
    /// # Errors
    /// [`TestkitError::Late`] when it lives on.
    pub async fn ended(&mut self) -> Result<ExitStatus, TestkitError> {
        let what = || format!("the end of plugin {}", self.name);
        match tokio::time::timeout(LIMIT, self.child.wait()).await {
            Ok(status) => status.map_err(TestkitError::io("wait for", &self.name)),
            Err(_) => Err(TestkitError::Late { what: what(), limit: LIMIT }),
        }
    }

    /// Sends a signal to its process group.
    pub fn signal(&self, signal: Signal) {
        if let Some(pid) = self.pid().and_then(|p| i32::try_from(p).ok()) {
            // It may have ended by itself.
            let _ = killpg(Pid::from_raw(pid), signal);
        }
    }
}

impl Drop for RunningPlugin {
    fn drop(&mut self) {
        self.signal(Signal::SIGKILL);
        self.server.abort();
        let _ = std::fs::remove_file(&self.from);
    }
}

/// Lines that are kept for a test to look at.
const KEEP: usize = 100_000;
/// Longest part of a line that is kept, in bytes.
const LINE_LIMIT: usize = 4096;

/// Drains a pipe for ever, whatever comes.
async fn collect(pipe: impl AsyncRead + Unpin, lines: Lines, heard: Option<mpsc::UnboundedSender<String>>) {
    let mut reader = BufReader::new(pipe);
    let mut line = Vec::new();
    loop {
        let block = match reader.fill_buf().await {
            Ok([]) | Err(_) => return,
            Ok(block) => block,
        };
        let end = block.iter().position(|b| *b == b'\n');
        let room = LINE_LIMIT.saturating_sub(line.len());
        let part = &block[..end.unwrap_or(block.len())];
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(block.len(), |at| at + 1);
        reader.consume(used);
        if end.is_some() {
            let text = String::from_utf8_lossy(&std::mem::take(&mut line)).into_owned();
            if let Some(heard) = &heard {
                let _ = heard.send(text.clone());
            }
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            if lines.len() < KEEP {
                lines.push(text);
            }
        }
    }
}

/// The last lines, for a message.
fn tail(mut lines: Vec<String>) -> Vec<String> {
    lines.split_off(lines.len().saturating_sub(20))
}
