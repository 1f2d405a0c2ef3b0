//! What can go wrong, whose fault it is, and what to do.

use crate::qmp::QmpError;
use drp_plugin_sdk::Error;
use std::path::{Path, PathBuf};

/// Why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// What was asked for cannot be: the caller's fault.
    #[error("{0}")]
    Invalid(String),
    /// The settings of the plugin cannot be: the operator's fault.
    #[error("setting {field}: {problem}")]
    Setting { field: &'static str, problem: String },
    /// No server has that id.
    #[error("there is no server {0:?}; list-servers names those that are there")]
    NoServer(String),
    /// The server is not in a state in which this can be done.
    #[error("{0}")]
    State(String),
    /// Another operation holds the server, or the folder of them all.
    #[error("{what} is being changed by another operation; try again")]
    Busy { what: String },
    /// A bound of the settings is reached.
    #[error("{0}")]
    Full(String),
    /// QEMU refused or is not there: the host's fault.
    #[error("{program}: {said}")]
    Program { program: String, said: String },
    /// QEMU's monitor did not do what was asked.
    #[error("server {server}: {error}")]
    Monitor { server: String, error: QmpError },
    /// The server runs, and what was waited for did not happen in time.
    #[error("{0}")]
    TooLate(String),
    /// A file could not be used.
    #[error("cannot {what} {path}: {source}")]
    Io { what: &'static str, path: PathBuf, source: std::io::Error },
}

impl Failure {
    pub(crate) fn io(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::Io { what, path, source }
    }

    /// Status and type of the answer.
    fn kind(&self) -> (u16, &'static str) {
        match self {
            Self::Invalid(_) => (400, "INVALID"),
            Self::Setting { .. } => (400, "SETTING"),
            Self::NoServer(_) => (404, "NO_SERVER"),
            Self::State(_) => (409, "WRONG_STATE"),
            Self::Busy { .. } => (409, "BUSY"),
            Self::Full(_) => (409, "FULL"),
            Self::Program { .. } => (502, "QEMU"),
            Self::Monitor { .. } => (502, "MONITOR"),
            Self::TooLate(_) => (504, "TOO_LATE"),
            Self::Io { .. } => (500, "FILES"),
        }
    }

    /// As the plugin answers it.
    pub(crate) fn answer(&self, plugin: &str) -> Error {
        let (code, kind) = self.kind();
        Error::new(code, kind, self.to_string()).on("plugins", plugin)
    }
}
