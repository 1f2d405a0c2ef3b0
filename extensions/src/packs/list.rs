//! Packs that are there, and those that are not needed any more.

use super::record::{Record, sha256};
use super::{CORE, PackError, PackSettings, failed};
use semver::Version;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A pack in the folder of packs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Listed {
    /// The module.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `provider`, `taskserv`, `cluster` or `core`.
    pub r#type: &'static str,
    /// The pack.
    pub file: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// SHA-256 of it, in lower-case hex.
    pub sha256: String,
    /// When it was made; empty when its record speaks of another version.
    pub created: String,
    /// `registered`, `unregistered` (its record is gone, or speaks of another version) or `changed` (it is not what was
    /// registered).
    pub state: &'static str,
}

/// The name of a pack's file in its parts: module, version, type.
pub(super) fn parts(file: &Path) -> Option<(String, Version, &'static str)> {
    let stem = file.file_name()?.to_str()?.strip_suffix(".tar")?;
    let (module, version) = stem.rsplit_once('_')?;
    let kind = match module.rsplit_once('_') {
        _ if module == CORE.0 => "core",
        Some((_, "prov")) => "provider",
        Some((_, "taskserv")) => "taskserv",
        Some((_, "cluster")) => "cluster",
        _ => return None,
    };
    Some((module.to_owned(), Version::parse(version).ok()?, kind))
}

/// The name of a pack's record.
pub(super) fn record_name(module: &str) -> &str {
    if module == CORE.0 { CORE.1 } else { module }
}

/// All packs, by module, the newest first.
///
/// # Errors
/// The folder or a pack in it cannot be read, or a record is not right.
pub fn list(settings: &PackSettings) -> Result<Vec<Listed>, PackError> {
    let mut all: Vec<(Version, Listed)> = Vec::new();
    let entries = match fs::read_dir(&settings.packs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(failed("list", &settings.packs)(error)),
    };
    for entry in entries {
        let entry = entry.map_err(failed("list", &settings.packs))?;
        let file = entry.path();
        let Some((module, version, r#type)) = parts(&file) else { continue };
        let meta = entry.metadata().map_err(failed("look at", &file))?;
        if !meta.is_file() {
            continue;
        }
        let record_file = settings.registry.join(format!("{}.json", record_name(&module)));
        let sha256 = sha256(&file).map_err(failed("read", &file))?;
        let record = Record::read(&record_file)?.filter(|record| record.version == version.to_string());
        let (created, state) = match record {
            None => (String::new(), "unregistered"),
            Some(record) if record.sha256 != sha256 => (record.created, "changed"),
            Some(record) => (record.created, "registered"),
        };
        all.push((
            version.clone(),
            Listed {
                name: record_name(&module).to_owned(),
                version: version.to_string(),
                r#type,
                file,
                size: meta.len(),
                sha256,
                created,
                state,
            },
        ));
    }
    all.sort_by(|(va, a), (vb, b)| a.name.cmp(&b.name).then_with(|| vb.cmp(va)));
    Ok(all.into_iter().map(|(_, listed)| listed).collect())
}

/// Removes all packs but the newest `keep` of each module, and records of packs that are gone. Answers what goes; with
/// `dry_run` nothing does.
///
/// # Errors
/// As [`list`], or a pack cannot be removed.
pub fn clean(settings: &PackSettings, keep: usize, dry_run: bool) -> Result<Vec<Listed>, PackError> {
    let mut kept: BTreeMap<String, usize> = BTreeMap::new();
    let mut gone = Vec::new();
    for listed in list(settings)? {
        let count = kept.entry(listed.name.clone()).or_default();
        *count += 1;
        if *count > keep {
            gone.push(listed);
        }
    }
    if !dry_run {
        for listed in &gone {
            fs::remove_file(&listed.file).map_err(failed("remove", &listed.file))?;
            if listed.state != "unregistered" {
                let record = settings.registry.join(format!("{}.json", listed.name));
                fs::remove_file(&record).map_err(failed("remove", &record))?;
            }
        }
    }
    Ok(gone)
}
