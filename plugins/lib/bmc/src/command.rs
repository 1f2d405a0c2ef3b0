//! Single commands to a BMC, in the field's words and independent of any protocol.

use crate::{BootState, Power, PowerControl};
use serde::Serialize;
use serde_json::Value;
use std::fmt;
use std::sync::Arc;

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

/// Something of a machine or its BMC that is read as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// Health of the machine and its parts.
    Health,
    /// The machine's own description.
    System,
    /// Its boot settings.
    Boot,
    /// BIOS attributes.
    Bios,
    /// Memory modules.
    Memory,
    /// Storage with drives.
    Storage,
    /// The older, simpler form of storage.
    SimpleStorage,
    /// Processors.
    Processors,
    /// Network adapters.
    NetworkInterfaces,
    /// Their ports.
    EthernetInterfaces,
    /// UEFI secure boot.
    SecureBoot,
    /// What is in the virtual optical drive.
    Media,
    /// Sensor readings.
    Sensors,
    /// The system event log.
    Sel,
    /// User accounts of the BMC, without anything secret.
    Users,
    /// The BMC's own network settings.
    Lan,
}

impl Part {
    /// In words, for texts and plans.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Health => "health",
            Self::System => "system description",
            Self::Boot => "boot settings",
            Self::Bios => "BIOS attributes",
            Self::Memory => "memory",
            Self::Storage => "storage",
            Self::SimpleStorage => "simple storage",
            Self::Processors => "processors",
            Self::NetworkInterfaces => "network adapters",
            Self::EthernetInterfaces => "network ports",
            Self::SecureBoot => "secure boot",
            Self::Media => "virtual media",
            Self::Sensors => "sensors",
            Self::Sel => "system event log",
            Self::Users => "users of the BMC",
            Self::Lan => "network settings of the BMC",
        }
    }
}

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Read a part. Answer: [`Reply::Data`].
    Read(Part),
    /// Put an image into the virtual optical drive. Answer: [`Reply::Done`].
    MediaInsert {
        /// Where the BMC fetches it.
        url: Arc<str>,
        /// Boot from it at the next start.
        boot: bool,
        /// Whether the machine boots the UEFI way; `None` when nobody knows.
        efi: Option<bool>,
    },
    /// Empty the virtual optical drive. Answer: [`Reply::Done`].
    MediaEject,
    /// Empty the system event log. Answer: [`Reply::Done`].
    SelClear,
    /// Restart the BMC itself. Answer: [`Reply::Done`].
    BmcReset,
}

impl Command {
    /// What may be done about a missing answer.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::Chassis | Self::BootGet | Self::Info | Self::Read(_) => Class::Read,
            Self::Power(PowerControl::Up | PowerControl::Down)
            | Self::BootSet(_)
            | Self::MediaInsert { .. }
            | Self::MediaEject => Class::State,
            Self::Power(_) | Self::Identify(_) | Self::SelClear | Self::BmcReset => Class::Once,
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
            Self::Info => f.write_str("read what the BMC is"),
            Self::Read(part) => write!(f, "read {}", part.words()),
            Self::MediaInsert { url, boot: false, .. } => write!(f, "insert virtual media {url}"),
            Self::MediaInsert { url, boot: true, .. } => {
                write!(f, "insert virtual media {url} and boot from it")
            }
            Self::MediaEject => f.write_str("eject virtual media"),
            Self::SelClear => f.write_str("clear the system event log"),
            Self::BmcReset => f.write_str("restart the BMC"),
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
    /// Name of the model, when the BMC gives one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
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
    /// A part, in the driver's own form.
    Data(Value),
}
