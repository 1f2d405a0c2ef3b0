//! From a pack to an installed extension.

use super::list::parts;
use super::record::{Record, hex};
use super::{PackError, failed};
use crate::archive::{self, Bounds};
use crate::identity::Identity;
use serde::Serialize;
use sha2::{Digest, Sha256};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Largest pack that is read, in bytes.
const PACK: u64 = 600 << 20;

/// What is known of a pack's origin (extensions §7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Outcome {
    /// It is what its record, or whoever installs it, says; who made it nobody knows.
    #[serde(rename = "checksum only")]
    ChecksumOnly,
    /// Nothing speaks of it.
    #[serde(rename = "unverified")]
    Unverified,
}

impl Outcome {
    /// In words.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::ChecksumOnly => "checksum only",
            Self::Unverified => "unverified",
        }
    }
}

/// A pack that was read, once, so that what was verified is what is installed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    /// The file.
    pub file: PathBuf,
    /// What is in it.
    pub bytes: Vec<u8>,
    /// SHA-256 of it, in lower-case hex.
    pub sha256: String,
    /// Its record, when one speaks of it.
    pub record: Option<Record>,
    /// How far it is known.
    pub outcome: Outcome,
}

/// Reads a pack and compares it with its record: beside it, in `../registry`, or in the folder of records. `sha256` is
/// what whoever installs it knows.
///
/// # Errors
/// [`PackError::Refused`] when it is not what it should be.
pub fn verify(file: &Path, registry: &Path, sha256: Option<&str>) -> Result<Verified, PackError> {
    let refused = |why: String| PackError::Refused { path: file.to_owned(), why };
    let mut bytes = Vec::new();
    let opened = File::open(file).map_err(failed("read", file))?;
    opened.take(PACK + 1).read_to_end(&mut bytes).map_err(failed("read", file))?;
    if bytes.len() as u64 > PACK {
        return Err(refused(format!("it is larger than {PACK} bytes")));
    }
    let digest = hex(&Sha256::digest(&bytes));
    let mut outcome = Outcome::Unverified;
    if let Some(wanted) = sha256 {
        if !wanted.eq_ignore_ascii_case(&digest) {
            return Err(refused(format!("its SHA-256 is {digest}, and {wanted} is wanted")));
        }
        outcome = Outcome::ChecksumOnly;
    }
    let record = record_of(file, registry)?;
    if let Some((at, record)) = &record {
        if record.sha256 != digest {
            let at = at.display();
            return Err(refused(format!(
                "its SHA-256 is {digest}, and its record {at} says {}: it was changed or damaged, so fetch it again",
                record.sha256
            )));
        }
        outcome = Outcome::ChecksumOnly;
    }
    let record = record.map(|(_, record)| record);
    Ok(Verified { file: file.to_owned(), bytes, sha256: digest, record, outcome })
}

/// The record that speaks of this file.
fn record_of(file: &Path, registry: &Path) -> Result<Option<(PathBuf, Record)>, PackError> {
    let Some((module, version, _)) = parts(file) else { return Ok(None) };
    let folder = file.parent().unwrap_or(Path::new("."));
    for place in [folder.to_owned(), folder.join("../registry"), registry.to_owned()] {
        let at = place.join(format!("{module}.json"));
        if let Some(record) = Record::read(&at)?.filter(|record| {
            record.version == version.to_string()
                && Path::new(&record.package_file).file_name() == file.file_name()
        }) {
            return Ok(Some((at, record)));
        }
    }
    Ok(None)
}

impl Verified {
    /// Whether the extension in it is the one that its record, or its file's name, says.
    ///
    /// # Errors
    /// [`PackError::Refused`].
    pub fn holds(&self, identity: &Identity) -> Result<(), PackError> {
        let named = self.record.as_ref().map(|record| (record.name.clone(), record.version.clone()));
        let named =
            named.or_else(|| parts(&self.file).map(|(module, version, _)| (module, version.to_string())));
        match named {
            Some((module, version)) if module != identity.module() || version != identity.version => {
                Err(PackError::Refused {
                    path: self.file.clone(),
                    why: format!(
                        "it is called {module} {version}, and holds {} {}",
                        identity.module(),
                        identity.version
                    ),
                })
            }
            _ => Ok(()),
        }
    }
}

/// A pack that was installed for the user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct UserInstall {
    /// Who it is, and where.
    pub identity: Identity,
    /// The version that was there before.
    pub replaced: Option<String>,
}

/// Installs a pack among the user's own extensions, `<data>/extensions/<type>s/<name>`, where discovery finds it. What
/// is there goes only by `force`.
///
/// # Errors
/// [`PackError`]; nothing was changed then.
pub fn install_for_user(pack: &Verified, data: &Path, force: bool) -> Result<UserInstall, PackError> {
    let extensions = data.join("extensions");
    fs::create_dir_all(&extensions).map_err(failed("make folder", &extensions))?;
    let beside = tempfile::Builder::new()
        .prefix(".install-")
        .tempdir_in(&extensions)
        .map_err(failed("make a folder in", &extensions))?;
    let tree = archive::unpack(&pack.bytes[..], &beside.path().join("new"), &Bounds::default())?;
    let refused = |why: String| PackError::Refused { path: pack.file.clone(), why };
    let mut identity = Identity::read(&tree).map_err(refused)?;
    pack.holds(&identity)?;
    let folder = extensions.join(identity.r#type.folder());
    fs::create_dir_all(&folder).map_err(failed("make folder", &folder))?;
    let target = folder.join(identity.name.replace('_', "-"));
    let there = fs::symlink_metadata(&target).is_ok();
    let replaced = there.then(|| {
        Identity::read(&target).map_or_else(|_| "of no known version".into(), |identity| identity.version)
    });
    if let Some(version) = replaced.as_ref().filter(|_| !force) {
        return Err(refused(format!(
            "{} {version} is installed already; --force replaces it",
            identity.name
        )));
    }
    let old = beside.path().join("old");
    if there {
        fs::rename(&target, &old).map_err(failed("move away", &target))?;
    }
    if let Err(error) = fs::rename(&tree, &target) {
        if there {
            fs::rename(&old, &target).map_err(failed("put back", &target))?;
        }
        return Err(failed("rename to", &target)(error));
    }
    identity.root = target;
    Ok(UserInstall { identity, replaced })
}
