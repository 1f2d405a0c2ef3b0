//! Completion codes of IPMI responses.

use std::fmt;

/// The first byte of a response (IPMI 2.0 §5.2, Table 5-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CompletionCode(pub u8);

impl CompletionCode {
    /// Command completed normally.
    pub const OK: Self = Self(0x00);
    /// Node busy: try again.
    pub const NODE_BUSY: Self = Self(0xc0);
    /// Invalid command.
    pub const INVALID_COMMAND: Self = Self(0xc1);
    /// Timeout while processing the command.
    pub const TIMEOUT: Self = Self(0xc3);
    /// Out of space.
    pub const OUT_OF_SPACE: Self = Self(0xc4);
    /// Request data length invalid.
    pub const INVALID_LENGTH: Self = Self(0xc7);
    /// Parameter out of range.
    pub const OUT_OF_RANGE: Self = Self(0xc9);
    /// Cannot return the number of requested data bytes.
    pub const CANNOT_RETURN_BYTES: Self = Self(0xca);
    /// Invalid data field in request.
    pub const INVALID_DATA_FIELD: Self = Self(0xcc);
    /// Destination unavailable.
    pub const DESTINATION_UNAVAILABLE: Self = Self(0xd3);
    /// Insufficient privilege level.
    pub const INSUFFICIENT_PRIVILEGE: Self = Self(0xd4);
    /// Not supported in the present state.
    pub const NOT_IN_PRESENT_STATE: Self = Self(0xd5);
    /// Unspecified error.
    pub const UNSPECIFIED: Self = Self(0xff);

    /// Whether the command was done.
    pub const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// Whether the BMC says that it cannot now but may be able to later.
    pub const fn is_busy(self) -> bool {
        matches!(self.0, 0xc0 | 0xd0 | 0xd1 | 0xd2)
    }

    /// The generic meaning of the code. Codes 0x80 to 0xbe mean something else for each command: see
    /// [`words_for`](Self::words_for).
    pub const fn words(self) -> &'static str {
        match self.0 {
            0x00 => "completed normally",
            0x01..=0x7e => "device specific (OEM) completion code",
            0x80..=0xbe => "command specific completion code",
            0xc0 => "node busy",
            0xc1 => "invalid or unsupported command",
            0xc2 => "command invalid for the given LUN",
            0xc3 => "timeout while processing the command",
            0xc4 => "out of space",
            0xc5 => "reservation cancelled or invalid",
            0xc6 => "request data truncated",
            0xc7 => "request data length invalid",
            0xc8 => "request data field length limit exceeded",
            0xc9 => "parameter out of range",
            0xca => "cannot return the number of requested data bytes",
            0xcb => "requested sensor, data or record not present",
            0xcc => "invalid data field in request",
            0xcd => "command illegal for the specified sensor or record type",
            0xce => "command response could not be provided",
            0xcf => "cannot execute a duplicated request",
            0xd0 => "command response could not be provided: SDR repository in update mode",
            0xd1 => "command response could not be provided: firmware update in progress",
            0xd2 => "command response could not be provided: BMC initialisation in progress",
            0xd3 => "destination unavailable",
            0xd4 => "insufficient privilege level or firmware firewall",
            0xd5 => "command or parameter not supported in the present state",
            0xd6 => "parameter is illegal because the command sub-function is disabled",
            0xff => "unspecified error",
            _ => "reserved completion code",
        }
    }

    /// The meaning of the code as the answer to one command.
    pub const fn words_for(self, netfn: u8, command: u8) -> &'static str {
        match (netfn, command, self.0) {
            // Get/Set System Boot Options, IPMI 2.0 §28.12 and §28.13.
            (0x00, 0x08 | 0x09, 0x80) => "boot option parameter not supported",
            (0x00, 0x08, 0x81) => "another party is setting the boot options (set in progress)",
            (0x00, 0x08, 0x82) => "boot option parameter is read only",
            // Set Session Privilege Level, §22.18.
            (0x06, 0x3b, 0x80) => "requested privilege level not available for this user",
            (0x06, 0x3b, 0x81) => "requested privilege level exceeds the limit of the user or the channel",
            (0x06, 0x3b, 0x82) => "cannot disable user level authentication",
            // Close Session, §22.19.
            (0x06, 0x3c, 0x87) => "invalid session id in request",
            (0x06, 0x3c, 0x88) => "invalid session handle in request",
            _ => self.words(),
        }
    }
}

impl fmt::Display for CompletionCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02x})", self.words(), self.0)
    }
}
