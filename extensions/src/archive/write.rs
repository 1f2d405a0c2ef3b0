//! Items to bytes.

use super::items::Item;
use super::{ArchiveError, Items, failed};
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use tar::{EntryType, Header};

/// 1980-01-01: the earliest time that every archive format knows.
const TIME: u64 = 315_532_800;
const BLOCK: usize = 512;

/// An archive in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// The archive.
    pub bytes: Vec<u8>,
    /// SHA-256 of it, in lower-case hex.
    pub sha256: String,
}

/// What is known of an archive that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of it, in lower-case hex.
    pub sha256: String,
}

impl Items {
    /// The archive, with all entries in a folder of that name, or in none when it is empty.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn pack(&self, folder: &str) -> Result<Packed, ArchiveError> {
        let mut bytes = Vec::new();
        let written = self.write(folder, &mut bytes)?;
        Ok(Packed { bytes, sha256: written.sha256 })
    }

    /// SHA-256 of the archive, in lower-case hex, without making it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn digest(&self, folder: &str) -> Result<String, ArchiveError> {
        Ok(self.write(folder, io::sink())?.sha256)
    }

    /// Writes the archive.
    ///
    /// # Errors
    /// [`ArchiveError`]: a file cannot be read or changed meanwhile, a name is too long, or `out` fails.
    pub fn write(&self, folder: &str, out: impl Write) -> Result<Written, ArchiveError> {
        let mut out = Out { out, hasher: Sha256::new(), size: 0 };
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        if !folder.is_empty() {
            out.entry(folder, &Item::Folder)?;
        }
        for (name, item) in &self.0 {
            out.entry(&format!("{prefix}{name}"), item)?;
        }
        out.put(&[0; 2 * BLOCK])?;
        out.out.flush().map_err(failed("write", Path::new("the archive")))?;
        Ok(Written { size: out.size, sha256: hex(&out.hasher.finalize()) })
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

struct Out<W> {
    out: W,
    hasher: Sha256,
    size: u64,
}

impl<W: Write> Out<W> {
    fn entry(&mut self, name: &str, item: &Item) -> Result<(), ArchiveError> {
        let too_long = |what: &str| ArchiveError::Unpackable {
            name: name.to_owned(),
            why: format!("{what} is too long for the archive format: shorten it"),
        };
        let (kind, mode, size) = match item {
            Item::Folder => (EntryType::Directory, 0o755, 0),
            Item::Link { .. } => (EntryType::Symlink, 0o777, 0),
            Item::File { size, executable, .. } => (EntryType::Regular, file_mode(*executable), *size),
            Item::Text { bytes, executable } => {
                (EntryType::Regular, file_mode(*executable), bytes.len() as u64)
            }
        };
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(size);
        header.set_mtime(TIME);
        header.set_uid(0);
        header.set_gid(0);
        // The slash is how old programs know a folder.
        let full = if kind == EntryType::Directory { format!("{name}/") } else { name.to_owned() };
        header.set_path(&full).map_err(|_| too_long("its name"))?;
        if let Item::Link { target } = item {
            // As it is: the library's other way of setting it changes what it does not like.
            header.set_link_name_literal(target).map_err(|_| too_long("what it links to"))?;
        }
        set_checksum(&mut header);
        self.put(header.as_bytes())?;
        match item {
            Item::Folder | Item::Link { .. } => Ok(()),
            Item::Text { bytes, .. } => {
                self.put(bytes)?;
                self.fill(size)
            }
            Item::File { path, size, .. } => {
                self.file(path, name, *size)?;
                self.fill(*size)
            }
        }
    }

    fn file(&mut self, path: &Path, name: &str, size: u64) -> Result<(), ArchiveError> {
        let changed = || ArchiveError::Unpackable {
            name: name.to_owned(),
            why: "it changed while it was packed: pack again when nobody writes there".into(),
        };
        let mut file = open(path).map_err(failed("read", path))?;
        if !file.metadata().map_err(failed("read", path))?.is_file() {
            return Err(changed());
        }
        let mut buffer = vec![0; 1 << 16];
        let mut left = size;
        loop {
            let read = match file.read(&mut buffer) {
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(failed("read", path)(error)),
            };
            if read == 0 {
                return if left == 0 { Ok(()) } else { Err(changed()) };
            }
            left = left.checked_sub(read as u64).ok_or_else(changed)?;
            self.put(&buffer[..read])?;
        }
    }

    fn fill(&mut self, size: u64) -> Result<(), ArchiveError> {
        let over = usize::try_from(size % BLOCK as u64).unwrap_or(0);
        if over == 0 { Ok(()) } else { self.put(&[0; BLOCK][over..]) }
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), ArchiveError> {
        self.hasher.update(bytes);
        self.size += bytes.len() as u64;
        self.out.write_all(bytes).map_err(failed("write", Path::new("the archive")))
    }
}

/// Six digits, NUL and space, as other programs write it.
fn set_checksum(header: &mut Header) {
    header.as_old_mut().cksum = *b"        ";
    let sum: u32 = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum();
    let text = format!("{sum:06o}\0 ");
    header.as_old_mut().cksum.copy_from_slice(&text.as_bytes()[..8]);
}

fn file_mode(executable: bool) -> u32 {
    if executable { 0o755 } else { 0o644 }
}

/// Follows no link and waits for no pipe that took the file's place since it was listed.
fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)
}

/// An archive, compressed. The header is fixed; the compressed bytes are those of this version of the library, so a
/// digest is that of the archive, not of this.
///
/// # Errors
/// What `out` says.
pub fn gzip(archive: &[u8], out: impl Write) -> io::Result<()> {
    let mut encoder = GzBuilder::new().mtime(0).operating_system(255).write(out, Compression::new(6));
    encoder.write_all(archive)?;
    encoder.finish()?.flush()
}
