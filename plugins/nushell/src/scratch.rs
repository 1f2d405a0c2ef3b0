//! The private folder of one run of Nushell: our own scripts, the two named pipes it answers on, its home and its
//! temporary files. No secret is written into it: named pipes keep nothing on disk.

use crate::error::NushellError;
use std::path::{Path, PathBuf};

/// The module `drp` of extension authors.
const DRP: &str = include_str!("nu/drp/mod.nu");
/// What our own scripts share.
const HOST: &str = include_str!("nu/drp-host.nu");

/// The folder. It is removed when this is dropped; the supervisor of the run removes it too, since it outlives a
/// plugin that was killed.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes one, mode 0700.
    pub(crate) fn new() -> Result<Self, NushellError> {
        let folder = tempfile::Builder::new()
            .prefix("drp-nu-")
            .tempdir()
            .map_err(NushellError::system("make a private folder for Nushell"))?;
        let scratch = Self { folder };
        let failed = || NushellError::system("fill the private folder of Nushell");
        for name in ["home", "tmp", "lib/drp"] {
            std::fs::create_dir_all(scratch.path().join(name)).map_err(failed())?;
        }
        scratch.write("lib/drp/mod.nu", DRP)?;
        scratch.write("lib/drp-host.nu", HOST)?;
        for pipe in [scratch.control(), scratch.result()] {
            nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::from_bits_truncate(0o600))
                .map_err(|error| failed()(error.into()))?;
        }
        Ok(scratch)
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a file.
    pub(crate) fn write(&self, name: &str, text: &str) -> Result<PathBuf, NushellError> {
        let path = self.path().join(name);
        std::fs::write(&path, text).map_err(NushellError::system(format!("write {}", path.display())))?;
        Ok(path)
    }

    /// Where Nushell looks for modules that a script names without a path.
    pub(crate) fn library(&self) -> PathBuf {
        self.path().join("lib")
    }

    /// The pipe of progress and log lines, one JSON document a line.
    pub(crate) fn control(&self) -> PathBuf {
        self.path().join(CONTROL)
    }

    /// The pipe of the result, one JSON document.
    pub(crate) fn result(&self) -> PathBuf {
        self.path().join("result")
    }
}

/// Name of [`Scratch::control`]; the supervisor writes how Nushell ended to it.
pub(crate) const CONTROL: &str = "control";
