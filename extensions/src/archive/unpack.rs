//! Archives to folders.

use super::{ArchiveError, Bounds, failed, link, printable};
use flate2::bufread::GzDecoder;
use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use tar::{Archive, Entry, EntryType, PaxExtensions};
use tempfile::TempDir;

/// Longest name, and longest record of extended headers.
const NAME: u64 = 4096;
const RECORDS: u64 = 64 << 10;
const FREE: u64 = 8 << 20;

/// Unpacks an archive, plain or compressed with gzip, as the folder `target`, which must not exist; the folder above it
/// must. It is unpacked beside and renamed, so there is the whole folder or nothing. When everything in the archive is
/// in one folder, that folder becomes `target`.
///
/// Returns `target`.
///
/// # Errors
/// [`ArchiveError`]: the archive holds something that is refused, or too much, or is damaged.
pub fn unpack(archive: impl Read, target: &Path, bounds: &Bounds) -> Result<PathBuf, ArchiveError> {
    if fs::symlink_metadata(target).is_ok() {
        return Err(ArchiveError::There(target.to_owned()));
    }
    let (_beside, tree) = unpack_beside(archive, target, bounds)?;
    fs::rename(&tree, target).map_err(failed("rename to", target))?;
    Ok(target.to_owned())
}

/// As [`unpack`]; what is at `target` makes place, and is back when something fails.
///
/// # Errors
/// As [`unpack`].
pub fn replace(archive: impl Read, target: &Path, bounds: &Bounds) -> Result<PathBuf, ArchiveError> {
    let (beside, tree) = unpack_beside(archive, target, bounds)?;
    let old = beside.path().join("old");
    let was_there = match fs::rename(target, &old) {
        Ok(()) => true,
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(failed("move away", target)(error)),
    };
    if let Err(error) = fs::rename(&tree, target) {
        if was_there {
            fs::rename(&old, target).map_err(failed("put back", target))?;
        }
        return Err(failed("rename to", target)(error));
    }
    Ok(target.to_owned())
}

fn unpack_beside(
    archive: impl Read,
    target: &Path,
    bounds: &Bounds,
) -> Result<(TempDir, PathBuf), ArchiveError> {
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new()
        .prefix(".unpack-")
        .tempdir_in(parent)
        .map_err(failed("make a folder in", parent))?;
    let tree = beside.path().join("new");
    make_folder(&tree)?;
    let read = Rc::new(Cell::new(0));
    let mut archive = BufReader::new(Counted { inner: archive, read: Rc::clone(&read) });
    let start = archive.fill_buf().map_err(ArchiveError::Broken)?;
    if start.starts_with(&[0x1f, 0x8b]) {
        let unpacked = Bounded { inner: GzDecoder::new(archive), read, written: 0, ratio: bounds.ratio };
        Unpack::new(&tree, bounds).all(unpacked)?;
    } else {
        Unpack::new(&tree, bounds).all(archive)?;
    }
    let tree = only_folder(&tree)?.unwrap_or(tree);
    Ok((beside, tree))
}

/// The folder that everything is in, when there is one.
fn only_folder(tree: &Path) -> Result<Option<PathBuf>, ArchiveError> {
    let mut entries = fs::read_dir(tree).map_err(failed("list", tree))?;
    let (Some(first), None) = (entries.next(), entries.next()) else { return Ok(None) };
    let first = first.map_err(failed("list", tree))?;
    let folder = first.file_type().map_err(failed("look at", &first.path()))?.is_dir();
    Ok(folder.then(|| first.path()))
}

fn make_folder(path: &Path) -> Result<(), ArchiveError> {
    DirBuilder::new().mode(0o755).create(path).map_err(failed("make folder", path))
}

struct Unpack<'a> {
    tree: &'a Path,
    bounds: &'a Bounds,
    /// Folders that are there; `true` when the archive names them itself.
    folders: HashMap<String, bool>,
    others: HashSet<String>,
    /// Every header, also those that make nothing.
    headers: usize,
    bytes: u64,
}

/// What headers before an entry say of it.
#[derive(Default)]
struct Said {
    name: Option<Vec<u8>>,
    target: Option<Vec<u8>>,
}

impl<'a> Unpack<'a> {
    fn new(tree: &'a Path, bounds: &'a Bounds) -> Self {
        Self { tree, bounds, folders: HashMap::new(), others: HashSet::new(), headers: 0, bytes: 0 }
    }

    fn all(&mut self, stream: impl Read) -> Result<(), ArchiveError> {
        let end = Rc::new(Cell::new(0));
        let mut archive = Archive::new(Trailing { inner: stream, zeros: Rc::clone(&end) });
        let mut said = Said::default();
        // Raw: the library would read long names into memory, however long they are.
        for entry in archive.entries().map_err(ArchiveError::Broken)?.raw(true) {
            let mut entry = entry.map_err(ArchiveError::Broken)?;
            self.headers += 1;
            if self.headers > self.bounds.entries.saturating_mul(3) {
                return Err(self.too_many());
            }
            match entry.header().entry_type() {
                EntryType::GNULongName => said.name = Some(long(&mut entry, NAME)?),
                EntryType::GNULongLink => said.target = Some(long(&mut entry, NAME)?),
                EntryType::XHeader => extended(&mut entry, &mut said)?,
                EntryType::XGlobalHeader => drop(long(&mut entry, RECORDS)?),
                _ => self.entry(&mut entry, std::mem::take(&mut said))?,
            }
        }
        if end.get() < 512 || self.headers == 0 {
            return Err(ArchiveError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    fn entry(&mut self, entry: &mut Entry<'_, impl Read>, said: Said) -> Result<(), ArchiveError> {
        let kind = entry.header().entry_type();
        let raw = said.name.unwrap_or_else(|| entry.path_bytes().into_owned());
        let shown = String::from_utf8_lossy(&raw).into_owned();
        let refused = |why: String| ArchiveError::Refused { name: shown.clone(), why };
        let name = entry_name(&raw, kind == EntryType::Directory).map_err(|why| refused(why.into()))?;
        let depth = name.matches('/').count();
        if depth > self.bounds.depth {
            return Err(ArchiveError::TooMuch {
                what: "folders inside each other",
                limit: self.bounds.depth as u64,
            });
        }
        // `./`, with which many archives begin.
        if name.is_empty() {
            return if kind == EntryType::Directory { Ok(()) } else { Err(refused("has no name".into())) };
        }
        if let Some((above, _)) = name.rsplit_once('/') {
            self.folder(above, false, &refused)?;
        }
        if kind == EntryType::Directory {
            return self.folder(&name, true, &refused);
        }
        if self.folders.contains_key(&name) || !self.others.insert(name.clone()) {
            return Err(refused("is there twice".into()));
        }
        self.count()?;
        let path = self.tree.join(&name);
        match kind {
            EntryType::Regular | EntryType::Continuous => self.file(entry, &path, &refused),
            EntryType::Symlink => {
                let target = match said.target {
                    Some(target) => target,
                    None => entry.link_name_bytes().map(|bytes| bytes.into_owned()).unwrap_or_default(),
                };
                let target = String::from_utf8(target)
                    .map_err(|_| refused("is a link to a name that is not UTF-8".into()))?;
                link::stays(&name, &target).map_err(refused)?;
                symlink(&target, &path).map_err(failed("make link", &path))
            }
            EntryType::Link => Err(refused("is a hard link: the file must be in the archive itself".into())),
            EntryType::Char | EntryType::Block | EntryType::Fifo => {
                Err(refused("is a device or pipe".into()))
            }
            other => Err(refused(format!(
                "is of type {:?}, which is no file, folder or link",
                other.as_byte() as char
            ))),
        }
    }

    /// Makes a folder and those above it. Nothing is made below a link or a file.
    fn folder(
        &mut self,
        name: &str,
        named: bool,
        refused: &dyn Fn(String) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let ends = name.match_indices('/').map(|(at, _)| at).chain([name.len()]);
        for end in ends {
            let part = &name[..end];
            let whole = end == name.len();
            if self.others.contains(part) {
                let why = if whole && named { "is there twice" } else { "is below a file or link" };
                return Err(refused(why.into()));
            }
            match self.folders.get_mut(part) {
                Some(was_named) if whole && named => {
                    if std::mem::replace(was_named, true) {
                        return Err(refused("is there twice".into()));
                    }
                }
                Some(_) => {}
                None => {
                    self.folders.insert(part.to_owned(), whole && named);
                    self.count()?;
                    make_folder(&self.tree.join(part))?;
                }
            }
        }
        Ok(())
    }

    fn file(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: &Path,
        refused: &dyn Fn(String) -> ArchiveError,
    ) -> Result<(), ArchiveError> {
        let size = entry.header().size().map_err(ArchiveError::Broken)?;
        self.bytes = self.bytes.saturating_add(size);
        if self.bytes > self.bounds.bytes {
            return Err(ArchiveError::TooMuch { what: "bytes", limit: self.bounds.bytes });
        }
        let mode = entry.header().mode().map_err(|_| refused("has an unreadable mode".into()))?;
        let mode = if mode & 0o100 == 0 { 0o644 } else { 0o755 };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(path)
            .map_err(failed("write", path))?;
        // In pieces of our own, to tell who failed.
        let mut buffer = [0; 1 << 15];
        let mut left = size;
        loop {
            let read = match entry.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(ArchiveError::Broken(error)),
            };
            io::Write::write_all(&mut file, &buffer[..read]).map_err(failed("write", path))?;
            left = left.saturating_sub(read as u64);
        }
        if left > 0 {
            return Err(ArchiveError::Broken(io::ErrorKind::UnexpectedEof.into()));
        }
        Ok(())
    }

    fn count(&self) -> Result<(), ArchiveError> {
        let made = self.folders.len() + self.others.len();
        if made > self.bounds.entries { Err(self.too_many()) } else { Ok(()) }
    }

    fn too_many(&self) -> ArchiveError {
        ArchiveError::TooMuch { what: "files and folders", limit: self.bounds.entries as u64 }
    }
}

/// The name of an entry: relative, without `.`, `..` and empty parts.
fn entry_name(raw: &[u8], folder: bool) -> Result<String, &'static str> {
    let name = std::str::from_utf8(raw).map_err(|_| "has a name that is not UTF-8")?;
    if raw.len() as u64 > NAME {
        return Err("has a name that is too long");
    }
    if name.starts_with('/') {
        return Err("is an absolute path");
    }
    let name = if folder { name.strip_suffix('/').unwrap_or(name) } else { name };
    let mut parts = Vec::new();
    for part in name.split('/') {
        match part {
            "." => {}
            ".." => return Err("goes out of the tree"),
            part if !printable(part) => return Err("has an empty name or control characters in it"),
            part => parts.push(part),
        }
    }
    Ok(parts.join("/"))
}

/// The data of a header that describes another.
fn long(entry: &mut Entry<'_, impl Read>, limit: u64) -> Result<Vec<u8>, ArchiveError> {
    let mut bytes = Vec::new();
    entry.take(limit + 1).read_to_end(&mut bytes).map_err(ArchiveError::Broken)?;
    if bytes.len() as u64 > limit {
        return Err(ArchiveError::TooMuch { what: "bytes in a name", limit });
    }
    while bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

/// Extended headers of POSIX: names are taken, times and owners are not, and what changes the data is refused.
fn extended(entry: &mut Entry<'_, impl Read>, said: &mut Said) -> Result<(), ArchiveError> {
    let bytes = long(entry, RECORDS)?;
    for record in PaxExtensions::new(&bytes) {
        let record = record.map_err(ArchiveError::Broken)?;
        match record.key_bytes() {
            b"path" => said.name = Some(record.value_bytes().to_vec()),
            b"linkpath" => said.target = Some(record.value_bytes().to_vec()),
            key if key == b"size" || key.starts_with(b"GNU.sparse") => {
                let name = String::from_utf8_lossy(key).into_owned();
                return Err(ArchiveError::Refused {
                    name,
                    why: "is an extended header that changes data".into(),
                });
            }
            _ => {}
        }
    }
    Ok(())
}

/// Counts what was read.
struct Counted<R> {
    inner: R,
    read: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.read.set(self.read.get() + read as u64);
        Ok(read)
    }
}

/// Stops when little input becomes too much output.
struct Bounded<R> {
    inner: R,
    read: Rc<Cell<u64>>,
    written: u64,
    ratio: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        self.written += read as u64;
        if self.written > FREE.max(self.read.get().saturating_mul(self.ratio)) {
            let text = format!("it grows to more than {} times its size", self.ratio);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok(read)
    }
}

/// Counts the zeros at the end of what was read: an archive ends with a block of them.
struct Trailing<R> {
    inner: R,
    zeros: Rc<Cell<u64>>,
}

impl<R: Read> Read for Trailing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(buffer)?;
        let zeros = buffer[..read].iter().rev().take_while(|byte| **byte == 0).count();
        let before = if zeros == read { self.zeros.get() } else { 0 };
        self.zeros.set(before + zeros as u64);
        Ok(read)
    }
}
