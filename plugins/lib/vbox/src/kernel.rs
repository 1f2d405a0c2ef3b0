//! A child that does not outlive this process.
#![allow(unsafe_code)]

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};
use tokio::process::Command;

/// Has the kernel kill the child when the thread that starts it ends: with the runtime of plugins that is the process.
pub(crate) fn dies_with_us(command: &mut Command) {
    let us = Pid::this();
    // SAFETY: prctl and getppid are async-signal-safe, and nothing is allocated between fork and exec.
    unsafe {
        command.pre_exec(move || {
            set_pdeathsig(Signal::SIGKILL)?;
            // The parent may have died before prctl ran.
            if getppid() == us { Ok(()) } else { Err(std::io::Error::from_raw_os_error(nix::libc::ESRCH)) }
        });
    }
}
