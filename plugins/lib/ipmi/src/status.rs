//! RMCP+ and RAKP message status codes.

use std::fmt;

/// Why a BMC ended the opening of a session (IPMI 2.0 §13.24, Table 13-15).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RakpStatus(pub u8);

impl RakpStatus {
    /// No errors.
    pub const OK: Self = Self(0x00);
    /// Insufficient resources to create a session: all its slots are taken.
    pub const INSUFFICIENT_RESOURCES: Self = Self(0x01);
    /// Invalid session id.
    pub const INVALID_SESSION_ID: Self = Self(0x02);
    /// Invalid authentication algorithm.
    pub const INVALID_AUTH_ALGORITHM: Self = Self(0x04);
    /// Invalid integrity algorithm.
    pub const INVALID_INTEGRITY_ALGORITHM: Self = Self(0x05);
    /// Invalid role: the user may not have the privilege that was asked for.
    pub const INVALID_ROLE: Self = Self(0x09);
    /// Unauthorized role or privilege level requested.
    pub const UNAUTHORIZED_ROLE: Self = Self(0x0a);
    /// Insufficient resources to create a session at the requested role.
    pub const INSUFFICIENT_RESOURCES_AT_ROLE: Self = Self(0x0b);
    /// Invalid name length.
    pub const INVALID_NAME_LENGTH: Self = Self(0x0c);
    /// Unauthorized name: no such user.
    pub const UNAUTHORIZED_NAME: Self = Self(0x0d);
    /// Invalid integrity check value: the passwords differ.
    pub const INVALID_INTEGRITY_CHECK: Self = Self(0x0f);
    /// Invalid confidentiality algorithm.
    pub const INVALID_CONFIDENTIALITY_ALGORITHM: Self = Self(0x10);
    /// No cipher suite matches the proposed algorithms.
    pub const NO_SUITE_MATCH: Self = Self(0x11);
    /// Illegal or unrecognised parameter.
    pub const ILLEGAL_PARAMETER: Self = Self(0x12);

    /// The status in words.
    pub const fn words(self) -> &'static str {
        match self.0 {
            0x00 => "no error",
            0x01 => "insufficient resources to create a session",
            0x02 => "invalid session id",
            0x03 => "invalid payload type",
            0x04 => "invalid authentication algorithm",
            0x05 => "invalid integrity algorithm",
            0x06 => "no matching authentication payload",
            0x07 => "no matching integrity payload",
            0x08 => "inactive session id",
            0x09 => "invalid role",
            0x0a => "unauthorized role or privilege level requested",
            0x0b => "insufficient resources to create a session at the requested role",
            0x0c => "invalid name length",
            0x0d => "unauthorized name",
            0x0e => "unauthorized GUID",
            0x0f => "invalid integrity check value",
            0x10 => "invalid confidentiality algorithm",
            0x11 => "no cipher suite match with the proposed security algorithms",
            0x12 => "illegal or unrecognised parameter",
            _ => "reserved status code",
        }
    }
}

impl fmt::Display for RakpStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (status 0x{:02x})", self.words(), self.0)
    }
}
