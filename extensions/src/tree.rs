//! The files of an extension, listed within bounds. Nothing in the folder is trusted.

use crate::{Problem, Rule};
use std::collections::BTreeMap;
use std::fs::{self, DirEntry};
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path};

/// Most files, folders and links.
const ENTRIES: usize = 20_000;
/// Most bytes of all files together.
const BYTES: u64 = 512 << 20;
/// Most folders inside each other.
const DEPTH: usize = 32;
/// Longest manifest, schema or example, in bytes.
pub(crate) const TEXT_BYTES: u64 = 1 << 20;

/// What is in an extension's folder.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    files: BTreeMap<String, u64>,
    problems: Vec<Problem>,
    entries: usize,
    bytes: u64,
}

fn problem(path: &str, message: impl Into<String>, hint: &str) -> Problem {
    Problem::new(Rule::Structure, path, message, hint)
}

impl Tree {
    /// Lists a folder. What does not belong into an extension becomes a problem.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        tree.folder(root, root, "", 0);
        tree
    }

    /// Names of the files, with their sizes in bytes.
    pub fn files(&self) -> impl Iterator<Item = (&str, u64)> {
        self.files.iter().map(|(name, size)| (name.as_str(), *size))
    }

    /// Names of the files directly in a folder.
    pub fn files_in<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = &'a str> {
        self.files
            .keys()
            .filter_map(move |name| name.strip_prefix(folder)?.strip_prefix('/').map(|rest| (name, rest)))
            .filter(|(_, rest)| !rest.contains('/'))
            .map(|(name, _)| name.as_str())
    }

    /// Whether there is a file of that name.
    #[must_use]
    pub fn has(&self, path: &str) -> bool {
        self.files.contains_key(path)
    }

    /// Whether there is a file in that folder, or below it.
    #[must_use]
    pub fn has_folder(&self, folder: &str) -> bool {
        self.files.keys().any(|name| name.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/')))
    }

    /// What does not belong into an extension.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The text of a file, within bounds.
    pub(crate) fn text(&self, root: &Path, path: &str) -> Result<String, Problem> {
        let failed =
            |error: std::io::Error| problem(path, format!("it cannot be read: {error}"), "make it readable");
        let real = root.join(path).canonicalize().map_err(failed)?;
        if !real.starts_with(root) {
            return Err(problem(
                path,
                "it is a link that leaves the extension's folder",
                "put the file itself there",
            ));
        }
        // A pipe that took the file's place is not waited for.
        let file =
            fs::OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOFOLLOW).open(real);
        let file = file.map_err(failed)?;
        let mut bytes = Vec::new();
        let size = file.take(TEXT_BYTES + 1).read_to_end(&mut bytes).map_err(failed)?;
        if size as u64 > TEXT_BYTES {
            return Err(problem(
                path,
                format!("it is longer than {TEXT_BYTES} bytes, the most that is read of such a file"),
                "make it shorter",
            ));
        }
        String::from_utf8(bytes).map_err(|error| {
            let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
            let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
            problem(path, "it is no UTF-8 text", "save it as UTF-8").at(Some(line))
        })
    }

    fn folder(&mut self, root: &Path, folder: &Path, prefix: &str, depth: usize) {
        let here = if prefix.is_empty() { "." } else { prefix.trim_end_matches('/') };
        if depth > DEPTH {
            self.problems.push(problem(
                here,
                format!("it lies deeper than {DEPTH} folders"),
                "make the tree flatter",
            ));
            return;
        }
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => {
                self.problems.push(problem(
                    here,
                    format!("it cannot be listed: {error}"),
                    "make it readable",
                ));
                return;
            }
        };
        for entry in entries.flatten() {
            self.entries += 1;
            if self.entries <= ENTRIES {
                self.entry(root, &entry, prefix, depth);
            }
            if self.entries > ENTRIES || self.bytes > BYTES {
                let limit =
                    if self.bytes > BYTES { format!("{BYTES} bytes") } else { format!("{ENTRIES} files") };
                let text = format!("it holds more than {limit}");
                if !self.problems.iter().any(|known| known.message == text) {
                    self.problems.push(problem(".", text, "an extension holds its own files only"));
                }
                return;
            }
        }
    }

    fn entry(&mut self, root: &Path, entry: &DirEntry, prefix: &str, depth: usize) {
        let own = entry.file_name();
        let name = format!("{prefix}{}", own.to_string_lossy());
        let Ok(kind) = entry.file_type() else { return };
        if crate::archive::excluded(&own.to_string_lossy(), kind.is_dir()) {
            return;
        }
        if own.to_str().is_none_or(|own| own.chars().any(char::is_control)) {
            let shown = name.escape_default().to_string();
            self.problems.push(problem(
                &shown,
                "its name is not UTF-8 or has control characters",
                "rename it",
            ));
            return;
        }
        let path = entry.path();
        if kind.is_dir() {
            if path.join("CACHEDIR.TAG").is_file() {
                return;
            }
            self.folder(root, &path, &format!("{name}/"), depth + 1);
        } else if kind.is_symlink() {
            self.link(root, &path, &name);
        } else if kind.is_file() {
            let size = entry.metadata().map_or(0, |meta| meta.len());
            self.bytes = self.bytes.saturating_add(size);
            self.files.insert(name, size);
        } else {
            self.problems.push(problem(&name, "it is a device, socket or pipe", "remove it"));
        }
    }

    fn link(&mut self, root: &Path, path: &Path, name: &str) {
        let target = fs::read_link(path).unwrap_or_default();
        let relative = target
            .components()
            .all(|part| matches!(part, Component::Normal(_) | Component::CurDir | Component::ParentDir));
        match path.canonicalize() {
            Ok(real) if relative && real.starts_with(root) => {
                if real.is_file() {
                    self.files.insert(name.to_owned(), real.metadata().map_or(0, |meta| meta.len()));
                }
            }
            Ok(_) => self.problems.push(problem(
                name,
                format!("it is a link to {target:?}, which is outside of the extension's folder"),
                "put the file itself there",
            )),
            Err(_) => self.problems.push(problem(
                name,
                format!("it is a link to {target:?}, which is not there"),
                "remove it, or put the file there",
            )),
        }
    }
}
