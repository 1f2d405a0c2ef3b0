//! Users of a BMC (IPMI 2.0 §22.26 to §22.29). Passwords cannot be read, and nothing here asks for them.

use super::Invalid;
use super::command::{Command, NETFN_APP};

/// What a user may do on one channel: the answer to Get User Access (§22.27).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UserAccess {
    /// So many users the channel can have.
    pub slots: u8,
    /// The user is enabled; `None` when the BMC does not say.
    pub enabled: Option<bool>,
    /// The user may log in for IPMI messages.
    pub login: bool,
    /// Privilege limit: 1 callback, 2 user, 3 operator, 4 administrator, 5 OEM, 0x0f none.
    pub privilege: u8,
}

impl UserAccess {
    /// The request.
    pub fn command(channel: u8, user: u8) -> Command {
        Command::idempotent("get user access", NETFN_APP, 0x44, [channel & 0x0f, user & 0x3f])
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is shorter than four bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[slots, status, _, access, ..] = data else {
            return Err(Invalid("user access shorter than 4 bytes"));
        };
        Ok(Self {
            slots: slots & 0x3f,
            enabled: match status >> 6 {
                1 => Some(true),
                2 => Some(false),
                _ => None,
            },
            login: access & 0x10 != 0,
            privilege: access & 0x0f,
        })
    }
}

/// Get User Name (§22.29).
pub fn name_command(user: u8) -> Command {
    Command::idempotent("get user name", NETFN_APP, 0x46, [user & 0x3f])
}

/// Reads the answer: at most 16 bytes, ended by a zero. Control characters are left out.
#[must_use]
pub fn name(data: &[u8]) -> String {
    let field = data.get(..16).unwrap_or(data);
    let end = field.iter().position(|b| *b == 0).unwrap_or(field.len());
    let text = String::from_utf8_lossy(field.get(..end).unwrap_or_default()).into_owned();
    text.chars().filter(|c| !c.is_control()).collect()
}
