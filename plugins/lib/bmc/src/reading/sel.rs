//! The system event log.

use serde::{Deserialize, Serialize};

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct SelEntry {
    /// What the BMC knows it by.
    pub id: String,
    /// RFC 3339. Over IPMI it has no zone, since the BMC's clock names none. `null` when it was logged before the clock
    /// was set, or without a time.
    pub time: Option<String>,
    /// The sensor, by name where its name is known; empty when the entry is about none.
    pub sensor: String,
    /// What the sensor measures, in lower case; empty when that is not told.
    pub kind: String,
    /// What happened, in words.
    pub event: String,
    /// It came (true) or went (false); `null` when the entry does not say.
    pub asserted: Option<bool>,
    /// `ok`, `warning`, `critical`, `unrecoverable`, or `unknown`.
    pub severity: super::Status,
    /// It is the BMC's note that the log was cleared.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub clear_mark: bool,
}

/// Answer to `sel`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Sel {
    /// Entries in the log, as the BMC counts them.
    pub total: u64,
    /// The newest ones, oldest first.
    pub entries: Vec<SelEntry>,
    /// There are more entries than those: older ones.
    pub more: bool,
    /// Entries were lost because the log was full; `null` when the BMC does not say.
    pub overflow: Option<bool>,
    /// Why entries are missing that should be here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Sel {
    /// So many entries are given.
    pub const MOST: usize = 1000;

    /// One sentence.
    pub(crate) fn text(&self) -> String {
        let plural = if self.total == 1 { "y" } else { "ies" };
        let mut text = match self.total {
            0 => "the system event log is empty".to_owned(),
            total => format!("{total} entr{plural} in the system event log"),
        };
        if self.more {
            text += &format!(", of which the newest {} are shown", self.entries.len());
        }
        if self.overflow == Some(true) {
            text += "; entries were lost, because it was full";
        }
        match &self.missing {
            Some(why) => text + "; not all: " + why,
            None => text,
        }
    }
}
