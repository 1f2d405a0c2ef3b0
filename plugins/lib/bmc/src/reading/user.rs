//! Users of a BMC. Nothing secret: passwords cannot be read, and nothing asks for them.

use serde::{Deserialize, Serialize};

/// What a user may do on one channel.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Access {
    /// Number of the channel.
    pub channel: u8,
    /// As [`User::privilege`].
    pub privilege: String,
    /// The user may log in there.
    pub login: bool,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct User {
    /// What the BMC knows it by: a number (IPMI), the account's id (Redfish).
    pub id: String,
    /// Name; empty for the anonymous user.
    pub name: String,
    /// It is enabled; `null` when the BMC does not say.
    pub enabled: Option<bool>,
    /// `administrator`, `operator`, `user` (may read), `callback`, `none`, or the BMC's own word in lower case. Over IPMI
    /// that of the channel this was read on.
    pub privilege: String,
    /// It is locked out for too many wrong passwords; `null` when the BMC does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub locked: Option<bool>,
    /// By channel (IPMI).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access: Vec<Access>,
}

/// Answer to `users`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Users {
    /// The users. Slots that were never used are left out.
    pub users: Vec<User>,
}

impl Users {
    /// One sentence.
    pub(crate) fn text(&self) -> String {
        let count = self.users.len();
        let of = |enabled| self.users.iter().filter(|user| user.enabled == Some(enabled)).count();
        let text = format!("{count} user{}", if count == 1 { "" } else { "s" });
        match (of(true), of(false)) {
            (0, 0) => text,
            (on, _) => format!("{text}, {on} enabled"),
        }
    }
}
