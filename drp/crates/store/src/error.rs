//! What can go wrong, in words that name the thing, whose fault it is and what to do next.

use std::io;
use std::path::PathBuf;

use crate::commit::Revision;

/// Result of the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be: a conflict, a duplicate, something too large, a bad location.
    User,
    /// The machine that the store runs on: disk full, damaged file, second daemon, permissions.
    Host,
}

/// Error of the store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// An expectation did not hold: somebody else was first. Nothing of the batch was written.
    #[error("{space}/{key} changed meanwhile: expected {}, found {}; read it again and retry",
        expected.map_or("no such object".to_owned(), |r| format!("revision {r}")),
        found.map_or("no such object".to_owned(), |r| format!("revision {r}")))]
    Conflict {
        /// Space of the object.
        space: String,
        /// Key of the object.
        key: String,
        /// The revision that the caller expected, `None` for absence.
        expected: Option<Revision>,
        /// The revision that is there, `None` if there is no object.
        found: Option<Revision>,
    },
    /// A value of a unique index belongs to another object. Nothing of the batch was written.
    #[error("{space}/{key}: {index} {value:?} is already taken by {space}/{holder}")]
    Duplicate {
        /// Space of the objects.
        space: String,
        /// Key of the object that was to be written.
        key: String,
        /// Name of the index.
        index: String,
        /// The value both want.
        value: String,
        /// Key of the object that has it.
        holder: String,
    },
    /// A name, value or batch is beyond its bound. Nothing was written.
    #[error("{what} is {size} long and must be 1 to {limit}")]
    TooLarge {
        /// What is too large (or empty, where it may not be).
        what: String,
        /// Its size in bytes (operations for a batch).
        size: usize,
        /// The bound in the same unit.
        limit: usize,
    },
    /// The queue of the writer is full. Nothing was written; a retry is safe.
    #[error(
        "the store is busy: {queued} changes ({bytes} bytes) are waiting for the disk; retry in a moment"
    )]
    Busy {
        /// Batches waiting.
        queued: usize,
        /// Their size in bytes.
        bytes: usize,
    },
    /// There is no space left. The batch was not written; the store goes on and accepts changes when there is space.
    #[error(
        "{location}: no space left to write ({detail}); free some space and retry, nothing of this change was saved"
    )]
    DiskFull {
        /// The database.
        location: String,
        /// The report of the database.
        detail: String,
    },
    /// The database is damaged.
    #[error("{location}: the database is damaged ({detail}); restore a backup, and check the disk")]
    Corrupt {
        /// The database.
        location: String,
        /// What was found.
        detail: String,
    },
    /// The file is something else.
    #[error("{location}: not a drp database ({detail}); name another file, or move this one away")]
    NotADatabase {
        /// The file.
        location: String,
        /// What was found.
        detail: String,
    },
    /// The database was written by a newer version of `drp`.
    #[error(
        "{location}: written by a newer drp (schema version {found}, this one knows {supported}); \
         start the newer drp, or restore a backup made before the upgrade"
    )]
    NewerSchema {
        /// The database.
        location: String,
        /// Its schema version.
        found: i64,
        /// The newest version that this program knows.
        supported: i64,
    },
    /// Another process has the database open.
    #[error("{location}: in use by {}; stop it first, or name another base root",
        pid.map_or("another process".to_owned(), |p| format!("the process with pid {p}")))]
    InUse {
        /// The database.
        location: String,
        /// Process id found in the lock file.
        pid: Option<u32>,
    },
    /// The location is of no form that is known.
    #[error(
        "{location:?} is no store: give a file path, or memory:/// for one that forgets everything at the end"
    )]
    BadLocation {
        /// What was given.
        location: String,
    },
    /// A file operation failed.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb: `create`, `lock`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The report of the system.
        source: io::Error,
    },
    /// The database reported something else.
    #[error("{location}: {action} failed: {detail}")]
    Database {
        /// The database.
        location: String,
        /// What was tried.
        action: &'static str,
        /// The report of the database.
        detail: String,
    },
    /// The batch is durable, but its `on_commit` panicked.
    #[error("revision {revision} is saved, but could not be applied in memory; restart the daemon")]
    Callback {
        /// Revision of the batch.
        revision: Revision,
    },
    /// The store was closed. Nothing was written.
    #[error("the store is closed: the daemon is stopping")]
    Closed,
}

impl StoreError {
    /// Whose fault it is.
    pub fn fault(&self) -> Fault {
        match self {
            StoreError::Conflict { .. }
            | StoreError::Duplicate { .. }
            | StoreError::TooLarge { .. }
            | StoreError::BadLocation { .. } => Fault::User,
            _ => Fault::Host,
        }
    }

    /// Whether the same batch may be submitted again unchanged, because nothing of it was written and the reason may
    /// go away.
    pub fn retry_is_safe(&self) -> bool {
        matches!(self, StoreError::Busy { .. } | StoreError::DiskFull { .. })
    }
}
