//! Whom to talk to, and how long.

use crate::{CipherSuite, Error, Privilege};
use drp_protocol::Secret;
use std::time::Duration;

/// UDP port of RMCP (IPMI 2.0 §13.1.2).
pub const DEFAULT_PORT: u16 = 623;
/// A user name has at most 16 bytes (IPMI 2.0 §22.28).
pub const MAX_USER: usize = 16;
/// A password has at most 20 bytes (IPMI 2.0 §22.30).
pub const MAX_PASSWORD: usize = 20;

/// A BMC and how to log in to it. Its `Debug` shows no secret.
#[derive(Clone, Debug)]
pub struct Target {
    /// Host name, IPv4 or IPv6 address (without brackets or with).
    pub host: String,
    /// UDP port, 623 unless told otherwise.
    pub port: u16,
    /// User name, up to 16 bytes.
    pub user: String,
    /// Password, up to 20 bytes.
    pub password: Secret,
    /// The one cipher suite to use.
    pub suite: CipherSuite,
    /// The privilege to ask for, in the open request and right after.
    pub privilege: Privilege,
    /// The BMC key Kg, up to 20 bytes, when the BMC has one.
    pub kg: Option<Secret<Vec<u8>>>,
}

impl Target {
    /// A target on port 623 with suite 17, administrator, no Kg.
    pub fn new(host: impl Into<String>, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self {
            host: host.into(),
            port: DEFAULT_PORT,
            user: user.into(),
            password: password.into(),
            suite: CipherSuite::Suite17,
            privilege: Privilege::Administrator,
            kg: None,
        }
    }

    /// Checks the lengths. Longer values are errors, never cut: a cut password is another password.
    ///
    /// # Errors
    /// [`Error::BadTarget`] naming the setting.
    pub fn check(&self) -> Result<(), Error> {
        let bad = |what: String| Err(Error::BadTarget { what });
        if self.host.is_empty() {
            return bad("the BMC address is empty".into());
        }
        if self.port == 0 {
            return bad("the BMC port is 0".into());
        }
        if self.user.len() > MAX_USER {
            return bad(format!(
                "the BMC user name has {} bytes, at most {MAX_USER} are possible",
                self.user.len()
            ));
        }
        if self.password.expose().len() > MAX_PASSWORD {
            return bad(format!("the BMC password is longer than {MAX_PASSWORD} bytes"));
        }
        if self.kg.as_ref().is_some_and(|kg| kg.expose().len() > MAX_PASSWORD) {
            return bad(format!("the BMC key (Kg) is longer than {MAX_PASSWORD} bytes"));
        }
        Ok(())
    }
}

/// How long to wait. Every call has an end.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// For opening a session, as a whole.
    pub connect: Duration,
    /// For one command. A machine may need some seconds for its power, and its BMC may answer only then.
    pub command: Duration,
    /// Before the first retransmission; doubled for each further one.
    pub retransmit: Duration,
}

impl Default for Timeouts {
    /// 5 s to open, 8 s for a command, first retransmission after 500 ms.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            command: Duration::from_secs(8),
            retransmit: Duration::from_millis(500),
        }
    }
}
