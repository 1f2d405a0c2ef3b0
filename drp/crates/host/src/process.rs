//! One `listen` process: start, readiness, end (wire-protocol §1.5, §1.10).

use crate::environment::Environment;
use crate::from_plugin::{FromPlugin, Reporter};
use crate::lines::{self, Kept};
use crate::link::Link;
use crate::proc;
use crate::records::{Recorded, Records};
use crate::sockets::SocketPair;
use crate::spawner::{self, Children};
use crate::{HostError, Limits, diagnose, kernel};
use drp_protocol::{Error, Level, Secret, wire};
use nix::sys::signal::Signal;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::io::AsyncRead;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// What a process is started with.
pub(crate) struct Launch {
    pub(crate) reporter: Reporter,
    pub(crate) binary: PathBuf,
    pub(crate) sockets: SocketPair,
    pub(crate) token: Secret,
    pub(crate) environment: Environment,
    pub(crate) scratch: PathBuf,
    pub(crate) limits: Arc<Limits>,
    pub(crate) output: Output,
    pub(crate) leaving: mpsc::Sender<Error>,
    pub(crate) records: Arc<Records>,
    pub(crate) keepers: TaskTracker,
}

/// The last lines of both output streams.
#[derive(Debug, Clone, Default)]
pub(crate) struct Output {
    pub(crate) stdout: Arc<Kept>,
    pub(crate) stderr: Arc<Kept>,
}

/// A process that said `READY!`.
pub(crate) struct Process {
    pub(crate) link: Arc<Link>,
    pub(crate) pid: u32,
    pub(crate) started: Instant,
    signals: mpsc::Sender<Signal>,
    ended: CancellationToken,
    reporter: Reporter,
    limits: Arc<Limits>,
}

/// What the first lines of standard output say.
enum Word {
    Ready,
    Failed,
}

impl Process {
    /// Serves the from-plugin socket, starts `listen` and waits for `READY!`. When this future is dropped
    /// the process is ended.
    pub(crate) async fn start(launch: Launch) -> Result<Self, HostError> {
        let Launch { reporter, binary, sockets, token, limits, output, .. } = &launch;
        let plugin = Arc::clone(&reporter.plugin);
        let failed = |spawned, why: String| HostError::Start { plugin: plugin.to_string(), why, spawned };
        let server =
            FromPlugin::serve(&sockets.from_plugin, reporter.clone(), launch.leaving.clone(), limits)?;
        let mut command = Command::new(binary);
        command.arg("listen").arg(&sockets.to_plugin).arg(&sockets.from_plugin);
        prepare(&mut command, &launch);
        // Asked before: what the kernel refuses as a program would be handed to the shell by execvp(3).
        let spawned = match diagnose::file(binary) {
            Some(why) => Err(why),
            None => spawner::spawn(command).await.map_err(|e| diagnose::spawn_error(binary, &e)),
        };
        let mut child = match spawned {
            Ok(child) => child,
            Err(why) => {
                server.close().await;
                return Err(failed(false, why));
            }
        };
        let Some(pid) = child.id() else { return Err(failed(false, "it ended at once".to_owned())) };
        let token_hash = proc::hash(token.expose().as_bytes());
        let recorded = launch.records.note(pid, &sockets.to_plugin, &token_hash);
        let (words, mut first_word) = mpsc::channel(1);
        let pumps = [
            child.stdout.take().map(|s| pump(s, &launch, "stdout", Some(words))),
            child.stderr.take().map(|s| pump(s, &launch, "stderr", None)),
        ];
        let link = Arc::new(Link::new(Arc::clone(&plugin), &sockets.to_plugin, limits));
        let ended = CancellationToken::new();
        let (signals, received) = mpsc::channel(8);
        let to_plugin = sockets.to_plugin.clone();
        let (ready, output) = (limits.ready, output.clone());
        let process = Self {
            link: Arc::clone(&link),
            pid,
            started: Instant::now(),
            signals,
            ended: ended.clone(),
            reporter: reporter.clone(),
            limits: Arc::clone(limits),
        };
        let keeper =
            Keeper { child, pid, link: Arc::clone(&link), token_hash, server, pumps, ended, recorded };
        launch.keepers.spawn(keeper.keep(received, launch.sockets));

        let why = tokio::select! {
            word = tokio::time::timeout(ready, first_word.recv()) => match word {
                Ok(Some(Word::Ready)) => match std::fs::metadata(&to_plugin) {
                    Ok(_) => {
                        let _ = std::fs::set_permissions(&to_plugin, std::fs::Permissions::from_mode(0o600));
                        return Ok(process);
                    }
                    Err(e) => format!("it said READY! without its socket {}: {e}", to_plugin.display()),
                },
                Ok(Some(Word::Failed)) => "it said Failed".to_owned(),
                // A process that ends closes its output a moment before its end is seen.
                Ok(None) if process.gone_within(Duration::from_millis(500)).await => String::new(),
                Ok(None) => "it closed its standard output before READY!".to_owned(),
                Err(_) => format!("it did not say READY! within {ready:?}"),
            },
            () = link.gone.cancelled() => String::new(),
        };
        process.kill().await;
        // By now both streams are read to their ends, so the diagnosis sees all of them.
        let how = link.how.get().cloned().unwrap_or_default();
        let why = match first_word.try_recv() {
            Ok(Word::Failed) => format!("it said Failed and {how}"),
            _ if why.is_empty() => format!("it {how} before READY!"),
            _ => why,
        };
        Err(failed(true, diagnose::with_hint(why, &output.stderr.all())))
    }

    /// Stops it: no further calls, those in flight may finish, `/stop`, then SIGTERM, then SIGKILL, and
    /// returns when it is reaped and its sockets are gone.
    pub(crate) async fn stop(&self) {
        self.link.close();
        if !self.link.drained(self.limits.drain).await {
            let count = self.link.in_flight();
            self.reporter.host(Level::Warn, format!("stops with {count} calls still in flight"));
        }
        let heard = self.link.stop(self.limits.stop).await;
        if heard && self.gone_within(self.limits.exit).await {
            return self.ended.cancelled().await;
        }
        self.reporter.host(Level::Warn, "did not stop when asked: sending SIGTERM");
        let _ = self.signals.send(Signal::SIGTERM).await;
        if !self.gone_within(self.limits.term).await {
            self.reporter.host(Level::Warn, "did not end on SIGTERM: sending SIGKILL");
        }
        self.kill().await;
    }

    /// Kills it and its process group, and returns when it is reaped.
    pub(crate) async fn kill(&self) {
        self.link.close();
        let _ = self.signals.send(Signal::SIGKILL).await;
        self.ended.cancelled().await;
    }

    /// Returns when the process has ended.
    pub(crate) async fn gone(&self) {
        self.link.gone.cancelled().await;
    }

    /// Returns when everything of it is cleaned up.
    pub(crate) async fn cleaned_up(&self) {
        self.ended.cancelled().await;
    }

    /// How it ended.
    pub(crate) fn how(&self) -> String {
        self.link.how.get().cloned().unwrap_or_else(|| "ended".to_owned())
    }

    /// Whether the process ends within that time.
    pub(crate) async fn gone_within(&self, time: Duration) -> bool {
        tokio::time::timeout(time, self.gone()).await.is_ok()
    }
}

/// What every plugin process gets, whatever it is run for.
fn prepare(command: &mut Command, launch: &Launch) {
    command.current_dir(&launch.scratch).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    launch.environment.apply(command, &launch.token);
    kernel::confine(command, launch.limits.open_files);
}

/// Drains a stream for the life of the process: the protocol's words first, everything else to the log.
fn pump(
    stream: impl AsyncRead + Unpin + Send + 'static,
    launch: &Launch,
    name: &'static str,
    mut words: Option<mpsc::Sender<Word>>,
) -> JoinHandle<()> {
    let (reporter, limits, token) =
        (launch.reporter.clone(), Arc::clone(&launch.limits), launch.token.clone());
    let kept = Arc::clone(if name == "stdout" { &launch.output.stdout } else { &launch.output.stderr });
    let level = if name == "stdout" { Level::Info } else { Level::Warn };
    tokio::spawn(async move {
        lines::read_lines(stream, limits.line, |line| {
            let word = match line.as_str() {
                wire::READY => Some(Word::Ready),
                wire::FAILED => Some(Word::Failed),
                _ => None,
            };
            if let Some(word) = word
                && let Some(words) = words.take()
            {
                let _ = words.try_send(word);
                return;
            }
            let line = lines::scrub(line, &token);
            kept.push(line.clone(), limits.kept_lines);
            reporter.printed(name, level, line);
        })
        .await;
    })
}

/// Owns the child from its start to the last trace of it.
struct Keeper {
    child: Child,
    pid: u32,
    link: Arc<Link>,
    token_hash: String,
    server: FromPlugin,
    pumps: [Option<JoinHandle<()>>; 2],
    ended: CancellationToken,
    recorded: Option<Recorded>,
}

impl Keeper {
    async fn keep(mut self, mut signals: mpsc::Receiver<Signal>, sockets: SocketPair) {
        let status = loop {
            tokio::select! {
                biased;
                status = self.child.wait() => break status,
                // All handles dropped: nobody wants it any more.
                signal = signals.recv() => {
                    // Not reaped yet, so the pid is still its own.
                    kernel::signal_group(self.pid, signal.unwrap_or(Signal::SIGKILL));
                    if signal.is_none() {
                        break self.child.wait().await;
                    }
                }
            }
        };
        let how = match status {
            Ok(status) => diagnose::how_it_ended(status),
            Err(e) => format!("ended: {e}"),
        };
        let _ = self.link.how.set(how);
        self.link.close();
        // Calls in flight fail now, before any cleaning up.
        self.link.gone.cancel();
        Children::forget(self.pid);
        proc::end_leftovers(self.pid, &self.token_hash).await;
        for pump in self.pumps.into_iter().flatten() {
            let abort = pump.abort_handle();
            if tokio::time::timeout(Duration::from_secs(1), pump).await.is_err() {
                abort.abort();
            }
        }
        // The log is served until the child is reaped and its output is read (wire-protocol §1.8).
        self.server.close().await;
        drop(sockets);
        drop(self.recorded);
        self.ended.cancel();
    }
}
