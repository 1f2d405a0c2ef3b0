//! What a simulated BMC is like.

use crate::{Rule, SimError};
use drp_ipmi::{CipherSuite, DeviceId, MAX_PASSWORD, MAX_USER, Privilege};
use drp_protocol::Secret;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

/// Someone who may log in.
#[derive(Clone, Debug)]
pub struct User {
    /// Name, up to 16 bytes.
    pub name: String,
    /// Password, up to 20 bytes.
    pub password: Secret,
    /// The most this user may become.
    pub privilege: Privilege,
}

/// The Redfish service of a BMC.
#[derive(Clone, Debug)]
pub struct RedfishConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Certificate and key; `None` for plain HTTP.
    pub identity: Option<crate::redfish::Identity>,
    /// Whose firmware it is like.
    pub profile: std::sync::Arc<crate::redfish::Profile>,
}

/// A BMC and its machine. Start from [`BmcConfig::new`] and change what matters.
#[derive(Clone, Debug)]
pub struct BmcConfig {
    /// Where to listen; port 0 takes any free one.
    pub listen: SocketAddr,
    /// Who may log in.
    pub users: Vec<User>,
    /// Cipher suites on offer.
    pub suites: Vec<CipherSuite>,
    /// BMC key; `None` for the one-key login.
    pub kg: Option<Secret<Vec<u8>>>,
    /// GUID.
    pub guid: [u8; 16],
    /// Answer to Get Device ID.
    pub device: DeviceId,
    /// Session slots, half-open ones included.
    pub sessions: usize,
    /// A session that is silent this long is forgotten (IPMI 2.0 §6.12.15 says 60 s).
    pub session_idle: Duration,
    /// Power at the start.
    pub powered: bool,
    /// From a power command to its effect.
    pub power_delay: Duration,
    /// From a soft shutdown to power off; `None`: the operating system ignores it.
    pub soft_delay: Option<Duration>,
    /// How long a power cycle stays off.
    pub cycle_off: Duration,
    /// Power cycle and reset of a machine that is off: refused with 0xD5 (as IPMI 2.0 §28.3 recommends), or carried out
    /// as a power on, as some BMCs do.
    pub cycle_needs_power: bool,
    /// Power commands are refused while an earlier one has not had its effect.
    pub busy_in_transition: bool,
    /// How long a restart keeps the BMC away.
    pub boot_time: Duration,
    /// Time before every answer.
    pub latency: Duration,
    /// Speaks IPMI on `listen`.
    pub ipmi: bool,
    /// Speaks Redfish there.
    pub redfish: Option<RedfishConfig>,
    /// Faults from the start.
    pub faults: Vec<Rule>,
}

impl BmcConfig {
    /// A well-behaved BMC with one administrator, on any free loopback port, its machine off.
    pub fn new(user: impl Into<String>, password: impl Into<Secret>) -> Self {
        Self {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            users: vec![User {
                name: user.into(),
                password: password.into(),
                privilege: Privilege::Administrator,
            }],
            suites: vec![CipherSuite::Suite3, CipherSuite::Suite17],
            kg: None,
            // Reads as 44525020-5349-4d42-8d43-000000000000; the last bytes are for numbering.
            guid: [0x20, 0x50, 0x52, 0x44, 0x49, 0x53, 0x42, 0x4d, 0x8d, 0x43, 0, 0, 0, 0, 0, 0],
            device: DeviceId {
                id: 0x20,
                revision: 1,
                firmware_major: 1,
                firmware_minor: 0,
                ipmi_version: (2, 0),
                support: 0x80,
                manufacturer: Some(0),
                product: Some(1),
                aux: Some([0; 4]),
            },
            sessions: 16,
            session_idle: Duration::from_secs(60),
            powered: false,
            power_delay: Duration::ZERO,
            soft_delay: Some(Duration::from_millis(200)),
            cycle_off: Duration::from_millis(300),
            cycle_needs_power: true,
            busy_in_transition: false,
            boot_time: Duration::ZERO,
            latency: Duration::ZERO,
            ipmi: true,
            redfish: None,
            faults: Vec::new(),
        }
    }

    /// The same BMC, with a Redfish service in plain HTTP on any free loopback port.
    pub fn with_redfish(mut self, profile: impl Into<std::sync::Arc<crate::redfish::Profile>>) -> Self {
        self.redfish = Some(RedfishConfig {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            identity: None,
            profile: profile.into(),
        });
        self
    }

    /// Checks what cannot work.
    pub(crate) fn check(&self) -> Result<(), SimError> {
        for user in &self.users {
            if user.name.len() > MAX_USER || user.password.expose().len() > MAX_PASSWORD {
                return Err(SimError::Setting(format!(
                    "user {:?}: a name has at most {MAX_USER} bytes and a password {MAX_PASSWORD}",
                    user.name
                )));
            }
        }
        if !self.ipmi && self.redfish.is_none() {
            return Err(SimError::Setting("a BMC that speaks neither IPMI nor Redfish says nothing".into()));
        }
        if self.suites.is_empty() {
            return Err(SimError::Setting(
                "a BMC without any cipher suite lets nobody in; give 3, 17 or both".into(),
            ));
        }
        Ok(())
    }
}
