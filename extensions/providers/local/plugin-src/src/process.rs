//! QEMU processes of servers, recognised by more than their number.
//!
//! A pid alone proves nothing: it may have been given to another process since. A server's QEMU is the one whose command
//! line names the server's own pid file, and, once that is known, that was started when it was.

use crate::record::Run;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A living process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) start: u64,
}

/// The file in which QEMU notes its pid.
pub(crate) fn pid_file(dir: &Path) -> PathBuf {
    dir.join("pid")
}

/// The boot of this host (`proc_sys_kernel(5)`): pids and start times mean something within one.
pub(crate) fn boot() -> String {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned()
}

/// The process of that number if it is the QEMU of the server in `dir`.
fn look(pid: i32, dir: &Path) -> Option<Process> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let arguments: Vec<&[u8]> = line.split(|b| *b == 0).collect();
    let file = pid_file(dir);
    let names = [b"-pidfile".as_slice(), file.as_os_str().as_bytes()];
    if !arguments.windows(2).any(|pair| pair == names) {
        return None;
    }
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything, so fields are counted from the last one.
    let fields: Vec<_> = stat.rsplit_once(')')?.1.split_ascii_whitespace().collect();
    let ended = matches!(*fields.first()?, "Z" | "X");
    (!ended).then_some(Process { pid, start: fields.get(19)?.parse().ok()? })
}

/// The QEMU that was recorded, if it is still there.
pub(crate) fn find(run: &Run, dir: &Path) -> Option<Process> {
    if run.boot != boot() {
        return None;
    }
    look(run.pid, dir).filter(|process| process.start == run.start)
}

/// Every QEMU of the server in `dir`, recorded or not: what a crash between its start and its record left, too.
pub(crate) fn all(dir: &Path) -> Vec<Process> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(|pid| look(pid, dir)).collect()
}

/// Ends every QEMU of the server in `dir` at once; `false` when one would not go.
pub(crate) async fn kill_all(dir: &Path) -> bool {
    for _ in 0..250 {
        let left = all(dir);
        if left.is_empty() {
            return true;
        }
        for process in left {
            // It was recognised a moment ago, and a number is not given away again that soon.
            let _ = kill(Pid::from_raw(process.pid), Signal::SIGKILL);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[cfg(test)]
mod tests {
    use super::{all, boot, find, kill_all};
    use crate::record::Run;
    use std::process::{Command, Stdio};

    #[tokio::test]
    async fn only_the_process_with_the_servers_pid_file_is_found_and_ended() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        // `sh` keeps the words after the script as its own arguments.
        let sleeper = |words: &[&str]| {
            let mut command = Command::new("sh");
            command.args(["-c", "sleep 60 & wait", "qemu"]).args(words).stdin(Stdio::null());
            command.spawn().unwrap()
        };
        let mut ours = sleeper(&["-pidfile", file.to_str().unwrap()]);
        let mut foreign = sleeper(&["-pidfile", "/elsewhere/pid"]);
        let run = |pid: u32, start| Run {
            pid: i32::try_from(pid).unwrap(),
            start,
            boot: boot(),
            accel: "tcg".into(),
            since: String::new(),
        };
        let found = loop {
            // Until it has become `sh`, its arguments are those of this test.
            if let [found] = all(dir.path()).as_slice() {
                break *found;
            }
        };
        assert_eq!(find(&run(ours.id(), found.start), dir.path()), Some(found));
        assert_eq!(find(&run(ours.id(), found.start + 1), dir.path()), None, "another start time");
        assert_eq!(find(&run(foreign.id(), found.start), dir.path()), None, "another server's");
        let another_boot = Run { boot: "x".into(), ..run(ours.id(), found.start) };
        assert_eq!(find(&another_boot, dir.path()), None);
        assert!(kill_all(dir.path()).await);
        assert!(!ours.wait().unwrap().success());
        assert!(foreign.try_wait().unwrap().is_none(), "a foreign process was ended");
        foreign.kill().unwrap();
        foreign.wait().unwrap();
    }
}
