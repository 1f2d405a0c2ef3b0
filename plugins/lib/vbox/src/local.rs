//! Commands of this host.

use crate::kernel;
use crate::output::{MAX_OUTPUT, Output};
use crate::{Kind, VboxError};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, Uid, User};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep_until};

/// How long a command that has ended may keep its output open: VirtualBox's server process may have inherited it.
const AFTER_EXIT: Duration = Duration::from_millis(500);

/// Variables that a command gets. Everything else stays here, the plugin's token above all.
const ENVIRONMENT: [&str; 8] = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "TZ", "TMPDIR", "XDG_RUNTIME_DIR"];

/// Kills the command's process group unless it has ended by itself.
struct Group(Option<Pid>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // It may have ended meanwhile.
            let _ = killpg(group, Signal::SIGKILL);
        }
    }
}

/// Name of the user that commands of this host run as.
#[must_use]
pub fn own_user() -> Option<String> {
    User::from_uid(Uid::effective()).ok().flatten().map(|user| user.name)
}

/// Runs a command to its end; `words` is how errors call it.
pub(crate) async fn run(argv: &[&str], words: &str, deadline: Duration) -> Result<Output, VboxError> {
    let Some((program, args)) = argv.split_first() else {
        return Err(VboxError::new(Kind::Param, "there is no program to run", "set virtualbox/program"));
    };
    let mut child = spawn(program, args)?;
    let mut group = Group(child.id().and_then(|pid| i32::try_from(pid).ok()).map(Pid::from_raw));
    let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
        return Err(
            VboxError::new(Kind::Internal, "no pipes to the command", "see the plugin's log").maybe_sent()
        );
    };
    let end = Instant::now() + deadline;
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let (mut out_open, mut err_open) = (true, true);
    let mut ended = None;
    let mut patience = end;
    while ended.is_none() || ((out_open || err_open) && Instant::now() < patience) {
        tokio::select! {
            more = fill(&mut out, &mut stdout), if out_open => out_open = more,
            more = fill(&mut err, &mut stderr), if err_open => err_open = more,
            status = child.wait(), if ended.is_none() => {
                let status = status.map_err(|e| VboxError::new(Kind::Internal, format!("waiting for {words}: {e}"), "see the plugin's log").maybe_sent())?;
                group.0 = None;
                ended = Some(status);
                patience = Instant::now() + AFTER_EXIT;
            }
            () = sleep_until(patience) => {
                if ended.is_none() {
                    drop(group);
                    let _ = child.wait().await;
                    return Err(silent(words, deadline));
                }
            }
        }
        if stdout.len() + stderr.len() > MAX_OUTPUT {
            return Err(too_much(words));
        }
    }
    Ok(Output { status: ended.and_then(|status| status.code()), stdout, stderr })
}

fn spawn(program: &str, args: &[&str]) -> Result<Child, VboxError> {
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true).env_clear();
    let passed =
        |name: &str| ENVIRONMENT.contains(&name) || name.starts_with("LC_") || name.starts_with("VBOX_");
    command.envs(std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(passed)));
    kernel::dies_with_us(&mut command);
    command.spawn().map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound | std::io::ErrorKind::PermissionDenied => VboxError::new(
            Kind::NoProgram,
            format!("{program} cannot be run on this host: {error}"),
            "install VirtualBox, or set virtualbox/program to where VBoxManage is, or virtualbox/host to the host that has it",
        ),
        _ => VboxError::new(Kind::Internal, format!("cannot start {program}: {error}"), "see the plugin's log"),
    })
}

/// Takes what is there; false at the end.
async fn fill(from: &mut (impl AsyncRead + Unpin), into: &mut Vec<u8>) -> bool {
    matches!(from.read_buf(into).await, Ok(1..))
}

pub(crate) fn silent(words: &str, deadline: Duration) -> VboxError {
    let what = format!("VBoxManage {words} did not end within {} s, and was killed", deadline.as_secs_f32());
    VboxError::new(
        Kind::Silent,
        what,
        "see whether VirtualBox on that host hangs (VBoxSVC), or raise virtualbox/timeout",
    )
    .maybe_sent()
}

pub(crate) fn too_much(words: &str) -> VboxError {
    let what = format!("VBoxManage {words} printed more than {} MB, and was killed", MAX_OUTPUT >> 20);
    VboxError::new(Kind::Protocol, what, "see whether virtualbox/program is really VBoxManage").maybe_sent()
}
