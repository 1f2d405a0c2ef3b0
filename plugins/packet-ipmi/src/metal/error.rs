//! What can go wrong between the plugin and the API.

use std::time::Duration;

/// Who has to do something about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The request, or a param.
    User,
    /// The API, or the network before it.
    Service,
}

/// A failed call. `request` is its method and path; `said` are the service's own words.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum MetalError {
    #[error("{0}")]
    Setting(String),
    #[error("the API refused the key: {request}: {said}")]
    Credentials { request: String, said: String },
    #[error("the API refused this key {} s ago, and nothing was sent", since.as_secs())]
    Locked { since: Duration },
    #[error("the key may not do that: {request}: {said}")]
    Forbidden { request: String, said: String },
    #[error("it is not there: {request}: {said}")]
    Missing { request: String, said: String },
    #[error("the API cannot: {request}: status {status}: {said}")]
    Unsupported { request: String, status: u16, said: String },
    #[error("the API refused: {request}: status {status}: {said}")]
    Refused { request: String, status: u16, said: String },
    #[error("the API has too much to do: {request}: {said}")]
    Busy { request: String, said: String },
    #[error("the API failed: {request}: status {status}: {said}")]
    Service { request: String, status: u16, said: String, maybe_done: bool },
    #[error("an answer that makes no sense: {request}: {what}")]
    Protocol { request: String, what: String, maybe_done: bool },
    #[error("the certificate of {host} is not believed: {why}")]
    Certificate { host: String, why: String },
    #[error("no answer within {} s: {request}", waited.as_secs_f32())]
    Silent { request: String, waited: Duration, maybe_done: bool },
    #[error("{host} cannot be reached: {request}: {why}")]
    Unreachable { host: String, request: String, why: String, maybe_done: bool },
}

impl MetalError {
    /// Code and type of the error as the API of the daemon shows it (plugins §2.1).
    pub(crate) fn code(&self) -> (u16, &'static str) {
        match self {
            Self::Setting(_) => (400, "PARAM"),
            Self::Credentials { .. } => (401, "CREDENTIALS"),
            Self::Locked { .. } => (401, "LOCKED"),
            Self::Forbidden { .. } => (401, "FORBIDDEN"),
            Self::Missing { .. } => (404, "NO_DEVICE"),
            Self::Unsupported { .. } => (501, "UNSUPPORTED"),
            Self::Refused { status: 409, .. } => (409, "CONFLICT"),
            Self::Refused { .. } => (502, "REFUSED"),
            Self::Busy { .. } => (502, "BUSY"),
            Self::Service { .. } => (502, "SERVICE"),
            Self::Protocol { .. } => (502, "PROTOCOL"),
            Self::Certificate { .. } => (502, "CERTIFICATE"),
            Self::Silent { .. } => (504, "SILENT"),
            Self::Unreachable { .. } => (504, "UNREACHABLE"),
        }
    }

    pub(crate) fn fault(&self) -> Fault {
        match self {
            Self::Setting(_)
            | Self::Credentials { .. }
            | Self::Locked { .. }
            | Self::Forbidden { .. }
            | Self::Missing { .. } => Fault::User,
            _ => Fault::Service,
        }
    }

    /// What to do next.
    pub(crate) fn next(&self) -> &'static str {
        match self {
            Self::Setting(_) => "correct the param",
            Self::Credentials { .. } => {
                "correct packet/api-key of the plugin; the key is not tried again for five minutes, or until it changes"
            }
            Self::Locked { .. } => "correct packet/api-key of the plugin, or wait five minutes",
            Self::Forbidden { .. } => "give the key write access to the project, or set packet/project-id",
            Self::Missing { .. } => "look at packet/uuid, and whether the key is of the right account",
            Self::Unsupported { .. } => "use an endpoint that has this part of the API",
            Self::Refused { .. } => "correct what the API says",
            Self::Busy { .. } => "later, or fewer requests at a time",
            Self::Service { .. } => "look at the status page of the service, and try later",
            Self::Protocol { .. } => "is packet/api-url the right address?",
            Self::Certificate { .. } => "set packet/tls-ca to the authority of your own endpoint",
            Self::Silent { .. } | Self::Unreachable { .. } => {
                "look at packet/api-url, name resolution, proxies and firewalls"
            }
        }
    }

    /// The request may have been carried out although it failed.
    pub(crate) fn maybe_done(&self) -> bool {
        match self {
            Self::Service { maybe_done, .. }
            | Self::Protocol { maybe_done, .. }
            | Self::Silent { maybe_done, .. }
            | Self::Unreachable { maybe_done, .. } => *maybe_done,
            _ => false,
        }
    }

    /// Reading again later may go better.
    pub(crate) fn passes(&self) -> bool {
        matches!(
            self,
            Self::Busy { .. }
                | Self::Service { .. }
                | Self::Protocol { .. }
                | Self::Silent { .. }
                | Self::Unreachable { .. }
        )
    }
}
