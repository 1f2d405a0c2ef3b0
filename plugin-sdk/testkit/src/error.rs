//! Why a test could not go on.

use std::{path::PathBuf, time::Duration};

/// What went wrong in a test, with what was seen until then.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestkitError {
    /// A file, socket or process could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb phrase.
        what: &'static str,
        /// The file or executable.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The test's own API server could not be set up.
    #[error("the API of the fake daemon: {0}")]
    Api(String),
    /// The plugin did not say `READY!`.
    #[error("the plugin did not get ready: {why}\nstdout: {stdout:?}\nstderr: {stderr:?}")]
    NotReady {
        /// `Failed`, the end of its output, or the deadline.
        why: String,
        /// What it printed last.
        stdout: Vec<String>,
        /// What it complained last.
        stderr: Vec<String>,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        limit: Duration,
    },
    /// The connection to the plugin broke.
    #[error("POST {path}: {why}")]
    Broken {
        /// The path asked for.
        path: String,
        /// Why.
        why: String,
    },
    /// The plugin answered something else than the test wants.
    #[error("{what}: wanted {wanted}, got {got}")]
    Differs {
        /// What was compared.
        what: String,
        /// What the test wants.
        wanted: String,
        /// What came.
        got: String,
    },
}

impl TestkitError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn differs(what: impl Into<String>, wanted: impl ToString, got: impl ToString) -> Self {
        Self::Differs { what: what.into(), wanted: wanted.to_string(), got: got.to_string() }
    }
}
