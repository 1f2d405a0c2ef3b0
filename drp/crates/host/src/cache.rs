//! Definitions by content hash, so that an unchanged provider is not run again.
//!
//! The key is the SHA-256 of the executable and nothing else: a provider whose `define` asks the API
//! (a validator) is not asked again either until its file changes or the host is told to define anew.

use crate::{HostError, sockets};
use drp_protocol::PluginProvider;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, Metadata};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

/// What `stat` says about a file's identity and last change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Signature {
    dev: u64,
    ino: u64,
    size: u64,
    mode: u32,
    mtime: (i64, i64),
    ctime: (i64, i64),
}

impl From<&Metadata> for Signature {
    fn from(m: &Metadata) -> Self {
        Self {
            dev: m.dev(),
            ino: m.ino(),
            size: m.size(),
            mode: m.mode(),
            mtime: (m.mtime(), m.mtime_nsec()),
            ctime: (m.ctime(), m.ctime_nsec()),
        }
    }
}

impl Signature {
    /// Whether the file was left alone for a second, so that a later change cannot have the same stamp.
    fn settled(&self) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        i64::try_from(now).is_ok_and(|now| now - self.ctime.0.max(self.mtime.0) > 1)
    }
}

/// What was unpacked last for a provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Unpacked {
    pub(crate) sha256: String,
    /// Whether the plugin made the directory; one without files does not.
    pub(crate) made: bool,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct Index {
    files: BTreeMap<String, (Signature, String)>,
    unpacked: BTreeMap<String, Unpacked>,
}

/// The cache directory.
#[derive(Debug)]
pub(crate) struct Cache {
    dir: PathBuf,
    index: Mutex<Index>,
}

impl Cache {
    pub(crate) fn open(dir: &Path) -> Result<Self, HostError> {
        sockets::private_dir(dir)?;
        let dir = dir.join("providers");
        sockets::private_dir(&dir)?;
        // A cache that cannot be read is an empty cache.
        let index = std::fs::read(dir.join("index.json")).ok();
        let index = index.and_then(|b| serde_json::from_slice(&b).ok()).unwrap_or_default();
        Ok(Self { dir, index: Mutex::new(index) })
    }

    /// The SHA-256 of an executable, from its signature when that is known. Reads the file otherwise.
    pub(crate) fn hash(&self, name: &str, path: &Path, signature: &Signature) -> io::Result<String> {
        let known =
            self.with(|index| index.files.get(name).filter(|(s, _)| s == signature).map(|(_, h)| h.clone()));
        if let Some(hash) = known {
            return Ok(hash);
        }
        let hash = hash_file(path)?;
        if signature.settled() {
            self.change(|index| index.files.insert(name.to_owned(), (signature.clone(), hash.clone())));
        }
        Ok(hash)
    }

    pub(crate) fn definition(&self, sha256: &str) -> Option<PluginProvider> {
        serde_json::from_slice(&std::fs::read(self.definition_path(sha256)).ok()?).ok()
    }

    pub(crate) fn keep(&self, sha256: &str, definition: &PluginProvider) {
        if let Ok(bytes) = serde_json::to_vec(definition) {
            let _ = write_whole(&self.definition_path(sha256), &bytes);
        }
    }

    pub(crate) fn unpacked(&self, name: &str) -> Option<Unpacked> {
        self.with(|index| index.unpacked.get(name).cloned())
    }

    pub(crate) fn set_unpacked(&self, name: &str, unpacked: Option<Unpacked>) {
        self.change(|index| match unpacked {
            Some(unpacked) => index.unpacked.insert(name.to_owned(), unpacked),
            None => index.unpacked.remove(name),
        });
    }

    /// Forgets everything about files and contents that are no longer there.
    pub(crate) fn prune(&self, names: &BTreeSet<String>, hashes: &BTreeSet<String>) {
        let stale =
            self.with(|index| index.files.keys().chain(index.unpacked.keys()).any(|n| !names.contains(n)));
        if stale {
            self.change(|index| {
                index.files.retain(|name, _| names.contains(name));
                index.unpacked.retain(|name, _| names.contains(name));
            });
        }
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let hash = name.to_str().and_then(|n| n.strip_suffix(".definition.json"));
            if hash.is_some_and(|hash| !hashes.contains(hash)) {
                let _ = std::fs::remove_file(entry.path());
            }
        }
    }

    fn definition_path(&self, sha256: &str) -> PathBuf {
        self.dir.join(format!("{sha256}.definition.json"))
    }

    fn with<T>(&self, look: impl FnOnce(&Index) -> T) -> T {
        look(&self.index.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn change<T>(&self, change: impl FnOnce(&mut Index) -> T) {
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut index);
        if let Ok(bytes) = serde_json::to_vec(&*index) {
            let _ = write_whole(&self.dir.join("index.json"), &bytes);
        }
    }
}

fn hash_file(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(digest.finalize().iter().map(|b| format!("{b:02x}")).collect()),
            got => digest.update(&buffer[..got]),
        }
    }
}

/// Replaces a file so that a reader sees the old or the new content and nothing between.
fn write_whole(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    File::create(&part)?.write_all(bytes)?;
    std::fs::rename(part, path)
}

#[cfg(test)]
mod tests {
    use super::{Cache, Unpacked};
    use drp_protocol::PluginProvider;
    use std::collections::BTreeSet;

    #[test]
    fn survives_reopening_and_forgets_what_is_gone() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("lamp");
        std::fs::write(&file, "x").unwrap();
        let cache = Cache::open(dir.path()).unwrap();
        let hash = cache.hash("lamp", &file, &(&file.metadata().unwrap()).into()).unwrap();
        assert_eq!(hash, "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881");
        let lamp = PluginProvider { name: "lamp".into(), ..PluginProvider::default() };
        cache.keep(&hash, &lamp);
        cache.set_unpacked("lamp", Some(Unpacked { sha256: hash.clone(), made: true }));
        let cache = Cache::open(dir.path()).unwrap();
        assert_eq!(cache.definition(&hash), Some(lamp));
        assert!(cache.unpacked("lamp").unwrap().made);
        cache.prune(&BTreeSet::new(), &BTreeSet::new());
        assert_eq!((cache.definition(&hash), cache.unpacked("lamp")), (None, None));
        std::fs::write(dir.path().join("providers/index.json"), "{broken").unwrap();
        Cache::open(dir.path()).unwrap();
    }
}
