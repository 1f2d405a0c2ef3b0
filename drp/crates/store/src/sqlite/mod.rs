//! The durable backend: SQLite in WAL mode with `synchronous=FULL`.

mod engine;
mod fault;
mod readers;
mod schema;
mod snapshot;

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, params};

use self::engine::SqliteEngine;
use self::fault::Faults;
use self::readers::{Readers, record};
pub use self::snapshot::restore;
pub(crate) use self::snapshot::write_snapshot;
use crate::batch::Batch;
use crate::commit::{Commit, Revision};
use crate::error::{Result, StoreError};
use crate::location::Location;
use crate::lock::{Lock, beside};
use crate::options::Options;
use crate::record::{Record, Scan, end_of_prefix};
use crate::stats::{BackupReport, Stats};
use crate::store::Store;
use crate::writer::Writer;

/// Small databases are checked whole when they are opened; larger ones where they are read, since a full check of
/// hundreds of megabytes would keep a daemon from starting for seconds.
const CHECKED_AT_OPEN: u64 = 4 << 20;

macro_rules! concat_scan {
    ($range:literal) => {
        concat!(
            "SELECT key, revision, value FROM objects WHERE space = ?1 AND ",
            $range,
            " ORDER BY key LIMIT ?4"
        )
    };
}

/// A store in a database file.
struct SqliteStore {
    path: PathBuf,
    location: Location,
    readers: Readers,
    writer: Writer,
    /// Held here and by the engine: the lock goes when both are gone.
    lock: Mutex<Option<Arc<Lock>>>,
}

/// Opens or makes a database file.
pub(crate) fn open_file(path: PathBuf, options: Options) -> Result<Arc<dyn Store>> {
    make_directory(&path)?;
    let lock = Arc::new(Lock::take(&path)?);
    let size = make_file(&path)?;
    check_length(&path)?;

    let faults = Faults::new(&path);
    let connection = connect(&path, &faults)?;
    let revision = schema::prepare(&connection, &faults)?;
    if size > 0 && size <= CHECKED_AT_OPEN {
        schema::quick_check(&connection, &faults)?;
    }
    schema::configure_writer(&connection, options.max_bytes, &faults)?;

    let readers = Readers::new(path.clone(), options.readers, faults.clone());
    let engine = SqliteEngine::new(connection, faults, revision, lock.clone());
    let writer = Writer::start(engine, revision, options).map_err(|source| StoreError::Io {
        action: "start the writer of",
        path: path.clone(),
        source,
    })?;
    let lock = Mutex::new(Some(lock));
    Ok(Arc::new(SqliteStore { location: Location::File(path.clone()), path, readers, writer, lock }))
}

/// Opens a connection to an existing file.
fn connect(path: &Path, faults: &Faults) -> Result<Connection> {
    use rusqlite::OpenFlags;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(faults.of("open"))?;
    connection.busy_timeout(std::time::Duration::from_secs(5)).map_err(faults.of("open"))?;
    connection.set_prepared_statement_cache_capacity(32);
    Ok(connection)
}

fn make_directory(path: &Path) -> Result<()> {
    let Some(parent) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else { return Ok(()) };
    DirBuilder::new().recursive(true).mode(0o700).create(parent).map_err(|source| StoreError::Io {
        action: "create the directory",
        path: parent.to_owned(),
        source,
    })
}

/// Makes the file so that nobody else can ever read it (SQLite gives the log beside it the same mode), and gives the
/// size of what was there.
fn make_file(path: &Path) -> Result<u64> {
    let failed =
        |action: &'static str| move |source| StoreError::Io { action, path: path.to_owned(), source };
    let existed = path.exists();
    let mut open = OpenOptions::new();
    open.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = open.open(path).map_err(failed("open"))?;
    let metadata = file.metadata().map_err(failed("open"))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the database was readable by others; setting its mode to 0600");
        file.set_permissions(fs::Permissions::from_mode(0o600)).map_err(failed("set the mode of"))?;
    }
    if !existed {
        sync_directory(path)?;
    }
    Ok(metadata.len())
}

/// Makes the entry of a file in its directory survive a power cut.
fn sync_directory(path: &Path) -> Result<()> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    File::open(parent).and_then(|directory| directory.sync_all()).map_err(|source| StoreError::Io {
        action: "flush the directory",
        path: parent.to_owned(),
        source,
    })
}

/// Finds a file that was cut short. With a log beside it the main file may be behind, and SQLite sorts that out.
///
/// Must run before SQLite opens the file: closing another descriptor of it would drop SQLite's own locks.
fn check_length(path: &Path) -> Result<()> {
    let has_log = fs::metadata(beside(path, "-wal")).is_ok_and(|log| log.len() > 0);
    let Ok(bytes) = read_header(path) else { return Ok(()) };
    let (header, size) = bytes;
    // SQLite file format, section 1.3: page size at 16, change counter at 24, page count at 28, "valid for" at 92.
    let word =
        |at: usize| header.get(at..at + 4).and_then(|b| b.try_into().ok()).map_or(0, u32::from_be_bytes);
    let page_size = match word(16) >> 16 {
        1 => 65536,
        size => u64::from(size),
    };
    let expected = page_size * u64::from(word(28));
    if has_log || !header.starts_with(b"SQLite format 3\0") || word(24) != word(92) || size >= expected {
        return Ok(());
    }
    Err(StoreError::Corrupt {
        location: path.display().to_string(),
        detail: format!("it was cut short: {size} bytes of {expected}"),
    })
}

fn read_header(path: &Path) -> std::io::Result<([u8; 100], u64)> {
    use std::io::Read;
    let mut file = File::open(path)?;
    let mut header = [0; 100];
    file.read_exact(&mut header)?;
    Ok((header, file.metadata()?.len()))
}

impl Store for SqliteStore {
    fn get(&self, space: &str, key: &str) -> Result<Option<Record>> {
        self.readers.read("read", |db| {
            let sql = "SELECT key, revision, value FROM objects WHERE space = ?1 AND key = ?2";
            db.prepare_cached(sql)?.query_row(params![space, key], record).optional()
        })
    }

    fn scan(&self, space: &str, scan: &Scan) -> Result<Vec<Record>> {
        let (from, inclusive) = match &scan.after {
            Some(after) if *after >= scan.prefix => (after, false),
            _ => (&scan.prefix, true),
        };
        let end = end_of_prefix(&scan.prefix);
        let sql = match (inclusive, end.is_some()) {
            (true, true) => concat_scan!("key >= ?2 AND key < ?3"),
            (false, true) => concat_scan!("key > ?2 AND key < ?3"),
            (true, false) => concat_scan!("key >= ?2 AND ?3 IS NULL"),
            (false, false) => concat_scan!("key > ?2 AND ?3 IS NULL"),
        };
        let limit = i64::try_from(scan.limit).unwrap_or(i64::MAX);
        self.readers.read("scan", |db| {
            let mut statement = db.prepare_cached(sql)?;
            statement.query_map(params![space, from, end, limit], record)?.collect()
        })
    }

    fn find(&self, space: &str, index: &str, value: &str) -> Result<Vec<Record>> {
        self.readers.read("find", |db| {
            let sql = "SELECT o.key, o.revision, o.value FROM entries e JOIN objects o ON o.id = e.object \
                       WHERE e.space = ?1 AND e.name = ?2 AND e.value = ?3 ORDER BY o.key";
            db.prepare_cached(sql)?.query_map(params![space, index, value], record)?.collect()
        })
    }

    fn submit(&self, batch: Batch) -> Commit {
        self.writer.submit(batch)
    }

    fn backup(&self, to: &Path) -> Result<BackupReport> {
        let guard = self.lock.lock().unwrap_or_else(PoisonError::into_inner).clone();
        // The lock is held until the copy is done, even if the store is closed meanwhile.
        let _lock = guard.ok_or(StoreError::Closed)?;
        snapshot::backup(&self.path, to)
    }

    fn location(&self) -> &Location {
        &self.location
    }

    fn stats(&self) -> Result<Stats> {
        let spaces = self.readers.read("count", |db| {
            let mut statement = db.prepare_cached("SELECT space, count(*) FROM objects GROUP BY space")?;
            let rows =
                statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
            rows.collect()
        })?;
        let size = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
        let disk_bytes = size(&self.path) + size(&beside(&self.path, "-wal"));
        Ok(Stats { spaces, disk_bytes, ..self.writer.stats() })
    }

    fn revision(&self) -> Revision {
        self.writer.revision()
    }

    fn close(&self) {
        self.readers.close();
        // The writer's connection is the last one, so that closing it folds the log into the file.
        self.writer.close();
        self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}

impl Drop for SqliteStore {
    fn drop(&mut self) {
        self.close();
    }
}
