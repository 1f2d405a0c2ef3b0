//! The folder of the servers: `servers/<id>/` for each, with its record, sockets and disk, and locks that hold against
//! other processes too.

use crate::failure::Failure;
use crate::record::Record;
use nix::fcntl::{Flock, FlockArg};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// Longest record that is read.
const LONGEST: u64 = 4 << 20;

/// Holds a server, or all of them, until it is dropped.
pub(crate) struct Lock(#[allow(dead_code, reason = "held, not read")] Flock<File>);

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(crate) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Makes it. One that others may change is refused: whoever can write here chooses what QEMU opens.
    pub(crate) fn make(&self) -> Result<(), Failure> {
        for path in [self.root.clone(), self.servers()] {
            DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(&path)
                .map_err(Failure::io("make", &path))?;
        }
        let meta = fs::symlink_metadata(&self.root).map_err(Failure::io("look at", &self.root))?;
        if !meta.is_dir() || meta.uid() != nix::unistd::geteuid().as_raw() || meta.mode() & 0o077 != 0 {
            let problem = format!(
                "{} is to be a folder of this user with mode 0700: chown and chmod it, or name another",
                self.root.display()
            );
            return Err(Failure::Setting { field: "state_dir", problem });
        }
        Ok(())
    }

    fn servers(&self) -> PathBuf {
        self.root.join("servers")
    }

    /// Folder of a server. Nothing but ids that this plugin makes becomes a path.
    pub(crate) fn server(&self, id: &str) -> Result<PathBuf, Failure> {
        if is_id(id) {
            Ok(self.servers().join(id))
        } else {
            Err(Failure::NoServer(id.chars().take(64).collect()))
        }
    }

    /// Ids of all servers, in order.
    pub(crate) fn ids(&self) -> Result<Vec<String>, Failure> {
        let path = self.servers();
        let entries = match fs::read_dir(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(Failure::io("read", &path))?,
        };
        let mut ids: Vec<String> =
            entries.flatten().filter_map(|e| e.file_name().into_string().ok()).filter(|n| is_id(n)).collect();
        ids.sort();
        Ok(ids)
    }

    /// Holds off everything that adds or removes servers.
    pub(crate) async fn lock_all(&self, limit: Duration) -> Result<Lock, Failure> {
        lock(&self.root.join("lock"), limit, "the folder of the servers").await
    }

    /// Holds a server.
    pub(crate) async fn lock(&self, id: &str, limit: Duration) -> Result<Lock, Failure> {
        let dir = self.server(id)?;
        if !dir.is_dir() {
            return Err(Failure::NoServer(id.to_owned()));
        }
        lock(&dir.join("lock"), limit, &format!("server {id}")).await
    }

    /// What is kept of a server.
    pub(crate) fn read(&self, id: &str) -> Result<Record, Failure> {
        let path = self.server(id)?.join("server.json");
        let mut text = Vec::new();
        match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                return Err(Failure::NoServer(id.to_owned()));
            }
            other => other.map_err(Failure::io("read", &path))?,
        }
        .take(LONGEST)
        .read_to_end(&mut text)
        .map_err(Failure::io("read", &path))?;
        serde_json::from_slice(&text).map_err(|e| Failure::io("understand", &path)(e.into()))
    }

    /// Keeps it: written beside, made durable, and put into place.
    pub(crate) fn write(&self, record: &Record) -> Result<(), Failure> {
        let dir = self.server(&record.server_id)?;
        let (path, beside) = (dir.join("server.json"), dir.join("server.json.new"));
        let text = serde_json::to_vec_pretty(record).map_err(|e| Failure::io("write", &path)(e.into()))?;
        let written = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&beside)
            .and_then(|mut file| file.write_all(&text).and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&beside, &path))
            .and_then(|()| File::open(&dir)?.sync_all());
        written.map_err(Failure::io("write", &path))
    }

    /// Makes the folder of a new server.
    pub(crate) fn add(&self, id: &str) -> Result<PathBuf, Failure> {
        let dir = self.server(id)?;
        DirBuilder::new().mode(0o700).create(&dir).map_err(Failure::io("make", &dir))?;
        Ok(dir)
    }

    /// Removes a server's folder with all that is in it.
    pub(crate) fn remove(&self, id: &str) -> Result<(), Failure> {
        let dir = self.server(id)?;
        match fs::remove_dir_all(&dir) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            other => other.map_err(Failure::io("remove", &dir)),
        }
    }
}

/// `vm-` and twelve hex digits.
fn is_id(text: &str) -> bool {
    text.strip_prefix("vm-").is_some_and(|rest| {
        rest.len() == 12 && rest.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
    })
}

/// An id that no server has.
pub(crate) fn new_id() -> String {
    let random = uuid::Uuid::new_v4().simple().to_string();
    format!("vm-{}", random.get(..12).unwrap_or("000000000000"))
}

async fn lock(path: &Path, limit: Duration, what: &str) -> Result<Lock, Failure> {
    let end = Instant::now() + limit;
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(path)
        .map_err(Failure::io("open", path))?;
    loop {
        match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(held) => return Ok(Lock(held)),
            Err((_, errno)) if errno != nix::errno::Errno::EWOULDBLOCK => {
                return Err(Failure::io("lock", path)(errno.into()));
            }
            Err(_) if Instant::now() >= end => return Err(Failure::Busy { what: what.to_owned() }),
            Err((back, _)) => file = back,
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::{Folder, is_id, new_id};
    use std::os::unix::fs::PermissionsExt;
    use std::time::Duration;

    #[test]
    fn ids_are_no_paths() {
        assert!(is_id(&new_id()));
        for bad in [
            "",
            "vm-",
            "vm-0123456789aB",
            "vm-../../../etc",
            "../vm-0123456789ab",
            "vm-0123456789ab/",
            "vm-0123456789ab\0",
        ] {
            assert!(!is_id(bad), "{bad:?}");
            assert!(Folder::new("/tmp".into()).server(bad).is_err());
        }
    }

    #[tokio::test]
    async fn a_folder_that_others_may_change_is_refused_and_locks_hold() {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::new(dir.path().join("state"));
        assert_eq!(folder.ids().unwrap(), [""; 0]);
        folder.make().unwrap();
        folder.make().unwrap();
        std::fs::set_permissions(folder.root(), std::fs::Permissions::from_mode(0o770)).unwrap();
        assert!(folder.make().unwrap_err().to_string().contains("0700"));
        let held = folder.lock_all(Duration::ZERO).await.unwrap();
        assert!(folder.lock_all(Duration::from_millis(60)).await.is_err());
        drop(held);
        assert!(folder.lock_all(Duration::ZERO).await.is_ok());
    }
}
