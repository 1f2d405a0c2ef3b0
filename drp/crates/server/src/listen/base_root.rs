//! The base root: made at first start, held by one daemon at a time.

use crate::ServeError;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A base root that this daemon holds. The lock dies with the process, however it ends.
pub(crate) struct BaseRoot {
    path: PathBuf,
    _lock: Flock<File>,
}

impl BaseRoot {
    /// Makes the directory when it is absent, checks that it can be written, and locks it.
    pub(crate) fn open(path: &Path) -> Result<Self, ServeError> {
        let refuse = |path: &Path, error: io::Error| ServeError::Path {
            what: "base root",
            path: path.to_owned(),
            hint: hint(&error, "choose a directory this user may write with --base-root, or run as root"),
            error,
        };
        std::fs::DirBuilder::new().recursive(true).mode(0o755).create(path).map_err(|e| refuse(path, e))?;
        let pid_file = path.join("drp.pid");
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .open(&pid_file);
        let file = file.map_err(|e| refuse(&pid_file, e))?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, nix::errno::Errno::EWOULDBLOCK)) => {
                let mut text = String::new();
                let _ = file.read_to_string(&mut text);
                return Err(ServeError::InUse {
                    path: path.to_owned(),
                    pid: text.trim().parse().unwrap_or(0),
                });
            }
            Err((_, errno)) => return Err(refuse(&pid_file, errno.into())),
        };
        let written = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        written.map_err(|e| refuse(&pid_file, e))?;
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// The directory.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for BaseRoot {
    /// The file would tell a process id that may by then be somebody else's.
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.path.join("drp.pid"));
    }
}

/// What to do about a refused path.
fn hint(error: &io::Error, denied: &str) -> String {
    match error.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => denied.to_owned(),
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space on that file system".to_owned()
        }
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            "a file stands where a directory belongs; move it away".to_owned()
        }
        _ => "see what the system said".to_owned(),
    }
}

/// Makes a directory, and its parents, with that mode; an existing one is left as it is.
pub(crate) fn private_dir(what: &'static str, path: &Path, mode: u32) -> Result<(), ServeError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(path)
        .and_then(|()| std::fs::read_dir(path).map(|_| ()))
        .map_err(|error| ServeError::Path {
            what,
            path: path.to_owned(),
            hint: hint(&error, "give this user access to it, or set another directory"),
            error,
        })
}

/// Writes a file that only its owner may read, whole or not at all, and durably.
pub(crate) fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("part");
    let _ = std::fs::remove_file(&aside);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&aside)?;
    file.set_permissions(Permissions::from_mode(0o600))?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&aside, path)?;
    // The new name too must survive power loss.
    path.parent().map_or(Ok(()), |dir| std::fs::File::open(dir)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_root_has_one_daemon() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("a/b");
        let held = BaseRoot::open(&base).unwrap();
        let error = BaseRoot::open(&base).err().unwrap().to_string();
        assert!(error.contains(&std::process::id().to_string()) && error.contains("drp stop"), "{error}");
        drop(held);
        assert!(!base.join("drp.pid").exists());
        BaseRoot::open(&base).unwrap();
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("file");
        std::fs::write(&base, "").unwrap();
        let error = BaseRoot::open(&base).err().unwrap().to_string();
        assert!(
            error.contains("file stands where a directory belongs") && error.contains("base root"),
            "{error}"
        );
    }

    #[test]
    fn private_files_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        write_private(&path, b"x").unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}
