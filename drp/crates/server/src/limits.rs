//! What the system allows this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Takes as many open files as the system gives: each client and each plugin needs a few.
pub(crate) fn raise_open_files() {
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < hard
        && let Err(error) = setrlimit(Resource::RLIMIT_NOFILE, hard, hard)
    {
        tracing::warn!(%error, soft, "cannot raise the number of open files");
    }
}
