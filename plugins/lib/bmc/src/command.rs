//! Single commands to a BMC, in the field's words and independent of any protocol.

use crate::{BootState, Power, PowerControl};
use serde::Serialize;
use std::fmt;

/// What may be done about a command whose answer is missing (promise P4).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing: may be sent as often as wanted.
    Read,
    /// Brings about a state that can be read: sent again only after a reading proved that it had no effect.
    State,
    /// Does something each time it arrives: sent once, whatever happens.
    Once,
}

/// How long a chassis identifies itself (IPMI 2.0 §28.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identify {
    /// For so many seconds.
    Seconds(u8),
    /// Until told otherwise.
    Forever,
    /// Stop.
    Off,
}

impl fmt::Display for Identify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Seconds(n) => write!(f, "identify for {n} s"),
            Self::Forever => f.write_str("identify until switched off"),
            Self::Off => f.write_str("identify off"),
        }
    }
}

/// One command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// Read power and identify state. Answer: [`Reply::Chassis`].
    Chassis,
    /// Change power. Answer: [`Reply::Done`].
    Power(PowerControl),
    /// Read the boot override. Answer: [`Reply::Boot`].
    BootGet,
    /// Set the boot override. Answer: [`Reply::Done`].
    BootSet(BootState),
    /// Chassis identify. Answer: [`Reply::Done`].
    Identify(Identify),
    /// Ask what the BMC is. Answer: [`Reply::Info`].
    Info,
}

impl Command {
    /// What may be done about a missing answer.
    #[must_use]
    pub fn class(self) -> Class {
        match self {
            Self::Chassis | Self::BootGet | Self::Info => Class::Read,
            Self::Power(PowerControl::Up | PowerControl::Down) | Self::BootSet(_) => Class::State,
            Self::Power(_) | Self::Identify(_) => Class::Once,
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Chassis => f.write_str("read chassis status"),
            Self::Power(control) => f.write_str(control.words()),
            Self::BootGet => f.write_str("read boot options"),
            Self::BootSet(state) => write!(f, "set boot options ({state})"),
            Self::Identify(identify) => write!(f, "{identify}"),
            Self::Info => f.write_str("read device id"),
        }
    }
}

/// Chassis status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Chassis {
    /// Power.
    pub power: Power,
    /// The chassis identifies itself; `None` when the BMC does not report it.
    pub identify: Option<bool>,
}

/// What a BMC is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct BmcInfo {
    /// Device id and revision.
    pub device_id: u8,
    /// Firmware version.
    pub firmware: String,
    /// Version of the protocol it speaks, for instance `2.0`.
    pub protocol_version: String,
    /// Manufacturer by its IANA enterprise number.
    pub manufacturer_id: u32,
    /// Name of the manufacturer when it is one of the common ones.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub manufacturer: String,
    /// The manufacturer's product number.
    pub product_id: u16,
    /// Cipher suite, TLS version or the like of the session this was read over.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub session: String,
}

/// The answer to a [`Command`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Accepted.
    Done,
    /// Chassis status.
    Chassis(Chassis),
    /// Boot override.
    Boot(BootState),
    /// What the BMC is.
    Info(BmcInfo),
}
