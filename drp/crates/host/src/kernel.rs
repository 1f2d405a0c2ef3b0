//! What is asked of the kernel directly. The only module of this crate with `unsafe`.
#![allow(unsafe_code)]

use nix::sys::prctl;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid, setsid};
use std::io;
use std::path::Path;
use tokio::process::Command;

/// Makes a command start in a session and process group of its own, die with the thread that starts it,
/// and run under resource limits.
pub(crate) fn confine(command: &mut Command, open_files: u64) {
    let parent = getpid();
    let hook = move || {
        setsid()?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        // The parent may have died before the line above; then nobody would ever kill this child.
        if getppid() != parent {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        let files = open_files.min(most);
        setrlimit(Resource::RLIMIT_NOFILE, files, files)?;
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, through wrappers that neither allocate
    // nor lock, so the hook is async-signal-safe.
    unsafe { command.pre_exec(hook) };
}

/// Makes this process the parent of daemonised grandchildren, so that they can be found and ended.
pub(crate) fn become_subreaper() -> io::Result<()> {
    Ok(prctl::set_child_subreaper(true)?)
}

/// Sends a signal to a process group; a group that is gone already is fine.
pub(crate) fn signal_group(group: u32, signal: Signal) {
    if let Ok(group) = i32::try_from(group)
        && group > 1
    {
        let _ = killpg(Pid::from_raw(group), signal);
    }
}

/// Sends a signal to one process.
pub(crate) fn signal_process(pid: u32, signal: Signal) {
    if let Ok(pid) = i32::try_from(pid)
        && pid > 1
    {
        let _ = nix::sys::signal::kill(Pid::from_raw(pid), signal);
    }
}

/// Reaps one child that is known to have ended.
pub(crate) fn reap(pid: u32) {
    if let Ok(pid) = i32::try_from(pid) {
        let _ = nix::sys::wait::waitpid(Pid::from_raw(pid), Some(nix::sys::wait::WaitPidFlag::WNOHANG));
    }
}

/// Whether files on the mount of that path cannot be executed.
pub(crate) fn mounted_noexec(path: &Path) -> bool {
    nix::sys::statvfs::statvfs(path).is_ok_and(|s| s.flags().contains(nix::sys::statvfs::FsFlags::ST_NOEXEC))
}
