//! SQLite's error codes in the store's words.

use std::path::Path;
use std::sync::Arc;

use rusqlite::ErrorCode;

use crate::error::StoreError;

/// Turns errors of one database file into [`StoreError`].
#[derive(Debug, Clone)]
pub(crate) struct Faults {
    location: Arc<str>,
}

impl Faults {
    pub(crate) fn new(path: &Path) -> Faults {
        Faults { location: path.display().to_string().into() }
    }

    pub(crate) fn location(&self) -> String {
        self.location.to_string()
    }

    /// For `map_err`: what `action` (a verb) met.
    pub(crate) fn of(&self, action: &'static str) -> impl Fn(rusqlite::Error) -> StoreError + '_ {
        move |error| self.turn(action, &error)
    }

    pub(crate) fn turn(&self, action: &'static str, error: &rusqlite::Error) -> StoreError {
        let location = self.location();
        let detail = error.to_string();
        match error.sqlite_error_code() {
            // Also reported for a disk quota that is used up.
            Some(ErrorCode::DiskFull) => StoreError::DiskFull { location, detail },
            Some(ErrorCode::DatabaseCorrupt) => StoreError::Corrupt { location, detail },
            Some(ErrorCode::NotADatabase) => StoreError::NotADatabase { location, detail },
            _ => StoreError::Database { location, action, detail },
        }
    }

    pub(crate) fn corrupt(&self, detail: impl Into<String>) -> StoreError {
        StoreError::Corrupt { location: self.location(), detail: detail.into() }
    }
}
