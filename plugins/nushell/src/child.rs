//! One run of Nushell, from its start to the end of the last process that it left behind.

use crate::error::NushellError;
use crate::heard::{Hear, Heard, LINE, LOG_FORMAT, LogLines, control};
use crate::scratch::Scratch;
use crate::supervise::{OURSELVES, SUPERVISE};
use drp_plugin_sdk::CancellationToken;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};
use tokio::sync::mpsc;

/// Address space of Nushell and of each program that it starts, in bytes.
pub(crate) const MEMORY: u64 = 8 << 30;
/// Longest result, in bytes.
pub(crate) const RESULT: usize = 32 << 20;
/// How long the supervisor may take to end everything.
const CLEAN_UP: Duration = Duration::from_secs(20);
/// Lines that wait to be told. More make Nushell wait.
const WAITING: usize = 64;
/// Last lines of standard error that are kept for errors.
const KEPT: usize = 40;
/// Variables that it inherits; the others are made here.
const INHERITED: [&str; 4] = ["PATH", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"];

/// What is run.
pub(crate) struct Run<'a> {
    /// What it is, for errors.
    pub(crate) what: String,
    /// The program `nu`.
    pub(crate) nu: &'a Path,
    /// Its arguments.
    pub(crate) arguments: Vec<OsString>,
    /// Its private folder.
    pub(crate) scratch: &'a Scratch,
    /// Its working directory.
    pub(crate) folder: &'a Path,
    /// What it reads from standard input.
    pub(crate) input: Vec<u8>,
    /// When it is ended.
    pub(crate) deadline: Duration,
}

/// How it went.
#[derive(Debug, Default)]
pub(crate) struct Finished {
    /// What it wrote to the result pipe.
    pub(crate) result: Vec<u8>,
    /// How the process ended.
    pub(crate) how: String,
    /// The last lines on standard output.
    pub(crate) printed: Vec<String>,
    /// The last lines on standard error that are no log lines.
    pub(crate) said: Vec<String>,
}

/// Ends a supervisor that nobody waits for any more. Killing it would leave alone what it watches over.
struct Guard {
    child: Child,
}

impl Guard {
    fn terminate(&self) {
        if let Some(pid) = self.child.id().and_then(|pid| i32::try_from(pid).ok()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.terminate();
    }
}

impl Run<'_> {
    /// Runs it, and hands over what it says as it says it.
    pub(crate) async fn run(
        self,
        cancelled: &CancellationToken,
        hear: &mut impl Hear,
    ) -> Result<Finished, NushellError> {
        let open = || NushellError::system("open the pipes of Nushell");
        let receiver = |path| pipe::OpenOptions::new().read_write(true).open_receiver(path).map_err(open());
        let (control_pipe, result_pipe) =
            (receiver(self.scratch.control())?, receiver(self.scratch.result())?);
        let mut guard =
            Guard { child: self.command().spawn().map_err(NushellError::system("start Nushell"))? };
        let child = &mut guard.child;
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (sender, mut receiver) = mpsc::channel(WAITING);
        let over = CancellationToken::new();
        let too_large = CancellationToken::new();
        let feed = async {
            if let Some(mut stdin) = stdin {
                // It may end without reading.
                let _ = stdin.write_all(&self.input).await;
            }
        };
        let listen = async {
            let told = sender;
            let mut lines = LogLines::default();
            let printed = each_line(stream(stdout), |line| vec![Heard::Printed(line.to_owned())], &told);
            let said = async {
                each_line(stream(stderr), |line| lines.line(line), &told).await;
                if let Some(last) = lines.end() {
                    let _ = told.send(last).await;
                }
            };
            let controls = Source::Pipe(control_pipe, over.clone());
            let controls = each_line(controls, |line| vec![control(line)], &told);
            let result = Source::Pipe(result_pipe, over.clone());
            tokio::join!(printed, said, controls, whole(result, &too_large)).3
        };
        let mut finished = Finished::default();
        let tell = async {
            while let Some(heard) = receiver.recv().await {
                finished.keep(&heard);
                hear.hear(heard).await;
            }
        };
        let wait = async {
            let outcome = tokio::select! {
                ended = guard.child.wait() => {
                    ended.map(drop).map_err(NushellError::system("wait for Nushell"))
                }
                () = tokio::time::sleep(self.deadline) => {
                    Err(NushellError::Late { what: self.what.clone(), limit: self.deadline })
                }
                () = cancelled.cancelled() => Err(NushellError::Stopped(self.what.clone())),
                () = too_large.cancelled() => {
                    Err(NushellError::TooLarge { what: self.what.clone(), limit: RESULT })
                }
            };
            if outcome.is_err() {
                guard.terminate();
                if tokio::time::timeout(CLEAN_UP, guard.child.wait()).await.is_err() {
                    let _ = guard.child.kill().await;
                }
            }
            over.cancel();
            outcome
        };
        let ((), result, (), outcome) = tokio::join!(feed, listen, tell, wait);
        outcome?;
        finished.result = result;
        Ok(finished)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(OURSELVES);
        command.arg(SUPERVISE).arg(self.scratch.path());
        command.arg(std::process::id().to_string()).arg(MEMORY.to_string());
        command.arg(self.nu).args(&self.arguments).current_dir(self.folder);
        command.env_clear();
        for name in INHERITED {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let home = self.scratch.path().join("home");
        command.env("HOME", &home).env("TMPDIR", self.scratch.path().join("tmp"));
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME"] {
            command.env(name, &home);
        }
        command.env("LANG", "C.UTF-8").env("NO_COLOR", "1").env("SHELL", "/bin/sh");
        command.env("NU_LOG_LEVEL", "DEBUG").env("NU_LOG_FORMAT", LOG_FORMAT);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }
}

fn stream(stream: Option<impl AsyncRead + Unpin + Send + 'static>) -> Source {
    match stream {
        Some(stream) => Source::Stream(Box::new(stream)),
        None => Source::Stream(Box::new(tokio::io::empty())),
    }
}

impl Finished {
    fn keep(&mut self, heard: &Heard) {
        let (kept, line) = match heard {
            Heard::Printed(line) => (&mut self.printed, line),
            Heard::Complained(line) => (&mut self.said, line),
            Heard::Ended(how) => {
                how.clone_into(&mut self.how);
                return;
            }
            _ => return,
        };
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push(line.clone());
    }
}

/// Where bytes come from.
enum Source {
    /// A stream of the child, which ends with it.
    Stream(Box<dyn AsyncRead + Unpin + Send>),
    /// A named pipe. This process holds it open for writing too, so it never ends by itself: the token says when the
    /// other end is gone, and what is in it then is all there is.
    Pipe(pipe::Receiver, CancellationToken),
}

impl Source {
    async fn next(&mut self, buffer: &mut [u8]) -> Option<usize> {
        let read = match self {
            Self::Stream(stream) => stream.read(buffer).await,
            Self::Pipe(pipe, over) => {
                tokio::select! {
                    biased;
                    read = pipe.read(buffer) => read,
                    // Asks the kernel, since the runtime may not have heard of the last bytes yet.
                    () = over.cancelled() => nix::unistd::read(&*pipe, buffer).map_err(Into::into),
                }
            }
        };
        read.ok().filter(|count| *count > 0)
    }
}

/// Hands over line by line.
async fn each_line(
    mut source: Source,
    mut read: impl FnMut(&str) -> Vec<Heard> + Send,
    told: &mpsc::Sender<Heard>,
) {
    let mut buffer = vec![0; 16 << 10];
    let mut line: Vec<u8> = Vec::new();
    loop {
        let count = source.next(&mut buffer).await;
        let mut heard = Vec::new();
        for byte in &buffer[..count.unwrap_or(0)] {
            match byte {
                b'\n' => heard.extend(read(&text_of(&mut line))),
                _ if line.len() < LINE => line.push(*byte),
                _ => {}
            }
        }
        if count.is_none() && !line.is_empty() {
            heard.extend(read(&text_of(&mut line)));
        }
        for heard in heard {
            let _ = told.send(heard).await;
        }
        if count.is_none() {
            return;
        }
    }
}

fn text_of(line: &mut Vec<u8>) -> String {
    let text = String::from_utf8_lossy(line).trim_end_matches('\r').to_owned();
    line.clear();
    text
}

/// Reads everything, within the bound.
async fn whole(mut source: Source, too_large: &CancellationToken) -> Vec<u8> {
    let mut result = Vec::new();
    let mut buffer = vec![0; 64 << 10];
    while let Some(count) = source.next(&mut buffer).await {
        if result.len() + count > RESULT {
            too_large.cancel();
        } else {
            result.extend_from_slice(&buffer[..count]);
        }
    }
    result
}
