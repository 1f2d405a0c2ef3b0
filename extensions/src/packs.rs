//! Packs: extensions as versioned archives, with a record of each (extensions §9).
//!
//! `distribution/packages/<module>_<version>.tar` holds the extension in a folder named as its module, for instance
//! `upcloud_prov`; `distribution/registry/<module>.json` is the [`Record`] of the pack that was made last. The same files
//! give the same pack to the byte, whoever makes it; packing again what has not changed changes nothing.

mod install;
mod list;
mod record;
mod settings;

#[cfg(test)]
mod tests;

pub use install::{Outcome, UserInstall, Verified, install_for_user, verify};
pub use list::{Listed, clean, list};
pub use record::{Record, created_now};
pub use settings::{FILE as SETTINGS_FILE, Metadata, PackSettings};

use crate::archive::{ArchiveError, Bounds, Items};
use crate::extension::Extension;
use crate::identity::{self, Identity};
use drp_schemas::{CONTRACTS, Document, Evaluator, SchemaError};
use serde_json::Value;
use std::io;
use std::path::{Path, PathBuf};
use toml_edit::DocumentMut;

/// The module and the record of the contracts that ship with drp.
const CORE: (&str, &str) = ("provisioning", "provisioning_core");

/// Why a pack was not made, read or installed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackError {
    /// A file or folder failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `read`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The extension is wrong. The fault is its author's.
    #[error("{} is not packed: {why}", root.display())]
    Extension {
        /// Its folder.
        root: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
    /// Its schemas are wrong, or cannot be evaluated.
    #[error("the schemas do not evaluate: {0}")]
    Schema(#[from] SchemaError),
    /// Something in it cannot be packed, or not be unpacked.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A record or settings file is not right.
    #[error("{} is not right: {why}", path.display())]
    Record {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// The pack is not what its record says. Nothing was installed.
    #[error("{} is refused: {why}", path.display())]
    Refused {
        /// The pack.
        path: PathBuf,
        /// What is wrong, and what to do.
        why: String,
    },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> PackError {
    move |source| PackError::Io { what, path: path.to_owned(), source }
}

/// A pack that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// Its record.
    pub record: Record,
    /// The pack.
    pub file: PathBuf,
    /// The file of its record.
    pub record_file: PathBuf,
    /// There was a pack of that version with other content.
    pub replaced: bool,
}

/// Makes packs.
pub struct Packer<'a> {
    /// Where they go, and what they say of themselves.
    pub settings: &'a PackSettings,
    /// Evaluates their schemas.
    pub evaluator: &'a Evaluator,
    /// The version to write into packed manifests instead of their own.
    pub version: Option<&'a semver::Version>,
    /// The time that records tell, as [`created_now`] writes it.
    pub created: String,
}

impl Packer<'_> {
    /// Packs an extension.
    ///
    /// # Errors
    /// [`PackError`]: the extension is wrong, its schemas do not evaluate, or a file failed. Nothing was written then.
    pub async fn extension(&self, extension: &Identity) -> Result<Made, PackError> {
        let root = extension.root.canonicalize().map_err(failed("find", &extension.root))?;
        let wrong = |why: String| PackError::Extension { root: root.clone(), why };
        let mut items = Items::of_folder(&root, &Bounds::default())?;
        let schemas = extension
            .schemas()
            .and_then(|path| path.file_name().map(|name| name.to_string_lossy().into_owned()))
            .ok_or_else(|| wrong("it has no Nickel schemas: neither schemas/ nor nickel/ is there".into()))?;
        let opened =
            Extension::open(&root, self.evaluator).await.map_err(|error| wrong(error.to_string()))?;
        opened.hosted(self.evaluator).await.map_err(|error| wrong(error.to_string()))?;
        self.evaluate(&root, &schemas, &items).await?;
        let mut version = extension.version.clone();
        if let Some(other) = self.version {
            version = other.to_string();
            with_version(&root, &mut items, &version).map_err(&wrong)?;
        }
        let (_, manifest) = identity::manifest(&root).map_err(&wrong)?;
        let dependencies = dependencies(&manifest);
        let license = match extension.license.as_str() {
            "" => self.settings.metadata.license.clone(),
            own => own.to_owned(),
        };
        let schema = Items::of_folder(&root.join(&schemas), &Bounds::default())?.digest("")?;
        let module = extension.module();
        self.write(&module, &module, &version, items, |record| {
            record.license = license;
            record.dependencies = dependencies;
            record.schema = schema;
        })
    }

    /// Packs the contracts that ship with drp, for evaluators elsewhere.
    ///
    /// # Errors
    /// As [`Self::extension`].
    pub async fn core(&self) -> Result<Made, PackError> {
        let mut items = Items::default();
        for contract in CONTRACTS {
            items.put(contract.name, contract.text.as_bytes().to_vec())?;
            let document = Document::text(
                contract.name,
                drp_schemas::Format::Nickel,
                format!("import \"{}\"", contract.name),
            );
            self.evaluator.describe(&document).await?;
        }
        let version = self.version.map_or_else(|| env!("CARGO_PKG_VERSION").to_owned(), ToString::to_string);
        let schema = items.digest("")?;
        items
            .put("manifest.toml", format!("name = \"{}\"\nversion = \"{version}\"\n", CORE.0).into_bytes())?;
        self.write(CORE.0, CORE.1, &version, items, |record| {
            record.license = env!("CARGO_PKG_LICENSE").to_owned();
            record.schema = schema;
        })
    }

    /// Every schema file, not only those that `main.ncl` imports.
    async fn evaluate(&self, root: &Path, schemas: &str, items: &Items) -> Result<(), PackError> {
        let evaluator = self.evaluator.within(vec![root.to_owned()]);
        let prefix = format!("{schemas}/");
        for (name, _) in items.files() {
            if name.starts_with(&prefix) && name.ends_with(".ncl") {
                let document = Document::file(root.join(name));
                evaluator.typecheck(&document).await?;
                evaluator.describe(&document).await?;
            }
        }
        Ok(())
    }

    fn write(
        &self,
        module: &str,
        name: &str,
        version: &str,
        items: Items,
        fill: impl FnOnce(&mut Record),
    ) -> Result<Made, PackError> {
        let PackSettings { packs, registry, metadata, .. } = self.settings;
        for folder in [packs, registry] {
            std::fs::create_dir_all(folder).map_err(failed("make folder", folder))?;
        }
        let file = packs.join(format!("{module}_{version}.tar"));
        let record_file = registry.join(format!("{name}.json"));
        // Beside and renamed: nobody ever reads half a pack.
        let mut beside = beside(packs)?;
        let written = items.write(module, &mut beside)?;
        let mut record = Record {
            name: name.to_owned(),
            version: version.to_owned(),
            package_file: record::shown(&record_file, &file),
            created: self.created.clone(),
            maintainer: metadata.maintainer.clone(),
            repository: metadata.repository.clone(),
            license: metadata.license.clone(),
            homepage: metadata.homepage.clone(),
            sha256: written.sha256,
            size: written.size,
            dependencies: Value::Object(serde_json::Map::new()),
            schema: String::new(),
            signature: None,
        };
        fill(&mut record);
        let before = record::sha256(&file).ok();
        let same = before.as_deref() == Some(record.sha256.as_str());
        if let Some(old) = Record::read(&record_file).ok().flatten().filter(|_| same) {
            // The same pack was made then, not now.
            let again =
                Record { created: old.created.clone(), signature: old.signature.clone(), ..record.clone() };
            if again == old {
                record = old;
            }
        }
        beside.as_file().sync_all().map_err(failed("write", &file))?;
        beside.persist(&file).map_err(|error| failed("write", &file)(error.error))?;
        record.write(&record_file)?;
        Ok(Made { record, file, record_file, replaced: before.is_some() && !same })
    }
}

fn beside(folder: &Path) -> Result<tempfile::NamedTempFile, PackError> {
    tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed("write in", folder))
}

/// What it requires, may use and does not get along with, each by name.
fn dependencies(manifest: &Value) -> Value {
    if let Some(table) = manifest.get("dependencies").filter(|table| table.is_object()) {
        return table.clone();
    }
    // In extension.yaml.
    match manifest.pointer("/extension/dependencies") {
        Some(requires) if requires.as_object().is_some_and(|map| !map.is_empty()) => {
            serde_json::json!({ "requires": requires })
        }
        _ => Value::Object(serde_json::Map::new()),
    }
}

/// Writes another version into the packed manifests; the files on disk stay as they are.
fn with_version(root: &Path, items: &mut Items, version: &str) -> Result<(), String> {
    let mut put = |file: &str, text: String| items.put(file, text.into_bytes()).map_err(|e| e.to_string());
    for (file, table) in [("metadata.toml", Some("extension")), ("manifest.toml", None)] {
        if !root.join(file).is_file() {
            continue;
        }
        let text = identity::read_text(&root.join(file))?;
        let mut document: DocumentMut = text.parse().map_err(|error| format!("{file}: {error}"))?;
        let place = match table {
            Some(table) => document.get_mut(table).and_then(toml_edit::Item::as_table_like_mut),
            None => Some(document.as_table_mut() as &mut dyn toml_edit::TableLike),
        };
        if let Some(place) = place.filter(|place| place.contains_key("version")) {
            place.insert("version", toml_edit::value(version));
            put(file, document.to_string())?;
        }
    }
    for file in ["extension.yaml", "extension.yml"] {
        if root.join(file).is_file() {
            let text = identity::read_text(&root.join(file))?;
            let mut value: serde_yaml_ng::Value =
                serde_yaml_ng::from_str(&text).map_err(|error| format!("{file}: {error}"))?;
            value["extension"]["version"] = version.into();
            put(file, serde_yaml_ng::to_string(&value).map_err(|error| format!("{file}: {error}"))?)?;
        }
    }
    Ok(())
}
