//! What can go wrong between a caller and the daemon.

use std::io;

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller: a wrong name, value, credential or setting.
    User,
    /// The daemon answered that it, a plugin or the hardware behind it failed.
    Server,
    /// The way to the daemon: nothing listens, the connection broke, TLS failed, time ran out.
    Network,
}

/// An error of [`Client`](crate::Client).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// The daemon refused, in its own words.
    #[error("{0}")]
    Api(drp_protocol::Error),
    /// The daemon refused without words: 401 and 403 of the authentication layer, and answers to HEAD.
    #[error("{method} {path}: {}", status_text(*.status))]
    Status {
        /// HTTP method.
        method: String,
        /// Path asked for.
        path: String,
        /// HTTP status.
        status: u16,
    },
    /// Nothing answers at the endpoint.
    #[error("cannot connect to {endpoint}: {reason}")]
    Unreachable {
        /// URL or socket path.
        endpoint: String,
        /// Why, in the words of the system.
        reason: String,
    },
    /// The certificate of the endpoint is not the one to trust.
    #[error("{endpoint} shows a certificate that is not trusted: {reason}")]
    Untrusted {
        /// URL.
        endpoint: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The connection broke during the call. A call that changes something may have been carried out.
    #[error("the connection to {endpoint} broke: {reason}")]
    Broken {
        /// URL or socket path.
        endpoint: String,
        /// Why.
        reason: String,
    },
    /// No answer in time. A call that changes something may have been carried out.
    #[error("{endpoint} did not answer {what} in time")]
    Timeout {
        /// URL or socket path.
        endpoint: String,
        /// What was asked.
        what: String,
    },
    /// The answer is not what the API promises.
    #[error("the answer to {what} cannot be understood: {reason}")]
    Answer {
        /// What was asked.
        what: String,
        /// What is wrong with the answer.
        reason: String,
    },
    /// A setting of the client is unusable.
    #[error("{0}")]
    Setting(String),
    /// A local file or stream failed.
    #[error("{what}: {source}")]
    Io {
        /// What was read or written.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
}

impl ClientError {
    /// The HTTP status of a refusal.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Api(error) => Some(error.code),
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// The thing asked for does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        self.status() == Some(404)
    }

    /// Who has to do something about it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Setting(_) | Self::Io { .. } => Fault::User,
            Self::Api(_) | Self::Status { .. } => match self.status() {
                Some(400..=499) => Fault::User,
                _ => Fault::Server,
            },
            Self::Answer { .. } => Fault::Server,
            Self::Unreachable { .. }
            | Self::Untrusted { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. } => Fault::Network,
        }
    }

    /// The request surely did not reach the daemon, so that asking again cannot do anything twice.
    #[must_use]
    pub fn retry_is_safe(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}

impl From<drp_protocol::Error> for ClientError {
    fn from(error: drp_protocol::Error) -> Self {
        Self::Api(error)
    }
}

impl From<ClientError> for drp_protocol::Error {
    /// The wire form, for plugins that hand an API failure on. What has no status becomes 502 or 504.
    fn from(error: ClientError) -> Self {
        match error {
            ClientError::Api(error) => error,
            ClientError::Status { ref method, ref path, status } => {
                Self::new(status, method, error.to_string()).on("", path)
            }
            ClientError::Timeout { .. } => Self::new(504, "API", error.to_string()),
            ClientError::Setting(_) | ClientError::Io { .. } => Self::new(500, "API", error.to_string()),
            _ => Self::new(502, "API", error.to_string()),
        }
    }
}

fn status_text(status: u16) -> String {
    match status {
        401 => "no credentials were given (401)".into(),
        403 => "the credentials were refused (403)".into(),
        404 => "not found (404)".into(),
        _ => match reqwest::StatusCode::from_u16(status).ok().and_then(|s| s.canonical_reason()) {
            Some(reason) => format!("{reason} ({status})"),
            None => format!("status {status}"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::{ClientError, Fault};

    #[test]
    fn faults_and_statuses() {
        let api = ClientError::from(drp_protocol::Error::new(404, "GET", "Not Found").on("machines", "x"));
        assert!(api.is_not_found());
        assert_eq!(api.to_string(), "GET: machines/x: Not Found");
        assert_eq!(api.fault(), Fault::User);
        let down = ClientError::Unreachable { endpoint: "/x".into(), reason: "refused".into() };
        assert!(down.retry_is_safe());
        assert_eq!(drp_protocol::Error::from(down).code, 502);
    }
}
