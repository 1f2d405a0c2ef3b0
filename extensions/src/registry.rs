//! The folder of registered extensions: their files and records.
//!
//! ```text
//! <folder>/records/<plugin>.json    what is registered; its host is told of it by this file
//! <folder>/providers/<name>/<digest>/…     the files of those that were not registered in place
//! <folder>/.incoming/…              files that are being looked at
//! ```
//!
//! A record is written beside and renamed, and names files that are there already, so at every moment a record is whole
//! and leads to whole files. What no record names is left from something that was broken off, and goes at the next
//! [`Registry::open`].

use crate::{Manifest, Name};
use drp_protocol::{ExtensionType, HostedExtension};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// Longest record, in bytes.
const RECORD: u64 = 16 << 20;

/// A registered extension. Its host reads the same file and takes from it what it knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Registered {
    /// What its host is told.
    #[serde(flatten)]
    pub extension: HostedExtension,
    /// What it says about itself.
    pub manifest: Manifest,
    /// Its files are where their author has them, and not a copy.
    #[serde(default)]
    pub link: bool,
    /// When it was registered, RFC 3339.
    #[serde(default)]
    pub registered_at: String,
    /// The plugin object was made for it, and goes with it.
    #[serde(default)]
    pub made_plugin: bool,
    /// It is being unregistered: the next start finishes that.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

impl Registered {
    /// Name of its plugin provider.
    #[must_use]
    pub fn plugin(&self) -> String {
        self.extension.plugin()
    }

    /// `<type>/<name>`, as events and the audit log call it.
    #[must_use]
    pub fn key(&self) -> String {
        format!("{}/{}", self.extension.r#type, self.extension.name)
    }
}

/// Why the registry could not be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}: {source}", path.display())]
pub struct RegistryError {
    /// A verb such as `write`.
    pub what: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What the system said.
    pub source: io::Error,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RegistryError {
    move |source| RegistryError { what, path: path.to_owned(), source }
}

/// All registered extensions.
#[derive(Debug)]
pub struct Registry {
    folder: PathBuf,
    records: RwLock<BTreeMap<String, Arc<Registered>>>,
    problems: Vec<String>,
    count: AtomicU64,
}

impl Registry {
    /// Reads the folder, which is made when it is absent, and removes what was broken off.
    ///
    /// # Errors
    /// The folder cannot be made or read. A record that cannot be read is one of [`Registry::problems`], and its files
    /// stay.
    pub fn open(folder: &Path) -> Result<Self, RegistryError> {
        let this = Self {
            folder: folder.to_owned(),
            records: RwLock::default(),
            problems: Vec::new(),
            count: AtomicU64::new(0),
        };
        let incoming = this.room();
        match fs::remove_dir_all(&incoming) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("empty", &incoming)(error));
            }
            _ => {}
        }
        for folder in [folder.to_owned(), incoming, this.records_folder()] {
            private(&folder).map_err(failed("make", &folder))?;
        }
        this.read()
    }

    fn read(mut self) -> Result<Self, RegistryError> {
        let folder = self.records_folder();
        let mut records = BTreeMap::new();
        for entry in fs::read_dir(&folder).map_err(failed("read", &folder))? {
            let path = entry.map_err(failed("read", &folder))?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let Some(plugin) = name.strip_suffix(".json") else {
                // What was being written.
                let _ = fs::remove_file(&path);
                continue;
            };
            match read_record(&path) {
                Ok(record) if record.plugin() == plugin => {
                    drop(records.insert(plugin.to_owned(), record.into()))
                }
                Ok(record) => self.problems.push(format!("{}: it is of {}", path.display(), record.plugin())),
                Err(error) => self.problems.push(format!("{}: {error}", path.display())),
            }
        }
        self.records = RwLock::new(records);
        self.sweep();
        Ok(self)
    }

    /// Records that could not be read, in words.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }

    /// All of them, by the names of their plugins; also those that are leaving.
    #[must_use]
    pub fn all(&self) -> Vec<Arc<Registered>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// The one behind a plugin provider.
    #[must_use]
    pub fn of_plugin(&self, plugin: &str) -> Option<Arc<Registered>> {
        self.records.read().unwrap_or_else(PoisonError::into_inner).get(plugin).cloned()
    }

    /// The one of that type and name; `-` and `_` are the same.
    #[must_use]
    pub fn find(&self, kind: ExtensionType, name: &str) -> Option<Arc<Registered>> {
        let name: Name = name.parse().ok()?;
        let same = |record: &Arc<Registered>| {
            record.extension.r#type == kind && record.manifest.extension.name == name
        };
        self.all().into_iter().find(same)
    }

    /// The file of a record, which hosts are told of.
    #[must_use]
    pub fn record_file(&self, plugin: &str) -> PathBuf {
        self.records_folder().join(format!("{plugin}.json"))
    }

    /// A new path for a folder of files that are to be looked at. Nothing is there.
    #[must_use]
    pub fn incoming(&self) -> PathBuf {
        self.room().join(self.count.fetch_add(1, Ordering::Relaxed).to_string())
    }

    /// Moves files that were looked at to where they stay, and gives that folder.
    ///
    /// # Errors
    /// [`RegistryError`].
    pub fn place(&self, from: &Path, extension: &HostedExtension) -> Result<PathBuf, RegistryError> {
        let above = self.folder.join(extension.r#type.folder()).join(&extension.name);
        private(&above).map_err(failed("make", &above))?;
        let digest: String = extension.digest.chars().filter(char::is_ascii_hexdigit).take(16).collect();
        let mut names = std::iter::once(digest.clone()).chain((2..).map(|n| format!("{digest}-{n}")));
        let free =
            names.find_map(|name| Some(above.join(name)).filter(|path| path.symlink_metadata().is_err()));
        let to = free.unwrap_or(above);
        fs::rename(from, &to).map_err(failed("move files to", &to))?;
        sync_folder(&to);
        Ok(to)
    }

    /// Keeps a record, durably. One of the same plugin makes place.
    ///
    /// # Errors
    /// [`RegistryError`]; then the one before stays.
    pub fn keep(&self, record: Registered) -> Result<Arc<Registered>, RegistryError> {
        let plugin = record.plugin();
        let path = self.record_file(&plugin);
        let text =
            serde_json::to_vec_pretty(&record).map_err(io::Error::from).map_err(failed("write", &path))?;
        let beside = self.records_folder().join(format!(".{plugin}.new"));
        let write = || -> io::Result<()> {
            let mut file =
                OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
            file.write_all(&text)?;
            file.sync_all()?;
            fs::rename(&beside, &path)
        };
        write().map_err(failed("write", &path))?;
        sync_folder(&path);
        let record = Arc::new(record);
        let mut records = self.records.write().unwrap_or_else(PoisonError::into_inner);
        records.insert(plugin, Arc::clone(&record));
        Ok(record)
    }

    /// Forgets a record, then its files.
    ///
    /// # Errors
    /// [`RegistryError`]: the record is still there.
    pub fn forget(&self, plugin: &str) -> Result<(), RegistryError> {
        let path = self.record_file(plugin);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &path)(error));
            }
            _ => sync_folder(&path),
        }
        self.records.write().unwrap_or_else(PoisonError::into_inner).remove(plugin);
        self.sweep();
        Ok(())
    }

    /// Removes files that no record names. Nothing may be between [`Registry::place`] and [`Registry::keep`] meanwhile.
    pub fn sweep(&self) {
        // Whose files are whose, a record that cannot be read does not say.
        if !self.problems.is_empty() {
            return;
        }
        let kept: Vec<PathBuf> = self.all().iter().map(|record| record.extension.root.clone()).collect();
        for kind in ExtensionType::ALL {
            for named in folders(&self.folder.join(kind.folder())) {
                for version in folders(&named) {
                    if !kept.contains(&version) {
                        let _ = fs::remove_dir_all(&version);
                    }
                }
                // It goes when it is empty.
                let _ = fs::remove_dir(&named);
            }
        }
    }

    fn records_folder(&self) -> PathBuf {
        self.folder.join("records")
    }

    /// A folder for what passes; it is emptied by [`Registry::open`].
    #[must_use]
    pub fn room(&self) -> PathBuf {
        self.folder.join(".incoming")
    }
}

fn read_record(path: &Path) -> io::Result<Registered> {
    use std::io::Read;
    let mut text = Vec::new();
    File::open(path)?.take(RECORD).read_to_end(&mut text)?;
    Ok(serde_json::from_slice(&text)?)
}

fn folders(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    // The type of an entry is that of a link itself: nothing is followed.
    let is_folder = |entry: &fs::DirEntry| entry.file_type().is_ok_and(|kind| kind.is_dir());
    entries.flatten().filter(is_folder).map(|entry| entry.path()).collect()
}

fn private(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// A rename is durable when its folder is.
fn sync_folder(path: &Path) {
    if let Some(Ok(folder)) = path.parent().map(File::open) {
        let _ = folder.sync_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(name: &str, root: &Path) -> Registered {
        let manifest = serde_json::json!({
            "extension": {"name": name, "type": "provider", "version": "1.0.0", "description": "One."}
        });
        let extension = serde_json::json!({
            "type": "provider", "name": name, "version": "1.0.0", "digest": "abcdef0123456789ff", "root": root
        });
        Registered {
            extension: serde_json::from_value(extension).unwrap(),
            manifest: serde_json::from_value(manifest).unwrap(),
            link: false,
            registered_at: String::new(),
            made_plugin: true,
            leaving: false,
        }
    }

    fn files(registry: &Registry) -> PathBuf {
        let folder = registry.incoming();
        fs::create_dir(&folder).unwrap();
        fs::write(folder.join("metadata.toml"), "x").unwrap();
        folder
    }

    #[test]
    fn records_and_their_files_are_there_after_a_restart() {
        let base = tempfile::tempdir().unwrap();
        let registry = Registry::open(base.path()).unwrap();
        let mut one = record("my-provider", Path::new(""));
        one.extension.root = registry.place(&files(&registry), &one.extension).unwrap();
        registry.keep(one.clone()).unwrap();
        // Broken off: files without a record, a record half written, files half looked at.
        let orphan = registry.place(&files(&registry), &one.extension).unwrap();
        assert_ne!(orphan, one.extension.root);
        fs::write(base.path().join("records/.my-provider-provider.new"), "{").unwrap();
        files(&registry);
        let registry = Registry::open(base.path()).unwrap();
        assert_eq!(*registry.find(ExtensionType::Provider, "my_provider").unwrap(), one);
        assert!(one.extension.root.join("metadata.toml").is_file() && !orphan.exists());
        assert_eq!(fs::read_dir(base.path().join(".incoming")).unwrap().count(), 0);
        assert_eq!(fs::read_dir(base.path().join("records")).unwrap().count(), 1);
        // Hosts read the same file.
        let text = fs::read(registry.record_file("my-provider-provider")).unwrap();
        assert_eq!(serde_json::from_slice::<HostedExtension>(&text).unwrap(), one.extension);
        registry.forget("my-provider-provider").unwrap();
        assert!(!base.path().join("providers/my-provider").exists());
        assert!(Registry::open(base.path()).unwrap().all().is_empty());
    }

    #[test]
    fn a_record_that_cannot_be_read_is_told_and_its_files_stay() {
        let base = tempfile::tempdir().unwrap();
        let registry = Registry::open(base.path()).unwrap();
        let one = record("p", Path::new(""));
        let root = registry.place(&files(&registry), &one.extension).unwrap();
        for text in ["", "{\"type\": \"provider\"", "\u{0}"] {
            fs::write(registry.record_file("p-provider"), text).unwrap();
            let registry = Registry::open(base.path()).unwrap();
            assert_eq!(registry.problems().len(), 1, "{text:?}");
            assert!(registry.all().is_empty() && root.is_dir());
        }
    }
}
