//! Where a store is kept.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::error::StoreError;

/// Where a store is kept: the value of `--backend`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// `memory:///`: nothing survives the process.
    Memory,
    /// A database file.
    File(PathBuf),
}

impl FromStr for Location {
    type Err = StoreError;

    fn from_str(text: &str) -> Result<Location, StoreError> {
        match text {
            "memory:///" | "memory://" | "memory:" => Ok(Location::Memory),
            _ if text.is_empty() || text.contains("://") || text.ends_with('/') => {
                Err(StoreError::BadLocation { location: text.to_owned() })
            }
            path => Ok(Location::File(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Location::Memory => f.write_str("memory:///"),
            Location::File(path) => write!(f, "{}", path.display()),
        }
    }
}
