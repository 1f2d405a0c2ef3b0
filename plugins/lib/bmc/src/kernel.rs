//! What is asked of the kernel directly. The only module of this crate with `unsafe`.
#![allow(unsafe_code)]

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, getpid, getppid, setsid};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;

nix::ioctl_write_int_bad!(make_controlling_terminal, libc::TIOCSCTTY);

/// Makes a command start in a session of its own, with its standard input, which must be a terminal, as the terminal
/// that `/dev/tty` stands for; it dies with this process and leaves no core file.
pub(crate) fn with_terminal(command: &mut Command) {
    let parent = getpid();
    let hook = move || {
        setsid()?;
        prctl::set_pdeathsig(Signal::SIGKILL)?;
        if getppid() != parent {
            return Err(io::ErrorKind::Interrupted.into());
        }
        setrlimit(Resource::RLIMIT_CORE, 0, 0)?;
        // SAFETY: an ioctl without memory of ours, on a descriptor that the child has been given as standard input.
        unsafe { make_controlling_terminal(libc::STDIN_FILENO, 0) }?;
        Ok(())
    };
    // SAFETY: between fork and exec only system calls are made, through wrappers that neither allocate nor lock, so
    // the hook is async-signal-safe.
    unsafe { command.pre_exec(hook) };
}

/// Has the runtime watch a descriptor.
pub(crate) fn watch(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` answers with the same open descriptor for as long as it lives.
    unsafe { AsyncFd::register(fd) }.map_err(Into::into)
}

/// Kills a process group; a group that is gone already is fine.
pub(crate) fn kill_group(leader: u32) {
    if let Ok(leader) = i32::try_from(leader)
        && leader > 1
    {
        let _ = killpg(Pid::from_raw(leader), Signal::SIGKILL);
    }
}
