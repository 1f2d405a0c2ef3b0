//! The one interface of all backends.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use crate::batch::Batch;
use crate::commit::{Commit, Revision};
use crate::error::Result;
use crate::location::Location;
use crate::memory::MemoryStore;
use crate::options::Options;
use crate::record::{Record, Scan};
use crate::stats::{BackupReport, Stats};

/// A durable store of objects. All methods may be called from any thread.
///
/// Reads see every batch whose [`Commit`] has resolved. They block for a few microseconds (a page from the cache or
/// the disk), so many of them at once belong on a thread that may block.
pub trait Store: Send + Sync + 'static {
    /// One object, `None` if there is none.
    ///
    /// # Errors
    /// [`Corrupt`](crate::StoreError::Corrupt), [`Database`](crate::StoreError::Database) and
    /// [`Closed`](crate::StoreError::Closed), as for all reads.
    fn get(&self, space: &str, key: &str) -> Result<Option<Record>>;

    /// Objects of a space whose keys begin with a prefix, in the order of the keys' bytes, one page of them.
    ///
    /// # Errors
    /// As for [`Store::get`].
    fn scan(&self, space: &str, scan: &Scan) -> Result<Vec<Record>>;

    /// The objects of a space that have `value` in an index, in the order of the keys' bytes.
    ///
    /// # Errors
    /// As for [`Store::get`].
    fn find(&self, space: &str, index: &str, value: &str) -> Result<Vec<Record>>;

    /// Queues a batch and returns at once. Batches are committed in the order of their submission, so two calls one
    /// after the other in one thread are committed in that order.
    ///
    /// # Errors
    /// Through the [`Commit`]: [`Conflict`](crate::StoreError::Conflict) and
    /// [`Duplicate`](crate::StoreError::Duplicate) if the batch does not fit what is stored,
    /// [`TooLarge`](crate::StoreError::TooLarge), [`Busy`](crate::StoreError::Busy) (the queue is full),
    /// [`DiskFull`](crate::StoreError::DiskFull), [`Database`](crate::StoreError::Database), and
    /// [`Closed`](crate::StoreError::Closed). Nothing of a failed batch is stored, with one exception:
    /// [`Callback`](crate::StoreError::Callback) tells that `on_commit` panicked.
    fn submit(&self, batch: Batch) -> Commit;

    /// Writes a consistent copy to a new database file (mode 0600) while reading and writing go on. An existing file
    /// is replaced once the copy is complete and on disk.
    ///
    /// # Errors
    /// [`Io`](crate::StoreError::Io), [`DiskFull`](crate::StoreError::DiskFull) and those of [`Store::get`].
    fn backup(&self, to: &Path) -> Result<BackupReport>;

    /// Where the store is kept.
    fn location(&self) -> &Location;

    /// Numbers about the store. Counts all objects, so it is not for every request.
    ///
    /// # Errors
    /// As for [`Store::get`].
    fn stats(&self) -> Result<Stats>;

    /// Revision of the last committed batch, 0 if there was none ever.
    fn revision(&self) -> Revision;

    /// Finishes what is queued, then closes the files and gives up the lock. Called again it does nothing. Dropping
    /// the last handle does the same.
    fn close(&self);
}

/// Opens a store: `memory:///`, or the path of a database file, which is made (mode 0600, with its directories) if it
/// does not exist.
///
/// # Errors
/// [`BadLocation`](crate::StoreError::BadLocation), [`InUse`](crate::StoreError::InUse) if another process has it,
/// [`NewerSchema`](crate::StoreError::NewerSchema), [`NotADatabase`](crate::StoreError::NotADatabase),
/// [`Corrupt`](crate::StoreError::Corrupt), [`Io`](crate::StoreError::Io).
pub fn open(location: &str, options: Options) -> Result<Arc<dyn Store>> {
    match location.parse()? {
        Location::Memory => Ok(Arc::new(MemoryStore::open(options)?)),
        Location::File(path) => crate::sqlite::open_file(path, options),
    }
}

/// Calls `each` for all objects of a space whose keys begin with `prefix`, in the order of the keys' bytes, page by
/// page, until it breaks.
///
/// Each page is consistent in itself; what changes meanwhile may or may not be seen.
///
/// # Errors
/// As for [`Store::get`].
pub fn for_each(
    store: &dyn Store,
    space: &str,
    prefix: &str,
    mut each: impl FnMut(Record) -> ControlFlow<()>,
) -> Result<()> {
    let mut scan = Scan::prefix(prefix);
    loop {
        let page = store.scan(space, &scan)?;
        let last_page = page.len() < scan.limit;
        scan.after = page.last().map(|record| record.key.clone());
        if page.into_iter().try_for_each(&mut each).is_break() || last_page {
            return Ok(());
        }
    }
}
