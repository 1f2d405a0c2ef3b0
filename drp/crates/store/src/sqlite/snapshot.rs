//! Backup and restore: one file that holds everything.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, params};

use super::fault::Faults;
use super::{check_length, connect, make_directory, schema, sync_directory};
use crate::error::{Result, StoreError};
use crate::lock::{Lock, beside};
use crate::memory::Spaces;
use crate::stats::BackupReport;

/// Copies a database that is in use; writing goes on meanwhile.
pub(crate) fn backup(from: &Path, to: &Path) -> Result<BackupReport> {
    let part = Part::create(to)?;
    let source = Faults::new(from);
    let target = Faults::new(to);
    let db = connect(from, &source)?;
    // One read transaction: a consistent copy however long it takes, and packed.
    db.execute("VACUUM INTO ?1", params![part.path.to_string_lossy()]).map_err(target.of("back up to"))?;
    drop(db);
    part.finish(to)
}

/// Writes what is in memory to a database file.
pub(crate) fn write_snapshot(spaces: &Spaces, to: &Path) -> Result<BackupReport> {
    let part = Part::create(to)?;
    let faults = Faults::new(to);
    let db = connect(&part.path, &faults)?;
    schema::create(&db).and_then(|()| fill(&db, spaces)).map_err(faults.of("back up to"))?;
    drop(db);
    part.finish(to)
}

fn fill(db: &Connection, spaces: &Spaces) -> rusqlite::Result<()> {
    let transaction = db.unchecked_transaction()?;
    for (space, objects) in &spaces.by_name {
        for (key, object) in &objects.objects {
            let sql = "INSERT INTO objects (space, key, revision, value) VALUES (?1, ?2, ?3, ?4)";
            let revision = object.revision.cast_signed();
            db.prepare_cached(sql)?.execute(params![space, key, revision, &object.value[..]])?;
            let id = db.last_insert_rowid();
            for entry in &object.indexes {
                let sql =
                    "INSERT INTO entries (space, name, value, object, sole) VALUES (?1, ?2, ?3, ?4, ?5)";
                db.prepare_cached(sql)?.execute(params![space, entry.name, entry.value, id, entry.unique])?;
            }
        }
    }
    db.execute("UPDATE state SET revision = ?1", params![spaces.revision.cast_signed()])?;
    transaction.commit()
}

/// Puts a backup in the place of a database that no daemon has open. The database that was there is kept beside it as
/// `<name>.before-restore`, replacing one of that name.
///
/// # Errors
/// [`InUse`](StoreError::InUse) if a daemon runs on `to`; [`NotADatabase`](StoreError::NotADatabase),
/// [`Corrupt`](StoreError::Corrupt) and [`NewerSchema`](StoreError::NewerSchema) if `from` is no good backup, and then
/// nothing was touched; [`Io`](StoreError::Io) and [`DiskFull`](StoreError::DiskFull).
pub fn restore(from: &Path, to: &Path) -> Result<BackupReport> {
    if fs::metadata(beside(from, "-wal")).is_ok_and(|log| log.len() > 0) {
        return Err(StoreError::NotADatabase {
            location: from.display().to_string(),
            detail: "a log lies beside it, so it is a database in use and no backup".into(),
        });
    }
    check_length(from)?;
    make_directory(to)?;
    let _lock = Lock::take(to)?;
    let part = Part::create(to)?;
    copy(from, &part.path)?;
    {
        let faults = Faults::new(from);
        let db = connect(&part.path, &faults)?;
        if schema::recognise(&db, &faults)? {
            return Err(StoreError::NotADatabase {
                location: faults.location(),
                detail: "it is empty".into(),
            });
        }
        schema::quick_check(&db, &faults)?;
    }
    set_aside(to)?;
    part.finish(to)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(|source| io_error("open", from, source))?;
    let mut target =
        OpenOptions::new().write(true).truncate(true).open(to).map_err(|e| io_error("open", to, e))?;
    io::copy(&mut source, &mut target).map(drop).map_err(|source| io_error("write", to, source))
}

/// Moves the database that is in the way aside, with its log. The log goes first: left alone, it would be taken for
/// that of the next database of this name.
fn set_aside(path: &Path) -> Result<()> {
    let aside = beside(path, ".before-restore");
    for suffix in ["-shm", "-wal"] {
        remove(&beside(&aside, suffix))?;
    }
    remove(&beside(path, "-shm"))?;
    for suffix in ["-wal", ""] {
        let (from, to) = (beside(path, suffix), beside(&aside, suffix));
        match fs::rename(&from, &to) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                return Err(io_error("rename", &from, source));
            }
            _ => {}
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => Err(io_error("remove", path, source)),
        _ => Ok(()),
    }
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> StoreError {
    if source.kind() == io::ErrorKind::StorageFull {
        return StoreError::DiskFull { location: path.display().to_string(), detail: source.to_string() };
    }
    StoreError::Io { action, path: path.to_owned(), source }
}

/// A file that is being written beside its final name, and removed again if that fails.
struct Part {
    path: PathBuf,
    done: bool,
}

impl Part {
    fn create(to: &Path) -> Result<Part> {
        let path = beside(to, ".part");
        remove(&path)?;
        let mut open = OpenOptions::new();
        open.write(true).create_new(true).mode(0o600);
        open.open(&path).map_err(|source| io_error("create", &path, source))?;
        Ok(Part { path, done: false })
    }

    /// Flushes the file, counts what is in it and gives it its name.
    fn finish(mut self, to: &Path) -> Result<BackupReport> {
        let report = self.count(to)?;
        let flushed = File::open(&self.path).and_then(|file| file.sync_all());
        flushed.map_err(|source| io_error("flush", &self.path, source))?;
        fs::rename(&self.path, to).map_err(|source| io_error("rename", &self.path, source))?;
        self.done = true;
        sync_directory(to)?;
        Ok(report)
    }

    fn count(&self, to: &Path) -> Result<BackupReport> {
        let faults = Faults::new(to);
        let db = connect(&self.path, &faults)?;
        let objects: i64 =
            db.query_row("SELECT count(*) FROM objects", [], |row| row.get(0)).map_err(faults.of("count"))?;
        let revision = schema::revision(&db).map_err(faults.of("count"))?;
        drop(db);
        let bytes = fs::metadata(&self.path).map_err(|source| io_error("read", &self.path, source))?.len();
        Ok(BackupReport { revision, objects: objects.unsigned_abs(), bytes })
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.done {
            let _ = fs::remove_file(&self.path);
        }
    }
}
