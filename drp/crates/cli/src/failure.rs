//! What a command fails with: a text, what to do next, and an exit code.

use crate::Exit;
use drp_client::ClientError;
use std::fmt;
use std::io;

/// A failed command.
#[derive(Debug)]
pub struct Failure {
    /// What happened.
    pub message: String,
    /// What to do next, one line each.
    pub hints: Vec<String>,
    /// The exit code.
    pub exit: Exit,
    /// Say nothing: the reader of the output went away, or all has been said.
    pub quiet: bool,
}

impl Failure {
    /// A failure with a text.
    #[must_use]
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { message: message.into(), hints: Vec::new(), exit, quiet: false }
    }

    /// An exit code alone: everything has been said.
    #[must_use]
    pub fn silent(exit: Exit) -> Self {
        Self { message: String::new(), hints: Vec::new(), exit, quiet: true }
    }

    /// A mistake in the command line or an input.
    #[must_use]
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// An action that failed. What the plugin or its hardware said is about them: its 401 is no refusal of the
    /// caller's login, and its codes are no codes of the API.
    #[must_use]
    pub(crate) fn action(error: ClientError) -> Self {
        let ClientError::Api(api) = &error else { return error.into() };
        let of_host = api.r#type == "INVOKE" && api.model == "plugins" && api.code != 400;
        let of_daemon = matches!(api.r#type.as_str(), "INVOKE" | "AUTH" | "GET" | "POST");
        if of_daemon && !of_host {
            return error.into();
        }
        let failure = Self::new(Exit::General, error.to_string());
        if !of_host || api.code == 503 {
            return failure;
        }
        failure.hint("what was asked may have been done: look before you try again; `drp logs` has the plugin's last lines")
    }

    /// A file or stream that failed.
    #[must_use]
    pub fn io(what: impl fmt::Display, error: &io::Error) -> Self {
        let exit = if error.kind() == io::ErrorKind::NotFound { Exit::NotFound } else { Exit::General };
        Self::new(exit, format!("{what}: {error}"))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        let exit = match &error {
            // Somebody else's socket is a daemon that does not talk to this user.
            ClientError::Unreachable { endpoint, reason }
                if endpoint.starts_with('/') && crate::hints::forbidden(reason) =>
            {
                Exit::Denied
            }
            ClientError::Unreachable { .. } | ClientError::Untrusted { .. } => Exit::Unreachable,
            ClientError::Timeout { .. } => Exit::Timeout,
            ClientError::Setting(_) => Exit::Usage,
            ClientError::Io { source, .. } if source.kind() == io::ErrorKind::BrokenPipe => {
                return closed_pipe();
            }
            other => match other.status() {
                Some(401 | 403) => Exit::Denied,
                Some(404) => Exit::NotFound,
                Some(400..=499) => Exit::Refused,
                _ => Exit::General,
            },
        };
        let hints = crate::hints::for_error(&error);
        Self { message: error.to_string(), hints, exit, quiet: false }
    }
}

/// Standard output is gone: whoever read it has seen enough.
pub(crate) fn closed_pipe() -> Failure {
    Failure::silent(Exit::Ok)
}
