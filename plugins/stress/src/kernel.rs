//! Signal dispositions.
#![allow(unsafe_code)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// Ignores SIGTERM from now on.
pub(crate) fn ignore_term() -> nix::Result<()> {
    // SAFETY: ignoring runs no code in signal context.
    unsafe { signal(Signal::SIGTERM, SigHandler::SigIgn) }.map(drop)
}
