//! Application commands: who a BMC is, and sessions (IPMI 2.0 §20 and §22).

use super::Invalid;
use super::command::{Command, NETFN_APP};
use crate::Privilege;
use std::fmt;

/// Cold Reset.
pub const COLD_RESET: u8 = 0x02;
/// Get Device ID.
pub const GET_DEVICE_ID: u8 = 0x01;
/// Get System GUID.
pub const GET_SYSTEM_GUID: u8 = 0x37;
/// Get Channel Authentication Capabilities.
pub const GET_CHANNEL_AUTH: u8 = 0x38;
/// Set Session Privilege Level.
pub const SET_PRIVILEGE: u8 = 0x3b;
/// Close Session.
pub const CLOSE_SESSION: u8 = 0x3c;

/// The answer to Get Device ID (IPMI 2.0 §20.1). Some BMCs leave the end out; what is missing is `None` or zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceId {
    /// Device id, 0 when unspecified.
    pub id: u8,
    /// Device revision.
    pub revision: u8,
    /// Firmware revision, major.
    pub firmware_major: u8,
    /// Firmware revision, minor, as BCD.
    pub firmware_minor: u8,
    /// IPMI version as (major, minor).
    pub ipmi_version: (u8, u8),
    /// Additional device support bits.
    pub support: u8,
    /// Manufacturer: IANA enterprise number.
    pub manufacturer: Option<u32>,
    /// Product number of that manufacturer.
    pub product: Option<u16>,
    /// Auxiliary firmware revision.
    pub aux: Option<[u8; 4]>,
}

impl DeviceId {
    /// The request.
    pub fn command() -> Command {
        Command::idempotent("get device id", NETFN_APP, GET_DEVICE_ID, [])
    }

    /// Restarts the BMC itself; the machine goes on (IPMI 2.0 §20.2). It closes all sessions.
    pub fn cold_reset_command() -> Command {
        Command::once("cold reset", NETFN_APP, COLD_RESET, [])
    }

    /// Reads the response data.
    ///
    /// # Errors
    /// When not even the IPMI version (byte 5) is there.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[id, revision, fw_major, fw_minor, version, ref rest @ ..] = data else {
            return Err(Invalid("device id shorter than 5 bytes"));
        };
        let manufacturer = match rest {
            [_, a, b, c, ..] => Some(u32::from_le_bytes([*a, *b, *c & 0x0f, 0])),
            _ => None,
        };
        let product = match rest {
            [_, _, _, _, a, b, ..] => Some(u16::from_le_bytes([*a, *b])),
            _ => None,
        };
        let aux = match rest {
            [_, _, _, _, _, _, a, b, c, d, ..] => Some([*a, *b, *c, *d]),
            _ => None,
        };
        Ok(Self {
            id,
            revision: revision & 0x0f,
            firmware_major: fw_major & 0x7f,
            firmware_minor: fw_minor,
            // BCD with the low digit first: 0x51 is 1.5, 0x02 is 2.0.
            ipmi_version: (version & 0x0f, version >> 4),
            support: rest.first().copied().unwrap_or(0),
            manufacturer,
            product,
            aux,
        })
    }

    /// Writes the response data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = vec![
            self.id,
            self.revision & 0x0f,
            self.firmware_major & 0x7f,
            self.firmware_minor,
            (self.ipmi_version.0 & 0x0f) | self.ipmi_version.1 << 4,
            self.support,
        ];
        if let Some(m) = self.manufacturer {
            out.extend_from_slice(&m.to_le_bytes()[..3]);
            if let Some(p) = self.product {
                out.extend_from_slice(&p.to_le_bytes());
                if let Some(aux) = self.aux {
                    out.extend_from_slice(&aux);
                }
            }
        }
        out
    }
}

/// The answer to Get System GUID (IPMI 2.0 §22.14), in the byte order of the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SystemGuid(pub [u8; 16]);

impl SystemGuid {
    /// The request.
    pub fn command() -> Command {
        Command::idempotent("get system GUID", NETFN_APP, GET_SYSTEM_GUID, [])
    }

    /// Reads the response data.
    ///
    /// # Errors
    /// When it is shorter than 16 bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        data.first_chunk::<16>().map(|b| Self(*b)).ok_or(Invalid("GUID shorter than 16 bytes"))
    }
}

impl fmt::Display for SystemGuid {
    /// As the SMBIOS UUID most BMCs mean by it: the first three fields little-endian (IPMI 2.0 §20.8 leaves it open).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let b = &self.0;
        let order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
        for (n, i) in order.into_iter().enumerate() {
            if matches!(n, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{:02x}", b[i])?;
        }
        Ok(())
    }
}

/// The answer to Get Channel Authentication Capabilities (IPMI 2.0 §22.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuthCapabilities {
    /// Channel the answer is about.
    pub channel: u8,
    /// Supports IPMI 2.0 (RMCP+).
    pub ipmi20: bool,
    /// Supports IPMI 1.5.
    pub ipmi15: bool,
    /// Kg is set: the two-key login is needed.
    pub kg_set: bool,
    /// Users with an empty name may log in.
    pub anonymous: bool,
}

impl AuthCapabilities {
    /// The request, for the channel it is sent on, asking for the IPMI 2.0 fields.
    pub fn command(privilege: Privilege) -> Command {
        Command::idempotent(
            "get channel authentication capabilities",
            NETFN_APP,
            GET_CHANNEL_AUTH,
            [0x80 | 0x0e, privilege.id()],
        )
    }

    /// Reads the response data.
    ///
    /// # Errors
    /// When it is shorter than four bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[channel, types, flags, ref rest @ ..] = data else {
            return Err(Invalid("authentication capabilities shorter than 3 bytes"));
        };
        let extended = if types & 0x80 != 0 { rest.first().copied().unwrap_or(0) } else { 0x01 };
        Ok(Self {
            channel: channel & 0x0f,
            ipmi20: extended & 0x02 != 0,
            ipmi15: extended & 0x01 != 0,
            kg_set: flags & 0x20 != 0,
            anonymous: flags & 0x03 != 0,
        })
    }

    /// Writes the response data (8 bytes, no authentication types of IPMI 1.5).
    pub fn encode(&self) -> [u8; 8] {
        [
            self.channel & 0x0f,
            0x80,
            u8::from(self.kg_set) << 5 | u8::from(self.anonymous) | 0x04,
            u8::from(self.ipmi20) << 1 | u8::from(self.ipmi15),
            0,
            0,
            0,
            0,
        ]
    }
}

/// Set Session Privilege Level (IPMI 2.0 §22.18).
pub fn set_privilege_command(privilege: Privilege) -> Command {
    Command::idempotent("set session privilege level", NETFN_APP, SET_PRIVILEGE, [privilege.id()])
}

/// Close Session (IPMI 2.0 §22.19).
pub fn close_session_command(session_id: u32) -> Command {
    Command::idempotent("close session", NETFN_APP, CLOSE_SESSION, session_id.to_le_bytes())
}
