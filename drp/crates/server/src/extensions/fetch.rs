//! Getting the files of an extension that somebody names or sends.

use super::Extensions;
use drp_extensions::archive::{self, ArchiveError, Bounds, Items};
use drp_protocol::Error;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Where the files of an extension are.
#[derive(Debug)]
pub(crate) enum Source {
    /// A folder of this host.
    Folder {
        path: PathBuf,
        /// It is used where it is.
        link: bool,
    },
    /// A pack (tar, plain or with gzip) that was sent, in a file for it alone.
    Archive(tempfile::TempPath),
}

/// Files to look at. Copies go with this, unless they were moved away.
pub(super) struct Fetched {
    pub(super) folder: PathBuf,
    /// They are where their author has them.
    pub(super) link: bool,
    moved: bool,
}

impl Fetched {
    fn copy(folder: PathBuf) -> Self {
        Self { folder, link: false, moved: false }
    }

    /// They are somebody else's now.
    pub(super) fn moved(&mut self) {
        self.moved = true;
    }
}

impl Drop for Fetched {
    fn drop(&mut self) {
        if !self.link && !self.moved {
            let _ = std::fs::remove_dir_all(&self.folder);
        }
    }
}

impl Extensions {
    /// A file in which to keep what is sent.
    pub(crate) fn file(&self) -> Result<tempfile::NamedTempFile, Error> {
        tempfile::Builder::new()
            .prefix("pack")
            .tempfile_in(self.registry.room())
            .map_err(|error| Error::new(507, "POST", format!("cannot keep what is sent: {error}")))
    }

    /// Brings the files to where they are looked at.
    pub(super) async fn fetch(&self, source: Source) -> Result<Fetched, Error> {
        let target = self.registry.incoming();
        let fetch = move || match source {
            Source::Folder { path, link: true } => {
                Ok(Fetched { folder: folder(&path)?, link: true, moved: false })
            }
            Source::Folder { path, link: false } => {
                copy(&folder(&path)?, &target).map_err(refused)?;
                Ok(Fetched::copy(target))
            }
            Source::Archive(file) => {
                unpack(&file, &target).map_err(refused)?;
                Ok(Fetched::copy(target))
            }
        };
        let done = tokio::task::spawn_blocking(fetch).await;
        done.unwrap_or_else(|_| {
            Err(Error::new(500, "POST", "the files could not be taken; the log says more"))
        })
    }
}

fn folder(path: &Path) -> Result<PathBuf, Error> {
    let refuse = |why: &str| Error::new(400, "POST", format!("{}: {why}", path.display()));
    if !path.is_absolute() {
        return Err(refuse("name the folder by its whole path on the host of the daemon"));
    }
    let folder = path.canonicalize().map_err(|error| refuse(&error.to_string()))?;
    if folder.is_dir() { Ok(folder) } else { Err(refuse("it is no folder on the host of the daemon")) }
}

/// By way of an archive, so that a folder and its pack give the same files.
fn copy(from: &Path, target: &Path) -> Result<(), ArchiveError> {
    let bounds = Bounds::default();
    let items = Items::of_folder(from, &bounds)?;
    let above = target.parent().unwrap_or(target);
    let io = |source| ArchiveError::Io { what: "write", path: above.to_owned(), source };
    let mut file = tempfile::tempfile_in(above).map_err(io)?;
    items.write("extension", &mut file)?;
    std::io::Seek::rewind(&mut file).map_err(io)?;
    archive::unpack(file, target, &bounds).map(drop)
}

fn unpack(file: &Path, target: &Path) -> Result<(), ArchiveError> {
    let opened = File::open(file).map_err(|source| ArchiveError::Io {
        what: "read",
        path: file.to_owned(),
        source,
    })?;
    archive::unpack(opened, target, &Bounds::default()).map(drop)
}

fn refused(error: ArchiveError) -> Error {
    let code = match error {
        ArchiveError::Io { .. } | ArchiveError::There(_) => 500,
        ArchiveError::TooMuch { .. } => 413,
        _ => 400,
    };
    Error::new(code, "POST", error.to_string())
}
