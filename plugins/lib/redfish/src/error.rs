//! What can go wrong between us and a Redfish service.

use crate::message::Message;
use drp_tls::Fingerprint;
use std::time::Duration;

/// Whose fault an [`Error`] is: the one who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's settings: address, credentials, certificate, system.
    User,
    /// The BMC answered, and would not or could not.
    Hardware,
    /// Nothing came back: the network, or a BMC that is off.
    Network,
}

/// Every failure of this library. No text of it holds a password or a session token.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The target cannot be asked for what was wanted; nothing was sent.
    #[error("{what}")]
    Setting {
        /// Which setting, what is wrong with it, what to do.
        what: String,
    },
    /// No connection: name, route, port, or a peer that hangs up.
    #[error("the BMC at {bmc} cannot be reached: {why}")]
    Unreachable {
        /// The BMC, `host:port`.
        bmc: String,
        /// What the network said.
        why: String,
        /// A change had been sent and must not be repeated without reading the state back.
        maybe_done: bool,
    },
    /// The certificate is not one that is believed.
    #[error("the certificate of the BMC at {bmc} is not trusted: {why}{}", shown(*.fingerprint))]
    Untrusted {
        /// The BMC.
        bmc: String,
        /// Why not.
        why: String,
        /// What it showed.
        fingerprint: Option<Fingerprint>,
    },
    /// No answer before the deadline.
    #[error("the BMC at {bmc} did not answer {request} within {waited:?}")]
    Silent {
        /// The BMC.
        bmc: String,
        /// What was asked.
        request: String,
        /// How long was waited.
        waited: Duration,
        /// A change had been sent and must not be repeated without reading the state back.
        maybe_done: bool,
    },
    /// User or password are not those of the BMC (401), or may not do this (403).
    #[error("the BMC at {bmc} refused the credentials of user {user:?} ({status})")]
    Credentials {
        /// The BMC.
        bmc: String,
        /// The user name.
        user: String,
        /// HTTP status.
        status: u16,
    },
    /// All sessions of the BMC are taken.
    #[error("the BMC at {bmc} has no free session: {said}")]
    Exhausted {
        /// The BMC.
        bmc: String,
        /// Its message.
        said: Message,
    },
    /// It is busy, booting, or in transition; it did not do the request.
    #[error("the BMC at {bmc} is busy with something else ({status}): {said}")]
    Busy {
        /// The BMC.
        bmc: String,
        /// HTTP status, 409 or 503.
        status: u16,
        /// Its message.
        said: Message,
        /// It asked to wait so long (`Retry-After`).
        retry_after: Option<Duration>,
    },
    /// It has no such thing.
    #[error("the BMC at {bmc} cannot {request}: {said}")]
    Unsupported {
        /// The BMC.
        bmc: String,
        /// What was asked, in words or as method and path.
        request: String,
        /// Its message, or what was missing.
        said: Message,
    },
    /// It would not do the request.
    #[error("the BMC at {bmc} refused {request} ({status}): {said}")]
    Refused {
        /// The BMC.
        bmc: String,
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// Its message.
        said: Message,
    },
    /// It broke the protocol.
    #[error("the BMC at {bmc} answered {request} with {what}")]
    Protocol {
        /// The BMC.
        bmc: String,
        /// Method and path.
        request: String,
        /// What is wrong with the answer.
        what: String,
        /// A change had been sent and must not be repeated without reading the state back.
        maybe_done: bool,
    },
    /// A change was accepted as a task, and the task failed.
    #[error("the BMC at {bmc} accepted {request} and its task ended as {state}: {said}")]
    Task {
        /// The BMC.
        bmc: String,
        /// Method and path.
        request: String,
        /// `TaskState` or `TaskStatus`.
        state: String,
        /// Its message.
        said: Message,
    },
}

impl Error {
    pub(crate) fn setting(what: impl Into<String>) -> Self {
        Self::Setting { what: what.into() }
    }

    /// Who can do something about it.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::Setting { .. }
            | Self::Untrusted { .. }
            | Self::Credentials { .. }
            | Self::Unsupported { .. } => Fault::User,
            Self::Unreachable { .. } | Self::Silent { .. } => Fault::Network,
            _ => Fault::Hardware,
        }
    }

    /// A change may have been carried out although this came back.
    #[must_use]
    pub fn maybe_done(&self) -> bool {
        match self {
            Self::Unreachable { maybe_done, .. }
            | Self::Silent { maybe_done, .. }
            | Self::Protocol { maybe_done, .. } => *maybe_done,
            // Accepted first: part of it may have happened.
            Self::Task { .. } => true,
            _ => false,
        }
    }
}

fn shown(fingerprint: Option<Fingerprint>) -> String {
    fingerprint.map(|seen| format!("; it showed {seen}")).unwrap_or_default()
}
