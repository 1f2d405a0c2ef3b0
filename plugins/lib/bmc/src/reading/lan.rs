//! The network settings of a BMC.

use serde::{Deserialize, Serialize};

/// An IPv4 address with what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ipv4 {
    /// The address.
    pub address: String,
    /// Netmask; empty when not told.
    pub netmask: String,
    /// Default gateway; empty for none.
    pub gateway: String,
    /// `static`, `dhcp`, `bios`, or `other`.
    pub source: String,
}

/// An IPv6 address.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Ipv6 {
    /// The address.
    pub address: String,
    /// Length of its prefix.
    pub prefix: Option<u8>,
    /// `static`, `dhcp`, `slaac`, `linklocal`, or `other`.
    pub source: String,
}

/// One network interface of the BMC.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LanInterface {
    /// `channel 1` (IPMI), the interface's id (Redfish).
    pub name: String,
    /// MAC address, lower case with colons; empty when not told.
    pub mac: String,
    /// VLAN id; `null` for none.
    pub vlan: Option<u16>,
    /// IPv4; `null` when it has no address.
    pub ipv4: Option<Ipv4>,
    /// IPv6 addresses.
    pub ipv6: Vec<Ipv6>,
    /// Host name (Redfish alone tells one).
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub hostname: String,
}

/// Answer to `lan`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Lan {
    /// The interfaces; over IPMI first the one that this was read on.
    pub interfaces: Vec<LanInterface>,
}

impl Lan {
    /// One sentence.
    pub(crate) fn text(&self) -> String {
        let of = |lan: &LanInterface| {
            let address = match (&lan.ipv4, lan.ipv6.first()) {
                (Some(ipv4), _) => format!("{} ({})", ipv4.address, ipv4.source),
                (None, Some(ipv6)) => format!("{} ({})", ipv6.address, ipv6.source),
                (None, None) => "no address".to_owned(),
            };
            let name = &lan.name;
            format!("{name}: {address}")
        };
        let all: Vec<_> = self.interfaces.iter().map(of).collect();
        if all.is_empty() { "no network interface is told".to_owned() } else { all.join(", ") }
    }
}
