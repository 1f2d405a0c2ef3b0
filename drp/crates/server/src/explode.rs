//! Unpacking an uploaded archive (wire-protocol §3.9, `explode=true`): all of it below one directory, or nothing.
//!
//! The archive is unpacked beside its place into a directory of its own that nobody sees, and only when all of it is
//! there and fits, its files go to where they belong. Owners, times and special modes of the archive do not count.

use flate2::bufread::GzDecoder;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Component, Path, PathBuf};
use tar::{Archive, EntryType};

/// Entries of an archive at most.
const ENTRIES: usize = 100_000;
/// Bytes of all files of an archive at most.
const BYTES: u64 = 64 << 30;
/// A compressed archive may grow this many times; smaller ones to [`SMALL`] in any case.
const GROWTH: u64 = 100;
const SMALL: u64 = if cfg!(test) { 8 << 20 } else { 256 << 20 };
/// Longest path in an archive in bytes.
const PATH: usize = 1024;
/// Directories within each other at most.
const DEPTH: usize = 32;
/// Longest description that an entry has of itself (long names, pax headers): it is read into memory.
const DESCRIPTION: u64 = 64 << 10;

/// Why an archive is not unpacked: a status and a text that says whose fault it is.
#[derive(Debug)]
pub(crate) struct Refused {
    pub(crate) code: u16,
    pub(crate) text: String,
}

impl Refused {
    fn archive(text: impl Into<String>) -> Self {
        Self { code: 400, text: text.into() }
    }
}

impl From<io::Error> for Refused {
    fn from(error: io::Error) -> Self {
        let code = if error.kind() == io::ErrorKind::StorageFull { 507 } else { 500 };
        Self { code, text: format!("cannot be unpacked: {error}") }
    }
}

/// What an archive has at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Directory,
    File,
    Link,
}

/// Unpacks an archive into a directory that exists; `may` says whether a path below it may be written. Gives the number
/// of files. Blocks.
pub(crate) fn explode(archive: &Path, into: &Path, may: impl Fn(&str) -> bool) -> Result<usize, Refused> {
    let staging = tempfile::Builder::new().prefix(".explode").tempdir_in(into)?;
    let mut unpacked = Unpacked { root: staging.path().to_owned(), ..Unpacked::default() };
    let size = fs::metadata(archive)?.len();
    let open = || File::open(archive).map(|file| BufReader::with_capacity(256 << 10, file));
    match open()?.fill_buf()? {
        [0x1f, 0x8b, ..] => {
            let allowed = size.saturating_mul(GROWTH).clamp(SMALL, BYTES);
            look_through(GzDecoder::new(open()?), allowed)?;
            unpacked.take(GzDecoder::new(open()?), allowed)?;
        }
        head if head.get(257..262) == Some(b"ustar") => {
            look_through(open()?, BYTES)?;
            unpacked.take(open()?, BYTES)?;
        }
        _ => return Err(Refused::archive("is not a tar or tar.gz archive; only these are unpacked")),
    }
    let files = unpacked.entries.iter().filter(|(_, kind)| **kind != Kind::Directory);
    if let Some(path) = files.filter_map(|(path, _)| path.to_str()).find(|path| !may(path)) {
        return Err(Refused {
            code: 403,
            text: format!("holds {path}, which may not be written with these claims"),
        });
    }
    unpacked.fits(into)?;
    unpacked.go_to(into)?;
    Ok(unpacked.entries.values().filter(|kind| **kind != Kind::Directory).count())
}

/// Reads an archive once without doing anything, for what must be known before: how large it is, and that no entry
/// describes itself at length.
fn look_through(source: impl Read, allowed: u64) -> Result<(), Refused> {
    // Heads count too: an archive of nothing but names is bounded as well.
    let most = allowed.saturating_add((1024 + DESCRIPTION) * ENTRIES as u64);
    let mut archive = Archive::new(Bounded { source, left: most });
    let (mut count, mut bytes) = (0, 0_u64);
    for entry in archive.entries().map_err(broken)?.raw(true) {
        let entry = entry.map_err(broken)?;
        let kind = entry.header().entry_type();
        if kind.is_gnu_longname()
            || kind.is_gnu_longlink()
            || kind.is_pax_local_extensions()
            || kind.is_pax_global_extensions()
        {
            if entry.size() > DESCRIPTION {
                let text = format!("has an entry that describes itself with more than {DESCRIPTION} bytes");
                return Err(Refused::archive(text));
            }
            continue;
        }
        (count, bytes) = (count + 1, bytes.saturating_add(entry.size()));
        if count > ENTRIES {
            return Err(Refused::archive(format!("has more than {ENTRIES} entries")));
        }
        if bytes > allowed {
            return Err(Refused::archive(format!("would take more than {allowed} bytes unpacked")));
        }
    }
    Ok(())
}

fn broken(error: io::Error) -> Refused {
    Refused::archive(format!("is broken: {error}"))
}

#[derive(Default)]
struct Unpacked {
    root: PathBuf,
    /// What is there by now, by path below the root; a directory comes before what is in it.
    entries: BTreeMap<PathBuf, Kind>,
}

impl Unpacked {
    fn take(&mut self, source: impl Read, allowed: u64) -> Result<(), Refused> {
        let mut archive = Archive::new(source);
        let mut bytes = 0_u64;
        for entry in archive.entries().map_err(broken)? {
            let mut entry = entry.map_err(broken)?;
            let path = inside(&entry.path().map_err(broken)?)?;
            if path.as_os_str().is_empty() {
                continue;
            }
            let shown = path.display().to_string();
            match entry.header().entry_type() {
                EntryType::Directory => self.directory(&path)?,
                EntryType::Regular | EntryType::Continuous => {
                    bytes = bytes.saturating_add(entry.size());
                    if bytes > allowed {
                        return Err(Refused::archive(format!(
                            "would take more than {allowed} bytes unpacked"
                        )));
                    }
                    let runs = entry.header().mode().unwrap_or(0) & 0o111 != 0;
                    let target = self.place(&path)?;
                    let mut file = File::create_new(&target)?;
                    let size = entry.size();
                    let written = io::copy(&mut entry, &mut file).map_err(|e| match e.raw_os_error() {
                        Some(_) => e.into(),
                        None => broken(e),
                    })?;
                    if written != size {
                        return Err(Refused::archive(format!("is broken: {shown} is cut off")));
                    }
                    let mode = if runs { 0o755 } else { 0o644 };
                    file.set_permissions(fs::Permissions::from_mode(mode))?;
                    self.entries.insert(path, Kind::File);
                }
                EntryType::Symlink => {
                    let link = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                    if !stays(&path, &link) {
                        let text = format!("holds {shown}, a link to {}, which leads out", link.display());
                        return Err(Refused::archive(text));
                    }
                    let target = self.place(&path)?;
                    std::os::unix::fs::symlink(&link, target)?;
                    self.entries.insert(path, Kind::Link);
                }
                EntryType::Link => {
                    let link = entry.link_name().map_err(broken)?.unwrap_or_default().into_owned();
                    let link = inside(&link)?;
                    if self.entries.get(&link) != Some(&Kind::File) || link == path {
                        let text =
                            format!("holds {shown}, a link to {}, which is no file of it", link.display());
                        return Err(Refused::archive(text));
                    }
                    let target = self.place(&path)?;
                    fs::hard_link(self.root.join(link), target)?;
                    self.entries.insert(path, Kind::File);
                }
                EntryType::XGlobalHeader => {}
                _ => {
                    return Err(Refused::archive(format!(
                        "holds {shown}, which is no file, directory or link"
                    )));
                }
            }
        }
        Ok(())
    }

    /// Makes a directory and those above it; all of them real ones.
    fn directory(&mut self, path: &Path) -> Result<(), Refused> {
        let mut above = PathBuf::new();
        for part in path {
            above.push(part);
            match self.entries.get(&above) {
                Some(Kind::Directory) => {}
                Some(_) => {
                    let text =
                        format!("holds {} below {}, which is no directory", path.display(), above.display());
                    return Err(Refused::archive(text));
                }
                None => {
                    fs::create_dir(self.root.join(&above))?;
                    self.entries.insert(above.clone(), Kind::Directory);
                }
            }
        }
        Ok(())
    }

    /// Where a file or link goes; one of the same name before it gives way, as tar has it.
    fn place(&mut self, path: &Path) -> Result<PathBuf, Refused> {
        if let Some(parent) = path.parent() {
            self.directory(parent)?;
        }
        let target = self.root.join(path);
        match self.entries.remove(path) {
            None => {}
            Some(Kind::Directory) => {
                return Err(Refused::archive(format!(
                    "holds {} as a directory and as a file",
                    path.display()
                )));
            }
            Some(_) => fs::remove_file(&target)?,
        }
        Ok(target)
    }

    /// Whether everything can go to where it belongs.
    fn fits(&self, into: &Path) -> Result<(), Refused> {
        for (path, kind) in &self.entries {
            let Ok(there) = fs::symlink_metadata(into.join(path)) else { continue };
            // A link is not followed: it may lead anywhere.
            if there.is_dir() != (*kind == Kind::Directory) {
                let text = match kind {
                    Kind::Directory => format!("has a directory {}, where a file is", path.display()),
                    _ => format!("has a file {}, where a directory is", path.display()),
                };
                return Err(Refused { code: 409, text });
            }
        }
        Ok(())
    }

    fn go_to(&self, into: &Path) -> Result<(), Refused> {
        for (path, kind) in &self.entries {
            let target = into.join(path);
            match kind {
                Kind::Directory if target.is_dir() => {}
                Kind::Directory => fs::create_dir(&target)?,
                _ => fs::rename(self.root.join(path), &target)?,
            }
        }
        Ok(())
    }
}

/// A path of an archive as one below its directory. A leading `./` is usual, and so is a path that ends in a slash.
fn inside(path: &Path) -> Result<PathBuf, Refused> {
    let refuse = |why: &str| Refused::archive(format!("holds {}, which {why}", path.display()));
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::Normal(part) => clean.push(part),
            Component::CurDir => {}
            _ => return Err(refuse("leads out")),
        }
    }
    if clean.as_os_str().len() > PATH || clean.components().count() > DEPTH {
        return Err(refuse("is too long"));
    }
    if clean.to_str().is_none_or(|text| text.contains('\0')) {
        return Err(refuse("is no text"));
    }
    Ok(clean)
}

/// Whether a link at a path ends within its directory wherever it leads. `..` may only come first: behind a link it
/// would mean something else than it looks.
fn stays(path: &Path, link: &Path) -> bool {
    let mut depth = path.components().count().saturating_sub(1);
    let mut down = false;
    for part in link.components() {
        match part {
            Component::Normal(_) => down = true,
            Component::CurDir => {}
            Component::ParentDir if !down && depth > 0 => depth -= 1,
            _ => return false,
        }
    }
    down
}

/// A reader that ends in an error when there is too much.
struct Bounded<R> {
    source: R,
    left: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.source.read(buffer)?;
        self.left =
            self.left.checked_sub(n as u64).ok_or_else(|| io::Error::other("it grows without end"))?;
        Ok(n)
    }
}

#[cfg(test)]
#[path = "explode_tests.rs"]
mod tests;
