//! Jinja2 templates of callers, each rendered in a process of its own. The engine bounds steps, time and output, but not
//! the memory between two steps; the kernel does, and the daemon does not share its fate.

use drp_jinja::Templates;
use nix::sys::resource::{Resource, setrlimit};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::process::{ExitCode, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

/// The word after which this program renders one template.
const WORD: &str = "--template-worker";
/// Address space of a worker, in bytes.
const MEMORY: u64 = 512 << 20;
/// CPU time of a worker, in seconds; the engine's own limit comes first.
const CPU: u64 = 15;
/// How long a worker may take, its start included.
const DEADLINE: Duration = Duration::from_secs(15);
/// Longest answer that is read, in bytes.
const ANSWER: u64 = 64 << 20;

/// A template to render.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) name: String,
    pub(super) content: String,
    pub(super) context: Value,
}

type Made = Result<String, String>;

/// Renders a template in a process of its own.
pub(super) async fn render(task: &Task) -> io::Result<Made> {
    let mut child = Command::new("/proc/self/exe")
        .arg(WORD)
        .env_clear()
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    let broken = || io::Error::from(io::ErrorKind::BrokenPipe);
    let (mut to, from) = child.stdin.take().zip(child.stdout.take()).ok_or_else(broken)?;
    let text = serde_json::to_vec(task)?;
    let talk = async {
        // One that ends early has said why, or is asked about by its status.
        let _ = to.write_all(&text).await;
        drop(to);
        let mut answer = Vec::new();
        from.take(ANSWER).read_to_end(&mut answer).await?;
        io::Result::Ok((answer, child.wait().await?))
    };
    let Ok(done) = tokio::time::timeout(DEADLINE, talk).await else {
        return Ok(Err(format!(
            "template {} was not rendered within {} s: shorten it",
            task.name,
            DEADLINE.as_secs()
        )));
    };
    let (answer, status) = done?;
    if status.success() {
        return Ok(serde_json::from_slice(&answer)?);
    }
    Ok(Err(format!(
        "rendering template {} ended its worker ({status}): it needs more than {} MB: make it smaller",
        task.name,
        MEMORY / 1_000_000
    )))
}

/// When the daemon started this program to render a template: does so, and says how to end.
#[must_use]
pub fn template_worker(mut words: impl Iterator<Item = OsString>) -> Option<ExitCode> {
    let word = words.nth(1)?;
    (word == WORD).then(|| if work().is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn work() -> io::Result<()> {
    setrlimit(Resource::RLIMIT_AS, MEMORY, MEMORY)?;
    setrlimit(Resource::RLIMIT_CPU, CPU, CPU)?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
    let mut text = Vec::new();
    io::stdin().lock().read_to_end(&mut text)?;
    let task: Task = serde_json::from_slice(&text)?;
    let made = Templates::of_text(&task.name, task.content)
        .and_then(|templates| templates.render(&task.name, &task.context));
    let made: Made = made.map_err(|error| match error.hint() {
        Some(hint) => format!("{error}; {hint}"),
        None => error.to_string(),
    });
    let mut out = io::stdout().lock();
    serde_json::to_writer(&mut out, &made)?;
    out.flush()
}
