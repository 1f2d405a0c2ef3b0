//! Processes as `/proc` shows them (`proc(5)`), and ending those that a plugin left behind.

use crate::kernel;
use crate::spawner::Children;
use drp_protocol::wire;
use nix::sys::signal::Signal;
use sha2::{Digest, Sha256};
use std::time::Duration;

/// One process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    pub(crate) parent: u32,
    pub(crate) session: u32,
    /// Start time in clock ticks since boot; with the pid it names a process for good.
    pub(crate) start: u64,
    pub(crate) zombie: bool,
}

impl Process {
    pub(crate) fn read(pid: u32) -> Option<Self> {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The command in parentheses may hold anything, so fields are counted from the last one.
        let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        Some(Self {
            pid,
            parent: fields.get(1)?.parse().ok()?,
            session: fields.get(3)?.parse().ok()?,
            start: fields.get(19)?.parse().ok()?,
            zombie: matches!(*fields.first()?, "Z" | "X"),
        })
    }

    pub(crate) fn all() -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
        let pids = entries.flatten().filter_map(|e| e.file_name().to_str()?.parse().ok());
        pids.filter_map(Self::read).collect()
    }

    /// Whether it was given that plugin token, which names the plugin it belongs to.
    pub(crate) fn has_token(&self, token_hash: &str) -> bool {
        let Ok(environ) = std::fs::read(format!("/proc/{}/environ", self.pid)) else { return false };
        let prefix = b"RS_TOKEN=";
        environ.split(|b| *b == 0).any(|var| var.strip_prefix(prefix).is_some_and(|t| hash(t) == token_hash))
    }

    /// Whether a plugin started it to outlive the daemon, as a virtual machine does ([`wire::ENV_STAYS`]). One that still
    /// holds a plugin's token does not: it is a part of the plugin.
    fn stays(&self) -> bool {
        let Ok(environ) = std::fs::read(format!("/proc/{}/environ", self.pid)) else { return false };
        let (mark, token) = (format!("{}=1", wire::ENV_STAYS), format!("{}=", wire::ENV_TOKEN));
        environ.split(|b| *b == 0).any(|var| var == mark.as_bytes())
            && !environ.split(|b| *b == 0).any(|var| var.starts_with(token.as_bytes()))
    }

    pub(crate) fn command_line(&self) -> Vec<u8> {
        std::fs::read(format!("/proc/{}/cmdline", self.pid)).unwrap_or_default()
    }
}

/// SHA-256 in hex, so that a token can be recognised without being kept.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// Ends everything that a plugin process left behind: its process group, its session, and daemonised
/// children that the kernel handed to this process because it is their subreaper. Those are recognised by
/// the plugin's token in their environment. Repeats while new ones appear, within a bound.
pub(crate) async fn end_leftovers(leader: u32, token_hash: &str) {
    kernel::signal_group(leader, Signal::SIGKILL);
    // One that is dying has no environment any more: it is remembered until it is reaped.
    let mut dying: Vec<Process> = Vec::new();
    for round in 0..200 {
        let known = |p: &Process| dying.iter().any(|d| d.pid == p.pid && d.start == p.start);
        let found = adopted(|p| p.session == leader || known(p) || p.has_token(token_hash));
        if found.is_empty() {
            break;
        }
        for process in &found {
            kernel::signal_process(process.pid, Signal::SIGKILL);
        }
        dying = found;
        tokio::time::sleep(Duration::from_millis(1 + round / 10)).await;
    }
}

/// Ends all processes handed to this one that were started by plugins, but those that are marked to outlive it. For the
/// very end, when no plugin runs.
pub(crate) async fn end_all_adopted() {
    for _ in 0..200 {
        let found = adopted(|p| !p.stays());
        // Another host of this program may still have plugins; theirs are none of our business.
        if found.is_empty() || !Children::lock().is_empty() {
            break;
        }
        for process in &found {
            kernel::signal_process(process.pid, Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// Reaps what has ended among the processes handed to this one, so that they do not stay as zombies.
pub(crate) fn reap_adopted() {
    adopted(|_| false);
}

/// Living processes that the kernel handed to this one and that fit; ended ones are reaped on the way.
///
/// A plugin starts a session of its own, so its descendants are never in ours; children that other parts
/// of this program started are. The spawner's own children are known by pid, and none is started while
/// this looks.
fn adopted(fits: impl Fn(&Process) -> bool) -> Vec<Process> {
    let me = std::process::id();
    let Some(own) = Process::read(me) else { return Vec::new() };
    let started_here = Children::lock();
    let mut found = Vec::new();
    for process in children(me) {
        if process.parent != me || process.session == own.session || started_here.contains(process.pid) {
            continue;
        }
        if process.zombie {
            kernel::reap(process.pid);
        } else if fits(&process) {
            found.push(process);
        }
    }
    found
}

/// The children of this process: from `/proc/self/task/*/children` where the kernel has it.
fn children(me: u32) -> Vec<Process> {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return Vec::new() };
    let mut found = Vec::new();
    for thread in threads.flatten() {
        match std::fs::read_to_string(thread.path().join("children")) {
            Ok(pids) => {
                found.extend(pids.split_ascii_whitespace().filter_map(|p| Process::read(p.parse().ok()?)));
            }
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && thread.path().exists() => {
                return Process::all().into_iter().filter(|p| p.parent == me).collect();
            }
            Err(_) => {}
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::Process;

    #[test]
    fn reads_itself() {
        let own = Process::read(std::process::id()).unwrap();
        assert!(own.start > 0 && !own.zombie);
        assert!(Process::all().contains(&own));
    }

    #[test]
    fn only_what_is_marked_and_holds_no_token_outlives_the_daemon() {
        for (variables, stays) in [
            (&[][..], false),
            (&[("DRP_STAYS", "1")], true),
            (&[("DRP_STAYS", "0")], false),
            (&[("DRP_STAYS", "1"), ("RS_TOKEN", "x")], false),
        ] {
            let mut child = std::process::Command::new("sleep")
                .arg("60")
                .env_clear()
                .env("PATH", "/usr/bin:/bin")
                .envs(variables.iter().copied())
                .spawn()
                .unwrap();
            let found = Process::read(child.id()).is_some_and(|process| process.stays());
            child.kill().unwrap();
            child.wait().unwrap();
            assert_eq!(found, stays, "{variables:?}");
        }
    }
}
