//! The record of a pack, `distribution/registry/<module>.json`.

use super::{PackError, beside, failed};
use crate::identity::read_text;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Component, Path, PathBuf};
use time::OffsetDateTime;
use time::macros::format_description;

/// What is known of a pack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// The module: `upcloud_prov`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The pack, relative to the folder of the record; an absolute path is read too.
    pub package_file: String,
    /// When it was made first, in UTC: `2025-09-29 20:47:21`.
    #[serde(default)]
    pub created: String,
    /// Who looks after it.
    #[serde(default)]
    pub maintainer: String,
    /// Where its sources are.
    #[serde(default)]
    pub repository: String,
    /// Its licence, as SPDX writes it.
    #[serde(default)]
    pub license: String,
    /// Where people read about it.
    #[serde(default)]
    pub homepage: String,
    /// SHA-256 of the pack, in lower-case hex.
    #[serde(default)]
    pub sha256: String,
    /// Size of the pack in bytes.
    #[serde(default)]
    pub size: u64,
    /// `requires`, `optional` and `conflicts`, each a version range by name.
    #[serde(default)]
    pub dependencies: Value,
    /// SHA-256 of the schemas alone: equal when only other files changed.
    #[serde(default)]
    pub schema: String,
    /// Its signature; packs are not signed yet.
    #[serde(default)]
    pub signature: Option<String>,
}

impl Record {
    /// Reads a record; nothing when the file is not there.
    ///
    /// # Errors
    /// [`PackError::Record`].
    pub fn read(path: &Path) -> Result<Option<Self>, PackError> {
        if !path.exists() {
            return Ok(None);
        }
        let wrong = |why: String| PackError::Record { path: path.to_owned(), why };
        let text = read_text(path).map_err(wrong)?;
        serde_json::from_str(&text).map(Some).map_err(|error| wrong(error.to_string()))
    }

    /// The pack that it speaks of. `at` is the file of the record.
    #[must_use]
    pub fn file(&self, at: &Path) -> PathBuf {
        at.parent().unwrap_or(Path::new(".")).join(&self.package_file)
    }

    pub(super) fn write(&self, path: &Path) -> Result<(), PackError> {
        let text = serde_json::to_string_pretty(self)
            .map_err(|error| PackError::Record { path: path.to_owned(), why: error.to_string() })?;
        let mut file = beside(path.parent().unwrap_or(Path::new(".")))?;
        writeln!(file, "{text}").map_err(failed("write", path))?;
        file.persist(path).map_err(|error| failed("write", path)(error.error))?;
        Ok(())
    }
}

/// A pack as its record names it: relative where both are in one tree, so that the tree can be moved.
pub(super) fn shown(record: &Path, pack: &Path) -> String {
    let folder = record.parent().unwrap_or(Path::new("."));
    let absolute = |path: &Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let (folder, pack) = (absolute(folder), absolute(pack));
    let common = folder.components().zip(pack.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| Component::ParentDir);
    let relative: PathBuf = up.chain(pack.components().skip(common)).collect();
    relative.to_string_lossy().into_owned()
}

/// SHA-256 of a file, in lower-case hex.
pub(super) fn sha256(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(hex(&hasher.finalize())),
            Ok(read) => hasher.update(&buffer[..read]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The time of records: that of `SOURCE_DATE_EPOCH` (seconds since 1970, reproducible-builds.org) when it is set, else
/// now; in UTC.
///
/// # Errors
/// `SOURCE_DATE_EPOCH` is no such number.
pub fn created_now(env: impl Fn(&str) -> Option<OsString>) -> Result<String, String> {
    let moment = match env("SOURCE_DATE_EPOCH").filter(|text| !text.is_empty()) {
        None => OffsetDateTime::now_utc(),
        Some(text) => {
            let seconds = text.to_str().and_then(|text| text.parse().ok());
            seconds
                .and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok())
                .filter(|moment| (1970..=9999).contains(&moment.year()))
                .ok_or_else(|| {
                    format!("SOURCE_DATE_EPOCH is {text:?}; it is a number of seconds since 1970")
                })?
        }
    };
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second]");
    moment.format(format).map_err(|error| error.to_string())
}
