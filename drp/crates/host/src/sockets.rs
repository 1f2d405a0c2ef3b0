//! Names and places of the socket pair of an instance (wire-protocol §1.5).

use crate::HostError;
use drp_protocol::wire;
use sha2::{Digest, Sha256};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// The pair of sockets of one process. Both files are removed when it is dropped.
#[derive(Debug)]
pub(crate) struct SocketPair {
    pub(crate) to_plugin: PathBuf,
    pub(crate) from_plugin: PathBuf,
}

impl Drop for SocketPair {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.to_plugin);
        let _ = std::fs::remove_file(&self.from_plugin);
    }
}

/// Gives out socket pairs under a private directory.
#[derive(Debug)]
pub(crate) struct SocketRoom {
    dir: PathBuf,
    /// Not the comm root, but a directory with a shorter path.
    short: bool,
    next: AtomicU64,
}

impl SocketRoom {
    /// Takes the comm root, or a short private directory when paths under it would be too long, and
    /// removes the sockets that an earlier host left there. The caller holds the comm root's lock.
    pub(crate) fn open(comm_root: &Path) -> Result<Self, HostError> {
        let longest = comm_root.join(names(&"x".repeat(200), u64::MAX / 1000).1);
        let short = longest.as_os_str().len() > wire::SOCKET_PATH_MAX;
        let dir = if short {
            let dir = short_root().join(format!("drp-{}", hex8(comm_root.as_os_str().as_bytes())));
            private_dir(&dir)?;
            dir
        } else {
            comm_root.to_owned()
        };
        let room = Self { dir, short, next: AtomicU64::new(1) };
        room.remove_stale();
        Ok(room)
    }

    /// The next pair for an instance.
    pub(crate) fn pair(&self, plugin: &str) -> SocketPair {
        let (to, from) = names(plugin, self.next.fetch_add(1, Ordering::Relaxed));
        SocketPair { to_plugin: self.dir.join(to), from_plugin: self.dir.join(from) }
    }

    /// Removes the directory when it was made for the sockets only. Fails silently when others use it.
    pub(crate) fn close(&self) {
        if self.short {
            let _ = std::fs::remove_dir(&self.dir);
        }
    }

    fn remove_stale(&self) {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name.contains(".toPlugin.") || name.contains(".fromPlugin.") {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }
}

/// Socket names that are safe in a path and at most 60 bytes long, whatever the instance is called.
fn names(plugin: &str, n: u64) -> (String, String) {
    let safe: String = plugin
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || "-_".contains(c) { c } else { '_' })
        .take(16)
        .collect();
    let name = if safe == plugin { safe } else { format!("{safe}-{}", hex8(plugin.as_bytes())) };
    (format!("{name}.toPlugin.{n}"), format!("{name}.fromPlugin.{n}"))
}

fn hex8(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(4).map(|b| format!("{b:02x}")).collect()
}

fn short_root() -> PathBuf {
    let uid = nix::unistd::getuid();
    let own = if uid.is_root() { PathBuf::from("/run") } else { PathBuf::from(format!("/run/user/{uid}")) };
    if own.is_dir() { own } else { PathBuf::from("/tmp") }
}

/// Makes a directory that only its owner can enter, and refuses one that somebody else made.
pub(crate) fn private_dir(path: &Path) -> Result<(), HostError> {
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| HostError::io("cannot create", path, e))?;
    let meta = path.symlink_metadata().map_err(|e| HostError::io("cannot look at", path, e))?;
    if !meta.is_dir() && !path.is_dir() {
        return Err(HostError::io("cannot use", path, std::io::ErrorKind::NotADirectory.into()));
    }
    let meta = path.metadata().map_err(|e| HostError::io("cannot look at", path, e))?;
    if meta.uid() != nix::unistd::geteuid().as_raw() {
        let why = std::io::Error::other(format!("it belongs to user id {}, not to this process", meta.uid()));
        return Err(HostError::io("cannot use", path, why));
    }
    if meta.permissions().mode() & 0o077 != 0 {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700))
            .map_err(|e| HostError::io("cannot make private", path, e))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::{SocketRoom, names};
    use drp_protocol::wire;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn odd_names_are_escaped_and_kept_apart() {
        assert_eq!(names("lampA", 4).0, "lampA.toPlugin.4");
        let odd = ["../etc", "a/b", "a b", "lämpchen", &"n".repeat(300), ""];
        let made: std::collections::BTreeSet<_> = odd.iter().map(|n| names(n, 1).1).collect();
        assert_eq!(made.len(), odd.len());
        for name in made {
            assert!(!name.contains('/') && name.is_ascii() && name.len() <= 60, "{name}");
        }
    }

    #[test]
    fn a_long_comm_root_gives_short_private_paths() {
        let dir = tempfile::tempdir().unwrap();
        let long = dir.path().join("d".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let room = SocketRoom::open(&long).unwrap();
        let pair = room.pair("desk-lamp");
        assert!(pair.from_plugin.as_os_str().len() <= wire::SOCKET_PATH_MAX);
        assert_eq!(room.dir.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        std::fs::write(&pair.to_plugin, "").unwrap();
        let path = pair.to_plugin.clone();
        drop(pair);
        assert!(!path.exists());
        room.close();
        assert!(!room.dir.exists());
    }
}
