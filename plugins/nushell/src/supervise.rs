//! The process between the plugin and Nushell. Whatever the extension's code starts, and however it hides it (a session
//! of its own, a parent that is gone), the kernel hands to this process, which leaves nothing alive when it ends.
//!
//! It has a session of its own and no token in its environment, so that the daemon's clean-up of a dead plugin leaves
//! it the moment it needs to clean up itself: it is told of the plugin's end by a signal (`PR_SET_PDEATHSIG`).

use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, getpid, getppid, setsid};
use std::collections::{HashMap, HashSet};
use std::ffi::{OsStr, OsString};
use std::fmt::Display;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

/// `nushell --supervise SCRATCH PARENT MEMORY PROGRAM ARGUMENT…`
pub(crate) const SUPERVISE: &str = "--supervise";
/// `nushell --become PARENT MEMORY PROGRAM ARGUMENT…`
pub(crate) const BECOME: &str = "--become";
/// This program, even after its file was replaced.
pub(crate) const OURSELVES: &str = "/proc/self/exe";

/// Runs a program, and ends all that it left behind.
pub(crate) fn supervise(words: &[OsString]) -> ExitCode {
    let [scratch, parent, rest @ ..] = words else { return failed("usage") };
    let mut signals = SigSet::empty();
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP, Signal::SIGCHLD] {
        signals.add(signal);
    }
    let ready = signals
        .thread_block()
        .and_then(|()| prctl::set_child_subreaper(true))
        .and_then(|()| tie_to(parent, Signal::SIGTERM))
        .and_then(|()| setsid());
    if let Err(error) = ready {
        return failed(error);
    }
    let own = getpid();
    let child = Command::new(OURSELVES).arg(BECOME).arg(own.to_string()).args(rest).spawn();
    let main = match child {
        Ok(child) => Pid::from_raw(i32::try_from(child.id()).unwrap_or(-1)),
        Err(error) => return failed(error),
    };
    let how = loop {
        if let Some(how) = reap(main).0 {
            break Some(how);
        }
        match signals.wait() {
            Ok(Signal::SIGCHLD) => {}
            _ => break None,
        }
    };
    let how = end_all(own, main).or(how);
    let scratch = Path::new(scratch);
    tell(scratch, how);
    let _ = std::fs::remove_dir_all(scratch);
    match how {
        Some(WaitStatus::Exited(_, code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        _ => ExitCode::FAILURE,
    }
}

/// Takes limits and becomes the program.
pub(crate) fn become_program(words: &[OsString]) -> ExitCode {
    let [parent, memory, program, arguments @ ..] = words else { return failed("usage") };
    let Some(memory) = memory.to_str().and_then(|text| text.parse().ok()) else { return failed("usage") };
    let limited = tie_to(parent, Signal::SIGKILL)
        .and_then(|()| limit(Resource::RLIMIT_AS, memory))
        .and_then(|()| limit(Resource::RLIMIT_CORE, 0));
    match limited {
        Ok(()) => failed(format!(
            "cannot run {}: {}",
            Path::new(program).display(),
            Command::new(program).args(arguments).exec()
        )),
        Err(error) => failed(error),
    }
}

/// The signal comes when the parent ends, also when it has ended already.
fn tie_to(parent: &OsStr, signal: Signal) -> nix::Result<()> {
    prctl::set_pdeathsig(signal)?;
    if parent.to_str() == Some(getppid().to_string().as_str()) { Ok(()) } else { Err(Errno::ESRCH) }
}

/// Lowers a limit.
fn limit(resource: Resource, most: u64) -> nix::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let most = most.min(hard);
    setrlimit(resource, most, most)
}

fn failed(problem: impl Display) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "nushell: {problem}");
    ExitCode::FAILURE
}

/// Takes note of children that ended: how the main one did, and whether there are any left.
fn reap(main: Pid) -> (Option<WaitStatus>, bool) {
    let mut how = None;
    loop {
        match waitpid(None, Some(WaitPidFlag::WNOHANG)) {
            Ok(WaitStatus::StillAlive) => return (how, true),
            Ok(status) if status.pid() == Some(main) => how = Some(status),
            Ok(_) | Err(Errno::EINTR) => {}
            Err(_) => return (how, false),
        }
    }
}

/// Ends every process below this one, within a bound. How the main one ended, if it did so here.
fn end_all(own: Pid, main: Pid) -> Option<WaitStatus> {
    let mut how = None;
    for round in 0..1000 {
        let (ended, any_left) = reap(main);
        how = how.or(ended);
        if !any_left {
            break;
        }
        for pid in below(own) {
            let _ = kill(pid, Signal::SIGKILL);
        }
        std::thread::sleep(Duration::from_millis(1 + round / 50));
    }
    how
}

/// All processes below one, by the parents that `/proc/PID/stat` names (proc(5)).
fn below(root: Pid) -> Vec<Pid> {
    let mut children: HashMap<i32, Vec<i32>> = HashMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The command in parentheses may hold anything, so fields are counted from the last one.
        let fields = stat.rsplit_once(')').map(|(_, fields)| fields).unwrap_or_default();
        if let Some(parent) = fields.split_ascii_whitespace().nth(1).and_then(|text| text.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut seen) = (vec![root.as_raw()], HashSet::from([root.as_raw()]));
    let mut next = 0;
    while let Some(pid) = found.get(next).copied() {
        next += 1;
        found.extend(children.remove(&pid).into_iter().flatten().filter(|child| seen.insert(*child)));
    }
    found.into_iter().skip(1).map(Pid::from_raw).collect()
}

/// Says on the control pipe how the main process ended.
fn tell(scratch: &Path, how: Option<WaitStatus>) {
    let ended = match how {
        Some(WaitStatus::Exited(_, code)) => format!("{{\"type\":\"ended\",\"code\":{code}}}\n"),
        Some(WaitStatus::Signaled(_, signal, _)) => {
            format!("{{\"type\":\"ended\",\"signal\":\"{}\"}}\n", signal.as_str())
        }
        _ => return,
    };
    let pipe = std::fs::OpenOptions::new()
        .write(true)
        .custom_flags(nix::fcntl::OFlag::O_NONBLOCK.bits())
        .open(scratch.join(crate::scratch::CONTROL));
    if let Ok(mut pipe) = pipe {
        let _ = pipe.write_all(ended.as_bytes());
    }
}
