//! One change of an infrastructure at a time, finished by whoever comes next when it was interrupted.

use super::{
    Infra, Installed, MANIFEST, Mode, ModuleError, RECORDS, VENDOR, dependencies, failed, in_the_way, read,
    record, write,
};
use crate::archive::{Bounds, Items};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long a change waits for another.
pub(super) const PATIENCE: Duration = Duration::from_secs(30);
const PENDING: &str = ".pending.json";
const STAGED: &str = ".staged";
const OLD: &str = ".old";

/// What is to be; written down before anything is done.
#[derive(Debug, Serialize, Deserialize)]
struct Wanted {
    module: String,
    /// Nothing: it is to go.
    record: Option<Installed>,
    /// The pack that was installed goes.
    drop_vendor: bool,
}

impl Wanted {
    /// It may have come with a checkout, and its names become paths that are removed.
    fn wrong(&self) -> Option<String> {
        if self.module.is_empty() || !self.module.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return Some(format!("{:?} is no module", self.module));
        }
        let record = self.record.as_ref()?;
        if record.module != self.module {
            return Some(format!("it speaks of {} and {}", self.module, record.module));
        }
        record.wrong()
    }
}

/// The right to change an infrastructure.
pub(super) struct Change<'a> {
    infra: &'a Infra,
    _lock: File,
}

/// Whether a change was interrupted.
pub(super) fn pending(infra: &Infra) -> bool {
    infra.links().join(PENDING).exists()
}

/// Removes a file that may be gone.
pub(super) fn gone(path: &Path) -> Result<(), ModuleError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn gone_folder(path: &Path) -> Result<(), ModuleError> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// A folder that is needed only while something is in it.
fn gone_when_empty(path: &Path) {
    let _ = fs::remove_dir(path);
}

/// A pack that was unpacked and then refused goes; one that was accepted is for whoever finishes the change.
impl Drop for Change<'_> {
    fn drop(&mut self) {
        let vendor = self.infra.root.join(VENDOR);
        if !pending(self.infra) {
            let _ = gone_folder(&vendor.join(STAGED));
            gone_when_empty(&vendor);
        }
    }
}

impl<'a> Change<'a> {
    /// Waits for others, and finishes what was interrupted.
    pub(super) fn begin(infra: &'a Infra) -> Result<Self, ModuleError> {
        let links = infra.links();
        if fs::symlink_metadata(&links).is_ok_and(|meta| !meta.is_dir()) {
            return Err(in_the_way(&links, "is no folder: remove it"));
        }
        let vendor = infra.root.join(VENDOR);
        if fs::symlink_metadata(&vendor).is_ok_and(|meta| !meta.is_dir()) {
            return Err(in_the_way(&vendor, "is no folder: move it away"));
        }
        fs::create_dir_all(&links).map_err(failed("make folder", &links))?;
        let path = links.join(".lock");
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(failed("open", &path))?;
        let end = Instant::now() + PATIENCE;
        loop {
            match lock.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if Instant::now() < end => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(TryLockError::WouldBlock) => return Err(ModuleError::Busy(infra.root.clone())),
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path)(error)),
            }
        }
        let change = Self { infra, _lock: lock };
        change.recover()?;
        Ok(change)
    }

    fn recover(&self) -> Result<(), ModuleError> {
        let path = self.infra.links().join(PENDING);
        if let Some(text) = read(&path)? {
            let wanted: Wanted = serde_json::from_str(&text)
                .map_err(|error| in_the_way(&path, format!("is not right: {error}; remove it")))?;
            if let Some(why) = wanted.wrong() {
                return Err(in_the_way(&path, format!("is not right: {why}; remove it")));
            }
            self.finish(&wanted)?;
        }
        // A pack that was unpacked and then not wanted any more.
        let vendor = self.infra.root.join(VENDOR);
        for entry in fs::read_dir(&vendor).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if [STAGED, OLD, ".unpack-"].iter().any(|prefix| name.starts_with(prefix)) {
                gone_folder(&entry.path())?;
            }
        }
        gone_when_empty(&vendor);
        Ok(())
    }

    /// Where a pack is unpacked; the folder above is there, it is not.
    pub(super) fn staged(&self) -> Result<PathBuf, ModuleError> {
        let vendor = self.infra.root.join(VENDOR);
        fs::create_dir_all(&vendor).map_err(failed("make folder", &vendor))?;
        Ok(vendor.join(STAGED))
    }

    /// Makes it so. Whatever keeps it from that is found before anything is done.
    pub(super) fn apply(
        &self,
        module: &str,
        record: Option<Installed>,
        force: bool,
        staged: bool,
    ) -> Result<(), ModuleError> {
        let link = self.infra.links().join(module);
        if fs::symlink_metadata(&link).is_ok_and(|meta| !meta.is_symlink()) {
            return Err(in_the_way(&link, "is no link of ours: move it away"));
        }
        let manifest = self.infra.root.join(MANIFEST);
        dependencies::list(&read(&manifest)?.unwrap_or_default())
            .map_err(|why| in_the_way(&manifest, format!("is not right: {why}")))?;
        let before = self.infra.installed()?.into_iter().find(|one| one.module == module);
        let vendor = self.infra.root.join(VENDOR).join(module);
        let was_packed = before.as_ref().is_some_and(|one| one.mode == Mode::Packed);
        let there = fs::symlink_metadata(&vendor).is_ok();
        if there && !was_packed && staged {
            return Err(in_the_way(&vendor, "was not installed by drp: move it away"));
        }
        if there && was_packed && !force {
            let recorded = before.and_then(|one| one.digest);
            let now = Items::of_folder(&vendor, &Bounds::default()).and_then(|items| items.digest(module));
            if now.ok() != recorded {
                let why = "was edited since it was installed: keep a copy of what you need, and say --force";
                return Err(in_the_way(&vendor, why));
            }
        }
        let drop_vendor = was_packed && !staged;
        let wanted = Wanted { module: module.to_owned(), record, drop_vendor };
        let text = serde_json::to_string(&wanted)
            .map_err(|error| in_the_way(&manifest, format!("cannot be planned: {error}")))?;
        write(&self.infra.links().join(PENDING), &text)?;
        self.finish(&wanted)
    }

    /// Every step can be done again.
    fn finish(&self, wanted: &Wanted) -> Result<(), ModuleError> {
        let Wanted { module, record, drop_vendor } = wanted;
        let vendor = self.infra.root.join(VENDOR);
        let packed = record.as_ref().is_some_and(|one| one.mode == Mode::Packed);
        if packed && vendor.join(STAGED).is_dir() {
            let old = vendor.join(OLD);
            gone_folder(&old)?;
            let own = vendor.join(module);
            match fs::rename(&own, &old) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(failed("move away", &own)(error));
                }
                _ => fs::rename(vendor.join(STAGED), &own).map_err(failed("rename to", &own))?,
            }
            gone_folder(&old)?;
        }
        self.link(module, record.as_ref())?;
        self.dependency(module, record.as_ref())?;
        record::put(&self.infra.root.join(RECORDS), module, record.as_ref())?;
        if *drop_vendor {
            gone_folder(&vendor.join(module))?;
            gone_when_empty(&vendor);
        }
        gone(&self.infra.links().join(PENDING))
    }

    fn link(&self, module: &str, record: Option<&Installed>) -> Result<(), ModuleError> {
        let links = self.infra.links();
        let link = links.join(module);
        let Some(record) = record else { return gone(&link) };
        let target = self.infra.target(record);
        if fs::read_link(&link).is_ok_and(|there| there == target) {
            return Ok(());
        }
        // Beside and renamed: whoever evaluates meanwhile finds the one or the other.
        let fresh = links.join(".link");
        gone(&fresh)?;
        symlink(&target, &fresh).map_err(failed("make link", &fresh))?;
        fs::rename(&fresh, &link).map_err(failed("make link", &link))
    }

    /// Makes link, dependency and record of a pack that is there what they should be.
    pub(super) fn again(&self, record: &Installed) -> Result<(), ModuleError> {
        self.apply(&record.module, Some(record.clone()), true, true)
    }

    pub(super) fn unlink(&self, name: &str) -> Result<(), ModuleError> {
        gone(&self.infra.links().join(name))
    }

    pub(super) fn dependency(&self, module: &str, record: Option<&Installed>) -> Result<(), ModuleError> {
        let path = self.infra.root.join(MANIFEST);
        let text = read(&path)?.unwrap_or_default();
        let changed = match record {
            Some(one) => {
                let version = (one.mode == Mode::Packed).then_some(one.version.as_str());
                dependencies::with(&text, module, &one.dependency(), version)
            }
            None => dependencies::without(&text, module),
        };
        let changed = changed.map_err(|why| in_the_way(&path, format!("is not right: {why}")))?;
        if changed == text {
            return Ok(());
        }
        if changed.trim().is_empty() { gone(&path) } else { write(&path, &changed) }
    }
}
