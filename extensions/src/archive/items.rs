//! What goes into an archive.

use super::{ArchiveError, Bounds, failed, link, printable};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs::{self, DirEntry};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// The content of one entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// A folder.
    Folder,
    /// A file on disk.
    File { path: PathBuf, size: u64, executable: bool },
    /// A file in memory.
    Text { bytes: Vec<u8>, executable: bool },
    /// A symbolic link.
    Link { target: String },
}

/// The entries of an archive, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Items(pub(super) BTreeMap<String, Item>);

const FOLDERS: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".jj",
    ".nickel-modules",
    ".venv",
    "node_modules",
    "__pycache__",
    ".idea",
    ".vscode",
];
const FILES: &[&str] = &[".DS_Store", "Thumbs.db"];
const ENDINGS: &[&str] = &["~", ".swp", ".swo", ".orig", ".rej", ".bak", ".pyc"];

/// Whether a file or folder of that name is left out of archives: folders of version control, of editors and of package
/// managers, and what editors and merges leave behind. A `target` beside a `Cargo.toml` and every folder with a
/// `CACHEDIR.TAG` are left out too, which their names alone do not tell.
#[must_use]
pub fn excluded(name: &str, folder: bool) -> bool {
    // `.git` is a file in a Git worktree.
    if name == ".git" || (folder && FOLDERS.contains(&name)) {
        return true;
    }
    !folder
        && (FILES.contains(&name)
            || ENDINGS.iter().any(|ending| name.len() > ending.len() && name.ends_with(ending))
            || name.starts_with(".#")
            || (name.len() > 1 && name.starts_with('#') && name.ends_with('#')))
}

impl Items {
    /// Everything in a folder that belongs into an archive. No file is read yet.
    ///
    /// # Errors
    /// [`ArchiveError`]: something in it cannot be packed, or there is too much.
    pub fn of_folder(root: &Path, bounds: &Bounds) -> Result<Self, ArchiveError> {
        let mut walk = Walk { bounds, items: BTreeMap::new(), bytes: 0, seen: 0 };
        walk.folder(root, "", 0)?;
        Ok(Self(walk.items))
    }

    /// Names and sizes of the files, in order.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.0.iter().filter_map(|(name, item)| match item {
            Item::File { size, .. } => Some((name.as_str(), *size)),
            Item::Text { bytes, .. } => Some((name.as_str(), bytes.len() as u64)),
            Item::Folder | Item::Link { .. } => None,
        })
    }

    /// Adds a file, or puts other content in its place. The folders above it are added too.
    ///
    /// # Errors
    /// [`ArchiveError::Unpackable`] for a name that no archive takes.
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) -> Result<(), ArchiveError> {
        if !name.split('/').all(|part| printable(part) && part != "." && part != "..") {
            return Err(unpackable(name, "a name is of parts with `/` between, without `.` and `..`"));
        }
        let executable = match self.0.get(name) {
            Some(Item::File { executable, .. } | Item::Text { executable, .. }) => *executable,
            _ => false,
        };
        for (at, _) in name.match_indices('/') {
            self.0.insert(name[..at].to_owned(), Item::Folder);
        }
        self.0.insert(name.to_owned(), Item::Text { bytes, executable });
        Ok(())
    }
}

fn unpackable(name: &str, why: impl Into<String>) -> ArchiveError {
    ArchiveError::Unpackable { name: name.to_owned(), why: why.into() }
}

struct Walk<'a> {
    bounds: &'a Bounds,
    items: BTreeMap<String, Item>,
    bytes: u64,
    seen: usize,
}

impl Walk<'_> {
    /// Whether anything of the folder was taken.
    fn folder(&mut self, folder: &Path, prefix: &str, depth: usize) -> Result<bool, ArchiveError> {
        if depth > self.bounds.depth {
            return Err(ArchiveError::TooMuch {
                what: "folders inside each other",
                limit: self.bounds.depth as u64,
            });
        }
        let mut entries = Vec::new();
        for entry in fs::read_dir(folder).map_err(failed("list", folder))? {
            self.seen += 1;
            // Those left out count too: this bounds the work.
            if self.seen > self.bounds.entries.saturating_mul(4) {
                return Err(self.too_many());
            }
            entries.push(entry.map_err(failed("list", folder))?);
        }
        let rust = folder.join("Cargo.toml").is_file();
        let mut any = false;
        for entry in entries {
            any |= self.entry(&entry, prefix, depth, rust)?;
        }
        Ok(any)
    }

    fn entry(
        &mut self,
        entry: &DirEntry,
        prefix: &str,
        depth: usize,
        rust: bool,
    ) -> Result<bool, ArchiveError> {
        let path = entry.path();
        let own = entry.file_name();
        let kind = entry.file_type().map_err(failed("look at", &path))?;
        let shown = || format!("{prefix}{}", own.to_string_lossy());
        if own.to_str().is_some_and(|name| excluded(name, kind.is_dir())) {
            return Ok(false);
        }
        let Some(own) = own.to_str().filter(|name| printable(name)) else {
            return Err(unpackable(&shown(), "its name is not UTF-8 or has control characters: rename it"));
        };
        let name = format!("{prefix}{own}");
        if kind.is_dir() {
            let cache = path.join("CACHEDIR.TAG").is_file() || (rust && own == "target");
            if cache || !self.folder(&path, &format!("{name}/"), depth + 1)? {
                return Ok(false);
            }
            self.take(name, Item::Folder)?;
        } else if kind.is_symlink() {
            let target = link_target(&path, &name)?;
            self.take(name, Item::Link { target })?;
        } else if kind.is_file() {
            let meta = entry.metadata().map_err(failed("look at", &path))?;
            self.bytes = self.bytes.saturating_add(meta.len());
            if self.bytes > self.bounds.bytes {
                return Err(ArchiveError::TooMuch { what: "bytes", limit: self.bounds.bytes });
            }
            let executable = meta.permissions().mode() & 0o100 != 0;
            self.take(name, Item::File { path, size: meta.len(), executable })?;
        } else {
            return Err(unpackable(&name, "it is a device, socket or pipe: remove it"));
        }
        Ok(true)
    }

    fn take(&mut self, name: String, item: Item) -> Result<(), ArchiveError> {
        self.items.insert(name, item);
        if self.items.len() > self.bounds.entries { Err(self.too_many()) } else { Ok(()) }
    }

    fn too_many(&self) -> ArchiveError {
        ArchiveError::TooMuch { what: "files and folders", limit: self.bounds.entries as u64 }
    }
}

fn link_target(path: &Path, name: &str) -> Result<String, ArchiveError> {
    let target = fs::read_link(path).map_err(failed("read link", path))?;
    let target = OsStr::to_str(target.as_os_str())
        .ok_or_else(|| unpackable(name, "it is a link to a name that is not UTF-8"))?;
    link::stays(name, target)
        .map_err(|why| unpackable(name, format!("it {why}: put the file itself there")))?;
    if fs::metadata(path).is_err() {
        return Err(unpackable(name, format!("it is a link to {target:?}, which is not there")));
    }
    Ok(target.to_owned())
}
