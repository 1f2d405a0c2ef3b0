//! Which BMC, and with what.

use drp_protocol::Secret;
use drp_redfish::Trust;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher};
use std::net::IpAddr;
use std::time::Duration;

/// RMCP+ cipher suite to ask for (IPMI 2.0 §22.15.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CipherChoice {
    /// 17; when the BMC answers that it has no such suite, 3, and the refusal is shown in the attempts.
    #[default]
    Auto,
    /// HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128.
    Suite3,
    /// HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Suite17,
}

/// A BMC and how to talk to it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Host name or address.
    pub host: String,
    /// Port; 0 is the driver's default.
    pub port: u16,
    /// User on the BMC.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// The BMC's key Kg (two-key authentication), when it has one.
    pub kg: Option<Secret<Vec<u8>>>,
    /// Cipher suite.
    pub cipher: CipherChoice,
    /// Which certificate is believed, for protocols over TLS.
    pub trust: Trust,
    /// The machine's UUID, for BMCs of several machines.
    pub system_uuid: Option<String>,
    /// Rest between two commands.
    pub min_gap: Duration,
    /// Longest wait for the answer to one command, with all its retransmissions.
    pub timeout: Duration,
}

impl Target {
    /// A target with the defaults: driver's port, suite chosen with the BMC, 50 ms gap, 10 s timeout.
    #[must_use]
    pub fn new(host: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        Self {
            host: host.into(),
            port: 0,
            username: username.into(),
            password,
            kg: None,
            cipher: CipherChoice::default(),
            trust: Trust::default(),
            system_uuid: None,
            min_gap: Duration::from_millis(50),
            timeout: Duration::from_secs(10),
        }
    }

    /// `host:port`, the form used in texts.
    #[must_use]
    pub fn endpoint(&self, default_port: u16) -> String {
        let port = if self.port == 0 { default_port } else { self.port };
        if self.host.contains(':') {
            format!("[{}]:{port}", self.host)
        } else {
            format!("{}:{port}", self.host)
        }
    }

    /// The host, with its port unless that is the driver's default: for texts that a person reads.
    #[must_use]
    pub fn shown(&self, default_port: u16) -> String {
        if self.port == 0 || self.port == default_port {
            self.host.clone()
        } else {
            self.endpoint(default_port)
        }
    }

    /// What identifies the credentials and changes with them, without being them. Only equal within the
    /// process, whose random key it is made with.
    pub(crate) fn fingerprint(&self, key: &impl BuildHasher) -> Fingerprint {
        let mut hasher = key.build_hasher();
        self.username.hash(&mut hasher);
        self.password.expose().hash(&mut hasher);
        self.kg.as_ref().map(Secret::expose).hash(&mut hasher);
        let credentials = hasher.finish();
        (self.cipher as u8, &self.trust, &self.system_uuid).hash(&mut hasher);
        Fingerprint { credentials, session: hasher.finish() }
    }

    /// The network it counts towards: /24 of an IPv4 address, /64 of an IPv6 address, otherwise the name itself.
    pub(crate) fn subnet(&self) -> String {
        match self.host.parse::<IpAddr>() {
            Ok(IpAddr::V4(a)) => {
                let [a, b, c, _] = a.octets();
                format!("{a}.{b}.{c}.0/24")
            }
            Ok(IpAddr::V6(a)) => {
                let [a, b, c, d, ..] = a.segments();
                format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
            }
            Err(_) => self.host.clone(),
        }
    }
}

/// Stands for what a session is opened with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fingerprint {
    /// Of user, password and Kg: a refusal counts for these, whatever the suite.
    pub(crate) credentials: u64,
    /// Of these, the suite, the trust and the machine: a session is kept for all of it.
    pub(crate) session: u64,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::hash::RandomState;

    #[test]
    fn fingerprints_follow_the_credentials() {
        let key = RandomState::new();
        let one = Target::new("10.0.0.1", "admin", Secret::new("a".to_owned()));
        let mut other = one.clone();
        assert_eq!(one.fingerprint(&key), other.fingerprint(&key));
        other.password = Secret::new("b".to_owned());
        assert_ne!(one.fingerprint(&key), other.fingerprint(&key));
        other = one.clone();
        other.kg = Some(Secret::new(vec![1]));
        assert_ne!(one.fingerprint(&key).credentials, other.fingerprint(&key).credentials);
        other = one.clone();
        other.cipher = CipherChoice::Suite3;
        assert_eq!(one.fingerprint(&key).credentials, other.fingerprint(&key).credentials);
        assert_ne!(one.fingerprint(&key).session, other.fingerprint(&key).session);
    }

    #[test]
    fn neighbours_share_a_subnet() {
        let of = |host: &str| Target::new(host, "", Secret::default()).subnet();
        assert_eq!(of("10.1.2.3"), of("10.1.2.77"));
        assert_ne!(of("10.1.2.3"), of("10.1.3.3"));
        assert_eq!(of("fd00:1:2:3::1"), of("fd00:1:2:3:4::9"));
        assert_eq!(of("bmc7.example"), "bmc7.example");
    }

    #[test]
    fn a_target_never_prints_its_password() {
        let target = Target::new("10.0.0.1", "admin", Secret::new("hunter2".to_owned()));
        assert!(!format!("{target:?} {target}").contains("hunter2"));
        assert_eq!(target.endpoint(623), "10.0.0.1:623");
        assert_eq!((target.shown(623).as_str(), target.shown(0).as_str()), ("10.0.0.1", "10.0.0.1"));
        let other = Target { port: 6230, ..target };
        assert_eq!(other.shown(623), "10.0.0.1:6230");
        assert_eq!(Target::new("fd00::1", "", Secret::default()).endpoint(623), "[fd00::1]:623");
    }
}
