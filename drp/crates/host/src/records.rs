//! Records of running children, so that the next host can end what a killed one left (promise P2).

use crate::proc::Process;
use crate::{HostError, kernel, sockets};
use nix::fcntl::{Flock, FlockArg};
use nix::sys::signal::Signal;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Debug, Serialize, Deserialize)]
struct Record {
    pid: u32,
    start: u64,
    boot: String,
    socket: PathBuf,
    token_sha256: String,
}

/// The directory of records, locked for this host.
#[derive(Debug)]
pub(crate) struct Records {
    dir: PathBuf,
    boot: String,
    _lock: Flock<File>,
}

/// The record of one child; removed when it is dropped.
#[derive(Debug)]
pub(crate) struct Recorded(PathBuf);

impl Drop for Recorded {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

impl Records {
    /// Locks the comm root, ends what an earlier host left running, and forgets its records.
    pub(crate) fn open(comm_root: &Path) -> Result<Arc<Self>, HostError> {
        sockets::private_dir(comm_root)?;
        let lock_path = comm_root.join("host.lock");
        let file = File::options().create(true).truncate(false).write(true).open(&lock_path);
        let file = file.map_err(|e| HostError::io("cannot open", &lock_path, e))?;
        let lock = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| {
            let why = match e {
                nix::errno::Errno::EAGAIN => std::io::Error::other("another daemon uses this directory"),
                other => other.into(),
            };
            HostError::io("cannot lock", &lock_path, why)
        })?;
        let dir = comm_root.join("children");
        sockets::private_dir(&dir)?;
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        let records = Self { dir, boot: boot.trim().to_owned(), _lock: lock };
        records.sweep();
        Ok(Arc::new(records))
    }

    /// Notes a child that was just started.
    pub(crate) fn note(&self, pid: u32, socket: &Path, token_hash: &str) -> Option<Recorded> {
        let record = Record {
            pid,
            start: Process::read(pid)?.start,
            boot: self.boot.clone(),
            socket: socket.to_owned(),
            token_sha256: token_hash.to_owned(),
        };
        let path = self.dir.join(pid.to_string());
        std::fs::write(&path, serde_json::to_vec(&record).ok()?).ok()?;
        Some(Recorded(path))
    }

    fn sweep(&self) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        let mut old = Vec::new();
        for entry in entries.flatten() {
            let record =
                std::fs::read(entry.path()).ok().and_then(|b| serde_json::from_slice::<Record>(&b).ok());
            old.extend(record.filter(|r| r.boot == self.boot));
            let _ = std::fs::remove_file(entry.path());
        }
        if old.is_empty() {
            return;
        }
        for _ in 0..50 {
            let left: Vec<_> =
                Process::all().into_iter().filter(|p| !p.zombie && old.iter().any(|r| r.owns(p))).collect();
            if left.is_empty() {
                break;
            }
            for process in &left {
                tracing::warn!(pid = process.pid, "ending a plugin process that an earlier daemon left");
                kernel::signal_process(process.pid, Signal::SIGKILL);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

impl Record {
    /// Whether a process belongs to the recorded plugin. A pid alone proves nothing, it may have been
    /// given to another process since: the plugin itself is known by its start time and the socket on its
    /// command line, its children by its session or by its token.
    fn owns(&self, process: &Process) -> bool {
        if process.pid == self.pid {
            let socket = self.socket.as_os_str().as_bytes();
            return process.start == self.start
                && process.command_line().split(|b| *b == 0).any(|argument| argument == socket);
        }
        process.start >= self.start
            && (process.has_token(&self.token_sha256)
                || process.session == self.pid
                    && Process::read(self.pid).is_none_or(|p| p.start == self.start))
    }
}

#[cfg(test)]
mod tests {
    use super::Records;

    #[test]
    fn one_host_a_directory() {
        let dir = tempfile::tempdir().unwrap();
        let first = Records::open(dir.path()).unwrap();
        let second = Records::open(dir.path()).unwrap_err().to_string();
        assert!(second.contains("another daemon uses this directory"), "{second}");
        drop(first);
        Records::open(dir.path()).unwrap();
    }

    #[test]
    fn a_reused_pid_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::open(dir.path()).unwrap();
        // This very process, but without such a socket on its command line.
        let recorded = records.note(std::process::id(), "/nowhere".as_ref(), "").unwrap();
        std::mem::forget(recorded);
        drop(records);
        Records::open(dir.path()).unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("children")).unwrap().count(), 0);
    }
}
