//! What can go wrong, whose fault it is, and what was done before.

use drp_jinja::TemplateError;
use drp_plugin_sdk::Error;
use drp_ssh::{Kind, SshError};
use thiserror::Error as ThisError;

/// Why a task service was not installed, asked or removed. It never holds a secret.
#[derive(Debug, Clone, PartialEq, ThisError)]
pub enum TaskservError {
    /// The version record of the extension cannot be used; the extension's author has to correct it.
    #[error("version record: {0}")]
    Record(String),
    /// The `config` of the request cannot be used.
    #[error("{0}")]
    Config(String),
    /// A setting is missing or cannot be used.
    #[error("{0}")]
    Settings(String),
    /// A template cannot be rendered with this configuration.
    #[error("{0}")]
    Template(#[from] TemplateError),
    /// It is not installed there, or something else runs.
    #[error("{0}")]
    State(String),
    /// The way to the machine.
    #[error("{0}")]
    Ssh(#[from] SshError),
    /// The machine was reached, but what had to be done there failed.
    #[error("{what}")]
    Machine {
        /// What happened.
        what: String,
        /// What to do.
        next: String,
    },
    /// Something failed after the machine was changed.
    #[error("{cause}")]
    Changed {
        /// What failed.
        cause: Box<TaskservError>,
        /// Steps that were done.
        done: Vec<&'static str>,
        /// The step that failed and those after it.
        open: Vec<&'static str>,
        /// What became of the changes.
        after: String,
    },
}

impl TaskservError {
    pub(crate) fn machine(what: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Machine { what: what.into(), next: next.into() }
    }

    /// The connection is of no more use.
    pub(crate) fn is_of_the_way(&self) -> bool {
        matches!(self, Self::Ssh(error) if !matches!(error.kind, Kind::Deadline | Kind::TooMuch | Kind::Failed | Kind::Param))
    }

    fn code(&self) -> u16 {
        match self {
            Self::Record(_) => 500,
            Self::Config(_) | Self::Template(_) => 400,
            Self::Settings(_) | Self::State(_) => 409,
            Self::Machine { .. } => 502,
            Self::Changed { cause, .. } => cause.code(),
            Self::Ssh(error) => match error.kind {
                Kind::Param => 400,
                Kind::Credentials | Kind::Locked => 401,
                Kind::HostKey | Kind::TooMuch | Kind::Refused | Kind::Failed => 502,
                Kind::Unreachable | Kind::NoAnswer | Kind::Deadline | Kind::Broke => 504,
            },
        }
    }

    /// What to do next, when there is more to say than the text does.
    fn next(&self) -> Option<String> {
        match self {
            Self::Ssh(SshError { next, .. }) | Self::Machine { next, .. } => Some(next.clone()),
            Self::Template(error) => error.hint(),
            Self::Changed { cause, .. } => cause.next(),
            _ => None,
        }
    }

    /// As the protocol writes it.
    pub(crate) fn told(&self, plugin: &str, operation: &str) -> Error {
        let mut error = Error::new(self.code(), operation, self.to_string()).on("plugins", plugin);
        if let Some(next) = self.next().filter(|next| !next.is_empty()) {
            error = error.and(next);
        }
        if let Self::Changed { done, open, after, .. } = self {
            let list =
                |steps: &[&str]| if steps.is_empty() { "nothing".to_owned() } else { steps.join(", ") };
            error = error.and(format!("done: {}; not done: {}", list(done), list(open))).and(after.clone());
        }
        error
    }
}
