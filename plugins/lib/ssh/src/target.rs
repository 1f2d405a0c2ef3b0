//! Where to log in, as whom, and whom to believe.

use crate::{KnownHosts, SshKey};
use drp_protocol::Secret;
use std::fmt;
use std::sync::Arc;

/// What proves who logs in. The key is tried first.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// A private key.
    pub key: Option<SshKey>,
    /// A password.
    pub password: Option<Secret>,
}

impl Login {
    /// For texts: `the key SHA256:…`, `the password`, or both.
    pub(crate) fn shown(&self) -> String {
        match (&self.key, &self.password) {
            (Some(key), None) => format!("the key {}", key.fingerprint()),
            (Some(key), Some(_)) => format!("the key {} and the password", key.fingerprint()),
            (None, Some(_)) => "the password".to_owned(),
            (None, None) => "a login with neither key nor password".to_owned(),
        }
    }
}

/// What the caller's users call the settings, for texts that say what to correct.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// The host.
    pub host: String,
    /// Its port.
    pub port: String,
    /// The user.
    pub user: String,
    /// Key or password.
    pub key: String,
    /// The list of host keys.
    pub known_hosts: String,
    /// What lets a refused login be tried again, after the host was changed.
    pub unlock: String,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            host: "the host".to_owned(),
            port: "the port".to_owned(),
            user: "the user".to_owned(),
            key: "the key".to_owned(),
            known_hosts: "the known hosts".to_owned(),
            unlock: "connect anew".to_owned(),
        }
    }
}

/// Where to log in, as whom, and whom to believe.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User on that host.
    pub user: String,
    /// His key or password.
    pub login: Login,
    /// The keys that are believed.
    pub known_hosts: Arc<KnownHosts>,
    /// For texts.
    pub names: Arc<Names>,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}
