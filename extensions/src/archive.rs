//! Archives of folders: the same tree gives the same bytes, on any machine and under any umask (extensions §9), and
//! unpacking trusts nothing in an archive (extensions §7).
//!
//! An archive is a plain POSIX tar (ustar) without extensions of any kind:
//!
//! * entries are sorted by the bytes of their names, every folder before what is in it; empty folders are left out, as
//!   Git leaves them out;
//! * time 1980-01-01, owner and group 0 without names; mode 0755 for folders and for files that their owner may
//!   execute, 0644 for other files, 0777 for symbolic links;
//! * what [`excluded`] names is left out;
//! * symbolic links are kept when they stay in the tree. Whatever else is no file and no folder, a name that is not
//!   UTF-8 or has control characters, or one that is too long for the format, is an error that names it.
//!
//! ```
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use drp_extensions::archive::{self, Bounds, Items};
//! let folder = tempfile::tempdir()?;
//! std::fs::write(folder.path().join("metadata.toml"), "[extension]\n")?;
//! let items = Items::of_folder(folder.path(), &Bounds::default())?;
//! let packed = items.pack("web_taskserv")?;
//! let unpacked = archive::unpack(&packed.bytes[..], &folder.path().join("copy"), &Bounds::default())?;
//! assert_eq!(Items::of_folder(&unpacked, &Bounds::default())?.pack("web_taskserv")?.sha256, packed.sha256);
//! # Ok(()) }
//! ```

mod items;
mod link;
mod unpack;
mod write;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod unpack_tests;

pub use items::{Items, excluded};
pub use unpack::{replace, unpack};
pub use write::{Packed, Written, gzip};

use std::io;
use std::path::{Path, PathBuf};

/// How much an archive may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most files, folders and links together.
    pub entries: usize,
    /// Most bytes of all files together.
    pub bytes: u64,
    /// Most folders inside each other.
    pub depth: usize,
    /// A compressed archive may grow to so many times its size; the first 8 MB are free.
    pub ratio: u64,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { entries: 20_000, bytes: 512 << 20, depth: 32, ratio: 200 }
    }
}

/// Why a folder cannot be packed, or an archive not unpacked.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// A file or folder of ours failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `read`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Something in the folder that no archive takes. The fault is its author's.
    #[error("{name:?} cannot be packed: {why}")]
    Unpackable {
        /// Its name in the folder.
        name: String,
        /// Why, and what to do.
        why: String,
    },
    /// Something in the archive that is not unpacked. Nothing of it was kept.
    #[error("the archive is refused: {name:?} {why}")]
    Refused {
        /// Its name in the archive.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// It holds more than is allowed.
    #[error("it holds more than {limit} {what}")]
    TooMuch {
        /// What there is too much of.
        what: &'static str,
        /// How much there may be.
        limit: u64,
    },
    /// It is no archive, or not a whole one.
    #[error("the archive cannot be read: {0}; it is damaged or not whole, so fetch it again")]
    Broken(io::Error),
    /// It would be unpacked where something is.
    #[error("{} is there already", .0.display())]
    There(PathBuf),
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { what, path: path.to_owned(), source }
}

/// A name that every system can show and store: UTF-8 without control characters.
fn printable(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}
