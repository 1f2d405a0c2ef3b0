//! Channels (IPMI 2.0 §22.24) and their LAN settings (§23.2), read by `ipmi-rs-core`.

use super::Invalid;
use super::command::{Command, NETFN_APP, NETFN_TRANSPORT};
use ipmi_rs_core::app::{ChannelInfo, ChannelMediumType};
use ipmi_rs_core::transport::{IpAddressSource, LanConfigParameter, LanConfigParameterData};
use std::net::{Ipv4Addr, Ipv6Addr};

/// The channel that a request comes in on, whatever its number.
pub const THIS_CHANNEL: u8 = 0x0e;
/// The highest number of a channel that can be anything (Table 6-1).
pub const LAST_CHANNEL: u8 = 0x0b;

/// What a channel is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Channel {
    /// Its number.
    pub number: u8,
    /// It is a LAN.
    pub lan: bool,
}

impl Channel {
    /// Get Channel Info.
    pub fn command(number: u8) -> Command {
        Command::idempotent("get channel info", NETFN_APP, 0x42, [number & 0x0f])
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is cut short, or names a channel that cannot be.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let info = ChannelInfo::parse(data).ok_or(Invalid("channel info cut short or of no channel"))?;
        let lan = matches!(info.medium_type, ChannelMediumType::Lan802_3 | ChannelMediumType::OtherLan);
        Ok(Self { number: info.channel.value(), lan })
    }
}

/// How an address came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Set by hand.
    Static,
    /// By DHCP (DHCPv6).
    Dhcp,
    /// By the router's announcements (IPv6).
    Slaac,
    /// Loaded by the BIOS or system software.
    Bios,
    /// Something else, or not said.
    Other,
}

/// A LAN parameter (Table 23-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Parameter {
    /// IPv4 address.
    Address = 3,
    /// How it got it.
    Source = 4,
    /// MAC address.
    Mac = 5,
    /// Netmask.
    Netmask = 6,
    /// Default gateway.
    Gateway = 12,
    /// 802.1q VLAN.
    Vlan = 20,
    /// Whether IPv6 is in use.
    Ipv6Enables = 51,
    /// How many IPv6 addresses there may be.
    Ipv6Status = 55,
    /// A static IPv6 address.
    Ipv6Static = 56,
    /// A dynamic IPv6 address.
    Ipv6Dynamic = 59,
}

/// Its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Value {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// How it got it.
    Source(Source),
    /// A MAC address.
    Mac([u8; 6]),
    /// VLAN id; `None` when it is off.
    Vlan(Option<u16>),
    /// IPv6 is in use.
    Ipv6Enabled(bool),
    /// So many static and dynamic addresses.
    Ipv6Slots(u8, u8),
    /// An address; `None` in a slot that is empty or off.
    Ipv6(Option<Ipv6>),
}

/// An IPv6 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6 {
    /// The address.
    pub address: Ipv6Addr,
    /// Length of its prefix.
    pub prefix: u8,
    /// How it got it.
    pub source: Source,
}

impl Parameter {
    /// Get LAN Configuration Parameters; `set` is the slot of parameters that have several.
    pub fn command(self, channel: u8, set: u8) -> Command {
        let data = [channel & 0x0f, self as u8, set, 0];
        Command::idempotent("get LAN configuration parameter", NETFN_TRANSPORT, 0x02, data)
    }

    fn known(self) -> LanConfigParameter {
        match self {
            Self::Address => LanConfigParameter::IpAddress,
            Self::Source => LanConfigParameter::IpAddressSource,
            Self::Mac => LanConfigParameter::MacAddress,
            Self::Netmask => LanConfigParameter::SubnetMask,
            Self::Gateway => LanConfigParameter::DefaultGatewayAddress,
            Self::Vlan => LanConfigParameter::Other(20),
            Self::Ipv6Enables => LanConfigParameter::Ipv6Ipv4AddressingEnables,
            Self::Ipv6Status => LanConfigParameter::Ipv6Status,
            Self::Ipv6Static => LanConfigParameter::Ipv6StaticAddresses,
            Self::Ipv6Dynamic => LanConfigParameter::Ipv6DynamicAddress,
        }
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(self, answer: &[u8]) -> Result<Value, Invalid> {
        use LanConfigParameterData as Data;
        let cut = Invalid("LAN configuration parameter cut short");
        // The parameter's revision comes first.
        let data = answer.get(1..).ok_or(cut)?;
        let ipv6 = |address: [u8; 16], prefix: u8, on: bool, source: Source| {
            let address = Ipv6Addr::from(address);
            let used = on && !address.is_unspecified();
            Value::Ipv6(used.then_some(Ipv6 { address, prefix: prefix.min(128), source }))
        };
        Ok(match self.known().parse(data).map_err(|_| cut)? {
            Data::IpAddress(a) | Data::SubnetMask(a) | Data::DefaultGatewayAddress(a) => {
                Value::Ipv4(Ipv4Addr::from(a.0))
            }
            Data::IpAddressSource(source) => Value::Source(match source {
                IpAddressSource::Static => Source::Static,
                IpAddressSource::Dhcp => Source::Dhcp,
                IpAddressSource::BiosOrSystemSoftware => Source::Bios,
                _ => Source::Other,
            }),
            Data::MacAddress(mac) => Value::Mac(mac.0),
            Data::Ipv6Ipv4AddressingEnables(enables) => Value::Ipv6Enabled(u8::from(enables) != 0),
            Data::Ipv6Status(status) => {
                Value::Ipv6Slots(status.static_address_max, status.dynamic_address_max)
            }
            Data::Ipv6StaticAddresses(a) => ipv6(a.address.0, a.prefix_length, a.enabled, Source::Static),
            Data::Ipv6DynamicAddress(a) => {
                let source = match a.source_type {
                    1 => Source::Slaac,
                    2 => Source::Dhcp,
                    _ => Source::Other,
                };
                ipv6(a.address.0, a.prefix_length, true, source)
            }
            Data::Raw(bytes) if self == Self::Vlan => {
                let vlan = super::u16_at(&bytes, 0).ok_or(cut)?;
                Value::Vlan((vlan & 0x8000 != 0).then_some(vlan & 0x0fff))
            }
            _ => return Err(cut),
        })
    }
}
