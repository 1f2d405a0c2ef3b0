//! What can go wrong between us and an HMC.

use drp_tls::Fingerprint;
use std::time::Duration;

/// Every failure of this library. No text of it holds a password or a session.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It cannot be asked with these settings; nothing was sent.
    #[error("{what}")]
    Setting {
        /// Which setting, and what is wrong with it.
        what: String,
    },
    /// No connection: name, route, port, or a peer that hangs up.
    #[error("the HMC cannot be reached: {why}")]
    Unreachable {
        /// What the network said.
        why: String,
        /// A change had been sent.
        maybe_done: bool,
    },
    /// The certificate is not one that is believed.
    #[error("the certificate of the HMC is not trusted: {why}{}", shown(*.fingerprint))]
    Untrusted {
        /// Why not.
        why: String,
        /// What it showed.
        fingerprint: Option<Fingerprint>,
    },
    /// No answer before the deadline.
    #[error("the HMC did not answer {request} within {waited:?}")]
    Silent {
        /// Method and path.
        request: String,
        /// How long was waited.
        waited: Duration,
        /// A change had been sent.
        maybe_done: bool,
    },
    /// User or password are not those of the HMC.
    #[error("the HMC refused the credentials of user {user:?}: {said}")]
    Credentials {
        /// The user name.
        user: String,
        /// Its message.
        said: String,
    },
    /// It does not know our session any more. What was asked was not done.
    #[error("the HMC has dropped the session: {said}")]
    SessionLost {
        /// Its message.
        said: String,
    },
    /// All its sessions are taken.
    #[error("the HMC has no free session: {said}")]
    Exhausted {
        /// Its message.
        said: String,
    },
    /// It is busy or starting; it did not do the request.
    #[error("the HMC is busy ({status}): {said}")]
    Busy {
        /// HTTP status.
        status: u16,
        /// Its message.
        said: String,
    },
    /// It manages no such partition.
    #[error("the HMC manages no partition {partition}: {said}")]
    NoPartition {
        /// What was asked for.
        partition: String,
        /// Its message.
        said: String,
    },
    /// It would not do the request.
    #[error("the HMC refused {request} ({status}): {said}")]
    Refused {
        /// Method and path.
        request: String,
        /// HTTP status.
        status: u16,
        /// Its message.
        said: String,
    },
    /// It broke the protocol.
    #[error("the HMC answered {request} with {what}")]
    Protocol {
        /// Method and path.
        request: String,
        /// What is wrong with the answer.
        what: String,
        /// A change had been sent.
        maybe_done: bool,
    },
}

impl Error {
    /// A change may have been carried out although this came back.
    #[must_use]
    pub fn maybe_done(&self) -> bool {
        match self {
            Self::Unreachable { maybe_done, .. }
            | Self::Silent { maybe_done, .. }
            | Self::Protocol { maybe_done, .. } => *maybe_done,
            _ => false,
        }
    }
}

fn shown(fingerprint: Option<Fingerprint>) -> String {
    fingerprint.map(|seen| format!("; it showed {seen}")).unwrap_or_default()
}
