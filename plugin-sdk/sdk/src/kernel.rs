//! The few system calls that the standard library has no words for.
#![allow(unsafe_code)]

use std::{
    fs::File,
    io,
    os::fd::{FromRawFd, OwnedFd},
    os::unix::net::UnixListener,
    path::Path,
};
use tokio::io::unix::AsyncFd;

/// Listens on a socket file that is mode 0600 from its first moment on.
pub(crate) fn bind_private(path: &Path) -> io::Result<UnixListener> {
    // SAFETY: umask has no memory effects and cannot fail. No other thread creates files yet.
    let before = unsafe { libc::umask(0o177) };
    let listener = UnixListener::bind(path);
    // SAFETY: as above.
    unsafe { libc::umask(before) };
    listener
}

/// Moves standard output aside, closed for children, and lets later prints go to standard error: the daemon
/// reads words of the protocol from standard output, and an author's print must not become one.
pub(crate) fn divert_stdout() -> io::Result<File> {
    // SAFETY: fcntl with F_DUPFD_CLOEXEC gives a new descriptor that nobody else owns, or -1.
    let kept = unsafe { libc::fcntl(libc::STDOUT_FILENO, libc::F_DUPFD_CLOEXEC, 3) };
    if kept < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `kept` was just made and is open.
    let kept = unsafe { OwnedFd::from_raw_fd(kept) };
    // SAFETY: both numbers are the standard streams; dup2 replaces standard output in one step.
    if unsafe { libc::dup2(libc::STDERR_FILENO, libc::STDOUT_FILENO) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(File::from(kept))
}

/// A descriptor that becomes readable when the process ends, without waking up until then.
pub(crate) fn process_watch(pid: u32) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: pidfd_open takes two integers and gives a new descriptor (close-on-exec) or -1.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, libc::pid_t::try_from(pid).unwrap_or(-1), 0) };
    let fd = match i32::try_from(fd) {
        // SAFETY: the descriptor was just made and is open.
        Ok(fd) if fd >= 0 => unsafe { OwnedFd::from_raw_fd(fd) },
        _ => return Err(io::Error::last_os_error()),
    };
    // SAFETY: an OwnedFd keeps its descriptor, and the same one, until it is dropped.
    unsafe { AsyncFd::register(fd) }.map_err(Into::into)
}
