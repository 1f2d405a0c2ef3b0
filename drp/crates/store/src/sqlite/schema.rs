//! The tables, and how a file is recognised as ours.

use rusqlite::{Connection, TransactionBehavior};

use super::fault::Faults;
use crate::commit::Revision;
use crate::error::{Result, StoreError};

/// "DRPs", in the header of the file (SQLite file format, offset 68), so that `file` and we know it again.
const APPLICATION_ID: i64 = 0x4452_5073;

/// Raised with every change of the tables that an older program could not read or would damage.
const SCHEMA_VERSION: i64 = 1;

/// Pages of the log after which it is folded into the main file: 16 MB.
const CHECKPOINT_PAGES: u32 = 4096;
/// Size to which the log is cut back after a burst, in bytes.
const LOG_BYTES: u32 = 64 << 20;

// An ordinary rowid table for the objects: 2 KB values in a WITHOUT ROWID table double the file. The index entries are
// small, and are looked up from both ends.
const TABLES: &str = "
CREATE TABLE state (
    one      INTEGER PRIMARY KEY CHECK (one = 1),
    revision INTEGER NOT NULL
);
INSERT INTO state VALUES (1, 0);
CREATE TABLE objects (
    id       INTEGER PRIMARY KEY,
    space    TEXT NOT NULL,
    key      TEXT NOT NULL,
    revision INTEGER NOT NULL,
    value    BLOB NOT NULL,
    UNIQUE (space, key)
);
CREATE TABLE entries (
    space  TEXT NOT NULL,
    name   TEXT NOT NULL,
    value  TEXT NOT NULL,
    object INTEGER NOT NULL,
    sole   INTEGER NOT NULL,
    PRIMARY KEY (space, name, value, object)
) WITHOUT ROWID;
CREATE INDEX entries_of_object ON entries (object);
";

/// Recognises a database or makes the tables in an empty one, switches it to WAL, and gives the last revision.
pub(crate) fn prepare(db: &Connection, faults: &Faults) -> Result<Revision> {
    let fresh = recognise(db, faults)?;
    let failed = faults.of("open");
    let mode: String = db.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0)).map_err(&failed)?;
    if mode != "wal" {
        let detail =
            format!("the file system allows no write-ahead log (journal mode {mode}); use a local disk");
        return Err(StoreError::Database { location: faults.location(), action: "open", detail });
    }
    // Before the first write: the tables, too, must survive a power cut once the store is open.
    db.execute_batch("PRAGMA synchronous = FULL").map_err(&failed)?;
    if fresh {
        create(db).map_err(faults.of("create the tables"))?;
    }
    revision(db).map_err(|error| match faults.turn("open", &error) {
        StoreError::Database { detail, .. } => faults.corrupt(format!("the revision is missing: {detail}")),
        other => other,
    })
}

/// Whether the database is empty; an error if it is not ours or not ours to read.
pub(crate) fn recognise(db: &Connection, faults: &Faults) -> Result<bool> {
    let number = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).map_err(faults.of("open"));
    let tables = number("SELECT count(*) FROM sqlite_schema")?;
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    match (application, version) {
        (0, 0) if tables == 0 => Ok(true),
        (APPLICATION_ID, found) if found > SCHEMA_VERSION => {
            Err(StoreError::NewerSchema { location: faults.location(), found, supported: SCHEMA_VERSION })
        }
        (APPLICATION_ID, SCHEMA_VERSION) => Ok(false),
        (APPLICATION_ID, found) => {
            Err(faults.corrupt(format!("schema version {found} was never written by drp")))
        }
        _ => Err(StoreError::NotADatabase {
            location: faults.location(),
            detail: "it is an SQLite database of another program".into(),
        }),
    }
}

/// Makes the tables; all of them, with the version, or nothing.
pub(crate) fn create(db: &Connection) -> rusqlite::Result<()> {
    let transaction = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", SCHEMA_VERSION)?;
    transaction.commit()
}

/// The last revision.
pub(crate) fn revision(db: &Connection) -> rusqlite::Result<Revision> {
    db.query_row("SELECT revision FROM state WHERE one = 1", [], |row| row.get::<_, i64>(0))
        .map(i64::unsigned_abs)
}

/// Settings of the connection that writes.
pub(crate) fn configure_writer(db: &Connection, max_bytes: Option<u64>, faults: &Faults) -> Result<()> {
    let failed = faults.of("open");
    let checkpoint =
        format!("PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}; PRAGMA journal_size_limit = {LOG_BYTES}");
    db.execute_batch(&checkpoint).map_err(&failed)?;
    if let Some(max_bytes) = max_bytes {
        let page: i64 = db.query_row("PRAGMA page_size", [], |row| row.get(0)).map_err(&failed)?;
        let pages = (max_bytes / page.unsigned_abs().max(1)).clamp(1, u64::from(u32::MAX - 1));
        db.execute_batch(&format!("PRAGMA max_page_count = {pages}")).map_err(&failed)?;
    }
    Ok(())
}

/// Looks through the whole file for damage.
pub(crate) fn quick_check(db: &Connection, faults: &Faults) -> Result<()> {
    let report: String =
        db.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(faults.of("check"))?;
    if report == "ok" { Ok(()) } else { Err(faults.corrupt(report)) }
}
