//! The private folder of one run of Nushell: our own scripts, the two named pipes it answers on, its home and its
//! temporary files. No secret is written into it: named pipes keep nothing on disk.

use crate::error::NushellError;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The module `drp` of extension authors.
const DRP: &str = include_str!("nu/drp/mod.nu");
/// What our own scripts share.
const HOST: &str = include_str!("nu/drp-host.nu");

/// How the names of all such folders begin; the id of the process that made it follows.
const PREFIX: &str = "drp-nu-";
/// Younger folders are left alone: a supervisor may be about to remove them.
const YOUNG: Duration = Duration::from_secs(60);

/// Removes folders of processes that are gone. Supervisors do that, but a daemon that stops while a plugin starts may
/// end one of them half-way.
pub(crate) fn sweep() {
    sweep_in(&std::env::temp_dir());
}

fn sweep_in(folder: &Path) {
    use std::os::unix::fs::MetadataExt;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let maker =
            name.to_str().and_then(|name| name.strip_prefix(PREFIX)).and_then(|rest| rest.split('-').next());
        let Some(maker) = maker.and_then(|pid| pid.parse::<u32>().ok()) else { continue };
        let old = |file: &std::fs::Metadata| {
            file.modified().ok().and_then(|time| time.elapsed().ok()).is_some_and(|age| age > YOUNG)
        };
        // Not through a link: what is removed is a folder of this user.
        let ours = std::fs::symlink_metadata(entry.path())
            .is_ok_and(|file| file.is_dir() && file.uid() == nix::unistd::geteuid().as_raw() && old(&file));
        if ours && !Path::new("/proc").join(maker.to_string()).exists() {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// The folder. It is removed when this is dropped; the supervisor of the run removes it too, since it outlives a
/// plugin that was killed.
pub(crate) struct Scratch {
    folder: tempfile::TempDir,
}

impl Scratch {
    /// Makes one, mode 0700.
    pub(crate) fn new() -> Result<Self, NushellError> {
        let folder = tempfile::Builder::new()
            .prefix(&format!("{PREFIX}{}-", std::process::id()))
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

#[cfg(test)]
mod tests {
    use super::{YOUNG, sweep_in};
    use std::time::SystemTime;

    #[test]
    fn only_old_folders_of_processes_that_are_gone_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name: &str, old: bool| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.join("lib")).unwrap();
            if old {
                let file = std::fs::File::open(&path).unwrap();
                file.set_modified(SystemTime::now() - 2 * YOUNG).unwrap();
            }
            path
        };
        let gone = u32::MAX;
        let removed = make(&format!("drp-nu-{gone}-a"), true);
        let kept = [
            make(&format!("drp-nu-{gone}-b"), false),
            make(&format!("drp-nu-{}-c", std::process::id()), true),
            make("drp-nu-other", true),
            make("drp-else", true),
        ];
        let link = folder.path().join(format!("drp-nu-{gone}-d"));
        std::os::unix::fs::symlink(&kept[3], &link).unwrap();
        sweep_in(folder.path());
        assert!(!removed.exists());
        assert!(kept.iter().all(|path| path.join("lib").exists()) && link.exists());
    }
}
