//! Durable embedded key-value store of the `drp` daemon.
//!
//! Objects live in *spaces* (`machines`, `params`, …) under text keys. Changes go in as [`Batch`]es through one
//! writer thread, which takes everything that is queued into one transaction and flushes once (group commit); a
//! batch is applied whole or not at all, and one that conflicts fails alone. A [`Commit`] resolves when the batch
//! survives `kill -9` and power loss. Every object carries the revision of the batch that wrote it last.
//!
//! Two backends stand behind the same [`Store`] trait: SQLite in WAL mode with `synchronous=FULL`, and memory.
//!
//! ```
//! use drp_store::{Batch, Expect, Op, Options, Scan, Store, open};
//!
//! # fn main() -> Result<(), drp_store::StoreError> {
//! let store = open("memory:///", Options::default())?;
//! let put = Op::put("machines", "rack1-node1", &b"{}"[..]).expecting(Expect::Absent).unique("Name", "node1");
//! let revision = store.submit(Batch::new(vec![put])).wait()?;
//!
//! let found = store.find("machines", "Name", "node1")?;
//! assert_eq!((found[0].key.as_str(), found[0].revision), ("rack1-node1", revision));
//! assert_eq!(store.scan("machines", &Scan::prefix("rack1-"))?.len(), 1);
//! # Ok(())
//! # }
//! ```

mod batch;
mod commit;
mod error;
mod limits;
mod location;
mod lock;
mod memory;
mod options;
mod record;
mod sqlite;
mod stats;
mod store;
mod writer;

pub use batch::{Batch, Expect, IndexEntry, Op};
pub use commit::{Commit, Committed, OnCommit, Revision};
pub use error::{Fault, Result, StoreError};
pub use limits::{
    MAX_BATCH_BYTES, MAX_BATCH_OPS, MAX_INDEX_BYTES, MAX_KEY_BYTES, MAX_SPACE_BYTES, MAX_VALUE_BYTES,
};
pub use location::Location;
pub use options::Options;
pub use record::{Record, Scan};
pub use sqlite::restore;
pub use stats::{BackupReport, FLUSH_BOUNDS, Stats};
pub use store::{Store, for_each, open};
