//! Who the client says it is.

use drp_protocol::Secret;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// How the client authenticates.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub enum Credentials {
    /// Not at all: the local socket knows the caller by its uid.
    #[default]
    None,
    /// With a token it was given, for instance `RS_TOKEN`.
    Token(Secret),
    /// With a user and a password. The password is exchanged for a short-lived token at the first call,
    /// and again when the token is 300 seconds old (wire-protocol §6.1).
    Login {
        /// Name of the user.
        user: String,
        /// The password.
        password: Secret,
    },
    /// With a user and a password on every request.
    Basic {
        /// Name of the user.
        user: String,
        /// The password.
        password: Secret,
    },
}

/// A token that a login got.
pub(crate) struct Session {
    pub(crate) token: Secret,
    pub(crate) since: Instant,
}

/// After this long the token of a login is renewed.
pub(crate) const REFRESH_AFTER: Duration = Duration::from_secs(300);
/// How long a login's token lives, in seconds.
pub(crate) const LOGIN_TTL: u64 = 600;

/// The credentials and what was made of them.
#[derive(Default)]
pub(crate) struct Keyring {
    pub(crate) given: Credentials,
    pub(crate) session: Mutex<Option<Session>>,
}

impl Keyring {
    pub(crate) fn new(given: Credentials) -> Self {
        Self { given, session: Mutex::new(None) }
    }
}
