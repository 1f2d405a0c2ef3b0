//! Cipher suites and privilege levels.

use std::fmt;

/// The cipher suites this library speaks (IPMI 2.0 §22.15.2, Table 22-20).
///
/// Suite 0 (no authentication) and the suites without encryption do not exist here, so that they can never be
/// chosen by mistake or by negotiation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CipherSuite {
    /// Suite 3: RAKP-HMAC-SHA1, HMAC-SHA1-96, AES-CBC-128. Every IPMI 2.0 BMC must have it.
    Suite3,
    /// Suite 17: RAKP-HMAC-SHA256, HMAC-SHA256-128, AES-CBC-128.
    Suite17,
}

impl CipherSuite {
    /// The suite's number.
    pub const fn id(self) -> u8 {
        match self {
            Self::Suite3 => 3,
            Self::Suite17 => 17,
        }
    }

    /// The suite with this number, when this library speaks it.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            3 => Some(Self::Suite3),
            17 => Some(Self::Suite17),
            _ => None,
        }
    }
}

impl fmt::Display for CipherSuite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.id())
    }
}

/// Privilege levels of a session (IPMI 2.0 §6.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Privilege {
    /// Reading only: status, sensors.
    User,
    /// Everything but configuring the BMC: power, identify, boot device.
    Operator,
    /// Everything.
    Administrator,
}

impl Privilege {
    /// The level's number on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }

    /// The level with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        match id {
            2 => Some(Self::User),
            3 => Some(Self::Operator),
            4 => Some(Self::Administrator),
            _ => None,
        }
    }
}

impl fmt::Display for Privilege {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::User => "user",
            Self::Operator => "operator",
            Self::Administrator => "administrator",
        })
    }
}
