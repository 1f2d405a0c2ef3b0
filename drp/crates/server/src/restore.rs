//! Putting a backup in the place of the store, while no daemon runs.

use crate::listen::BaseRoot;
use crate::{Backend, ServeError, Settings};
use std::path::{Path, PathBuf};

/// Puts a backup (GET `/api/v3/backup`, `drp backup`) in the place of the store. What was there is kept beside it
/// with the ending `.before-restore`, or `.before-restore.2` and so on where that is taken. Gives the number of objects in the backup.
///
/// # Errors
/// A daemon runs on the base root, the backup is no database, or files cannot be moved; then nothing has changed.
pub fn restore(settings: &Settings, backup: &Path) -> Result<u64, ServeError> {
    let Backend::File(target) = &settings.backend else {
        let error = "a store in memory cannot be restored; set --backend to a path".to_owned();
        return Err(ServeError::Store { backend: "memory:///".to_owned(), error });
    };
    let _base = BaseRoot::open(&settings.base_root)?;
    let aside = with_ending(target, "restoring");
    let refuse = |path: &Path, error: std::io::Error| ServeError::Path {
        what: "backup",
        path: path.to_owned(),
        error,
        hint: "nothing was restored".to_owned(),
    };
    std::fs::copy(backup, &aside).map_err(|e| refuse(backup, e))?;
    let objects = match count(&aside) {
        Ok(objects) => objects,
        Err(error) => {
            remove(&aside);
            return Err(ServeError::Store { backend: backup.display().to_string(), error });
        }
    };
    let kept = unused(&with_ending(target, "before-restore"));
    for ending in ["", "-wal", "-shm"] {
        let (from, to) = (join(target, ending), join(&kept, ending));
        if from.exists() {
            std::fs::rename(&from, &to).map_err(|e| refuse(&from, e))?;
        }
    }
    std::fs::rename(&aside, target).map_err(|e| refuse(&aside, e))?;
    remove(&aside);
    Ok(objects)
}

/// Opening it is the check: the store refuses what is no database of its own.
fn count(path: &Path) -> Result<u64, String> {
    let store = drp_store::open(&path.display().to_string(), drp_store::Options::default())
        .map_err(|e| e.to_string())?;
    let objects = store.stats().map_err(|e| e.to_string())?.spaces.values().sum();
    store.close();
    Ok(objects)
}

/// The path itself, or the first of `path.2`, `path.3` and so on that nothing has: no copy replaces another.
fn unused(path: &Path) -> PathBuf {
    if !path.exists() {
        return path.to_owned();
    }
    (2u64..)
        .map(|n| join(path, &format!(".{n}")))
        .find(|path| !path.exists())
        .unwrap_or_else(|| path.to_owned())
}

fn join(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    join(path, &format!(".{ending}"))
}

/// Nothing of the copy stays, also not the lock of the store that looked at it.
fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm", ".lock"] {
        let _ = std::fs::remove_file(join(path, ending));
    }
}
