//! Numbers about a store.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::commit::Revision;

/// Numbers about an open store. The counters begin at zero when it is opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Revision of the last committed batch, 0 if there was none ever.
    pub revision: Revision,
    /// Objects in each space.
    pub spaces: BTreeMap<String, u64>,
    /// Size on disk in bytes, with the write-ahead log; 0 in memory.
    pub disk_bytes: u64,
    /// Batches waiting for the writer.
    pub queued: usize,
    /// Batches committed.
    pub commits: u64,
    /// Transactions (flushes) that carried them.
    pub groups: u64,
    /// Batches refused by an expectation or a unique index.
    pub conflicts: u64,
    /// Batches that failed for any other reason.
    pub failures: u64,
    /// How many flushes took at most so long, by [`FLUSH_BOUNDS`], and at the end how many took longer.
    pub flushes: [u64; FLUSH_BOUNDS.len() + 1],
    /// Time spent in flushes.
    pub flush_time: Duration,
}

/// Upper bounds of [`Stats::flushes`] in microseconds.
pub const FLUSH_BOUNDS: [u64; 12] =
    [100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 1_000_000];

/// What a backup holds.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct BackupReport {
    /// Revision of the last batch in it.
    pub revision: Revision,
    /// Objects in it.
    pub objects: u64,
    /// Size of the file in bytes.
    pub bytes: u64,
}
