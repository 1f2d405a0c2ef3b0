//! Which BMC, and with what.

use drp_protocol::Secret;
use drp_tls::Trust;
use std::time::Duration;

/// The port of Redfish over TLS.
pub const DEFAULT_PORT: u16 = 443;

/// A BMC and how to talk to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// Port; 0 is [`DEFAULT_PORT`].
    pub port: u16,
    /// User on the BMC.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Which certificate is believed.
    pub trust: Trust,
    /// The machine's UUID, to choose the system when the service has several.
    pub system_uuid: Option<String>,
    /// Longest wait for one answer.
    pub timeout: Duration,
}

impl Target {
    /// A target with the defaults: port 443, certificate verified, the only system, 30 s.
    #[must_use]
    pub fn new(host: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        Self {
            host: host.into(),
            port: 0,
            username: username.into(),
            password,
            trust: Trust::default(),
            system_uuid: None,
            timeout: Duration::from_secs(30),
        }
    }

    /// `host:port`, the form used in texts and URLs.
    #[must_use]
    pub fn endpoint(&self) -> String {
        let port = if self.port == 0 { DEFAULT_PORT } else { self.port };
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }

    pub(crate) fn base(&self) -> String {
        let scheme = if self.trust == Trust::Plain { "http" } else { "https" };
        format!("{scheme}://{}", self.endpoint())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_never_prints_its_password() {
        let mut target = Target::new("fd00::1", "admin", Secret::new("hunter2".to_owned()));
        assert!(!format!("{target:?}").contains("hunter2"));
        assert_eq!(target.base(), "https://[fd00::1]:443");
        target.trust = Trust::Plain;
        assert!(target.base().starts_with("http://"));
    }
}
