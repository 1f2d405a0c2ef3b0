//! Signal dispositions.
#![allow(unsafe_code)]

use nix::sys::signal::{SigHandler, Signal, signal};

/// Sets what a signal does. Only the default and ignoring are used, so no code of ours runs in a handler.
pub(crate) fn set_handler(which: Signal, handler: SigHandler) -> std::io::Result<()> {
    // SAFETY: `handler` is SigDfl or SigIgn, which run no code in signal context.
    unsafe { signal(which, handler) }.map(drop).map_err(std::io::Error::from)
}
