//! System boot options (IPMI 2.0 §28.12, §28.13, Table 28-14).

use super::Invalid;
use super::command::{Command, NETFN_CHASSIS};
use std::fmt;

/// Set System Boot Options.
pub const SET_OPTIONS: u8 = 0x08;
/// Get System Boot Options.
pub const GET_OPTIONS: u8 = 0x09;
/// Parameter 4: boot info acknowledge.
pub const PARAM_INFO_ACK: u8 = 4;
/// Parameter 5: boot flags.
pub const PARAM_FLAGS: u8 = 5;

/// Where to boot from (Table 28-14, parameter 5, data 2, bits 5..2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BootDevice {
    /// No override: the BIOS's own order.
    None,
    /// Network.
    Pxe,
    /// Default hard drive.
    Disk,
    /// Default hard drive, safe mode.
    DiskSafe,
    /// Diagnostic partition.
    Diagnostic,
    /// Default CD/DVD.
    Cdrom,
    /// BIOS setup.
    BiosSetup,
    /// Any other selector, 0 to 15.
    Other(u8),
}

impl BootDevice {
    /// The selector, 0 to 15.
    pub const fn id(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Pxe => 1,
            Self::Disk => 2,
            Self::DiskSafe => 3,
            Self::Diagnostic => 4,
            Self::Cdrom => 5,
            Self::BiosSetup => 6,
            Self::Other(n) => n & 0x0f,
        }
    }

    /// The device of a selector; only the low four bits count.
    pub const fn from_id(id: u8) -> Self {
        match id & 0x0f {
            0 => Self::None,
            1 => Self::Pxe,
            2 => Self::Disk,
            3 => Self::DiskSafe,
            4 => Self::Diagnostic,
            5 => Self::Cdrom,
            6 => Self::BiosSetup,
            n => Self::Other(n),
        }
    }
}

impl fmt::Display for BootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Pxe => f.write_str("pxe"),
            Self::Disk => f.write_str("disk"),
            Self::DiskSafe => f.write_str("disk-safe"),
            Self::Diagnostic => f.write_str("diagnostic"),
            Self::Cdrom => f.write_str("cdrom"),
            Self::BiosSetup => f.write_str("bios"),
            Self::Other(n) => write!(f, "device {n}"),
        }
    }
}

/// The boot flags (parameter 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BootFlags {
    /// The flags count. A BMC clears it after the boot, or 60 s later.
    pub valid: bool,
    /// For all boots, not only the next.
    pub persistent: bool,
    /// Boot in EFI mode instead of legacy BIOS mode.
    pub efi: bool,
    /// Where to boot from.
    pub device: BootDevice,
    /// The other bits of data 2 (mask 0xc3): CMOS clear, lock keyboard, screen blank, lock reset.
    pub data2: u8,
    /// Data 3: lock buttons, verbosity, console redirection.
    pub data3: u8,
    /// Data 4: shared mode, mux control.
    pub data4: u8,
    /// Data 5: device instance.
    pub data5: u8,
}

impl BootFlags {
    /// Valid flags for one device, everything else zero.
    pub const fn new(device: BootDevice, persistent: bool, efi: bool) -> Self {
        Self { valid: true, persistent, efi, device, data2: 0, data3: 0, data4: 0, data5: 0 }
    }

    /// The five data bytes.
    pub const fn encode(&self) -> [u8; 5] {
        [
            (self.valid as u8) << 7 | (self.persistent as u8) << 6 | (self.efi as u8) << 5,
            (self.data2 & 0xc3) | self.device.id() << 2,
            self.data3,
            self.data4,
            self.data5,
        ]
    }

    /// Reads the data bytes of the parameter. Bytes that a BMC leaves out count as zero; more are ignored.
    ///
    /// # Errors
    /// When the first two bytes are not there.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[d1, d2, ref rest @ ..] = data else {
            return Err(Invalid("boot flags shorter than 2 bytes"));
        };
        let at = |i: usize| rest.get(i).copied().unwrap_or(0);
        Ok(Self {
            valid: d1 & 0x80 != 0,
            persistent: d1 & 0x40 != 0,
            efi: d1 & 0x20 != 0,
            device: BootDevice::from_id(d2 >> 2),
            data2: d2 & 0xc3,
            data3: at(0),
            data4: at(1),
            data5: at(2),
        })
    }

    /// The request that sets them.
    pub fn set_command(&self) -> Command {
        let mut data = vec![PARAM_FLAGS];
        data.extend_from_slice(&self.encode());
        Command::idempotent("set boot flags", NETFN_CHASSIS, SET_OPTIONS, data)
    }

    /// The request that reads them.
    pub fn get_command() -> Command {
        Command::idempotent("get boot flags", NETFN_CHASSIS, GET_OPTIONS, [PARAM_FLAGS, 0, 0])
    }

    /// Reads the response to [`get_command`](Self::get_command): parameter version, parameter number, data.
    ///
    /// # Errors
    /// When it is too short or about another parameter.
    pub fn decode_response(data: &[u8]) -> Result<Self, Invalid> {
        let &[_version, param, ref flags @ ..] = data else {
            return Err(Invalid("boot options shorter than 2 bytes"));
        };
        if param & 0x7f != PARAM_FLAGS {
            return Err(Invalid("boot options of another parameter"));
        }
        Self::decode(flags)
    }

    /// The request that tells the BMC that boot flags are about to be set for the BIOS to look at (parameter 4, with
    /// the BIOS/POST bit, as `ipmitool` sends it). Some BMCs do not have it; that is no reason to stop.
    pub fn acknowledge_command() -> Command {
        Command::idempotent("acknowledge boot info", NETFN_CHASSIS, SET_OPTIONS, [PARAM_INFO_ACK, 0x01, 0x01])
    }
}
