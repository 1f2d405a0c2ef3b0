//! `[distribution]` of `provisioning.toml`.

use super::PackError;
use drp_schemas::{Document, Evaluator};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The settings file of a workspace.
pub const FILE: &str = "provisioning.toml";

/// What packs say of themselves, `[distribution.metadata]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Metadata {
    /// Who looks after them.
    pub maintainer: String,
    /// Where their sources are.
    pub repository: String,
    /// Their licence, when they name none themselves.
    pub license: String,
    /// Where people read about them.
    pub homepage: String,
}

/// Where packs and their records are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackSettings {
    /// The folder of packs.
    pub packs: PathBuf,
    /// The folder of records.
    pub registry: PathBuf,
    /// What packs say of themselves.
    pub metadata: Metadata,
    /// More folders of extensions, `[extensions] path`.
    pub search: Vec<PathBuf>,
}

impl PackSettings {
    /// Without a settings file: `distribution/packages` and `distribution/registry` of the project.
    #[must_use]
    pub fn of_project(project: &Path) -> Self {
        Self {
            packs: project.join("distribution/packages"),
            registry: project.join("distribution/registry"),
            metadata: Metadata::default(),
            search: Vec::new(),
        }
    }

    /// All in one folder.
    #[must_use]
    pub fn in_folder(self, folder: &Path) -> Self {
        Self { packs: folder.to_owned(), registry: folder.to_owned(), ..self }
    }

    /// From a settings file; its paths are relative to its own folder.
    ///
    /// # Errors
    /// [`PackError::Schema`] when it does not fulfil the contract `Provisioning` of `drp/settings.ncl`.
    pub async fn load(file: &Path, evaluator: &Evaluator) -> Result<Self, PackError> {
        #[derive(Deserialize)]
        struct Distribution {
            pack_path: PathBuf,
            registry_path: PathBuf,
            #[serde(default)]
            metadata: Metadata,
        }
        #[derive(Default, Deserialize)]
        struct Extensions {
            #[serde(default)]
            path: Vec<PathBuf>,
        }
        let contract = "(import \"drp/settings.ncl\").Provisioning";
        let mut checked = evaluator.check(&Document::file(file), contract).await?;
        let read = serde_json::from_value::<Distribution>(checked.value["distribution"].take());
        let read =
            read.map_err(|error| PackError::Record { path: file.to_owned(), why: error.to_string() })?;
        let extensions = serde_json::from_value::<Extensions>(checked.value["extensions"].take());
        let extensions = extensions.unwrap_or_default();
        let folder = file.parent().unwrap_or(Path::new("."));
        Ok(Self {
            packs: folder.join(read.pack_path),
            registry: folder.join(read.registry_path),
            metadata: read.metadata,
            search: extensions.path.into_iter().map(|path| folder.join(path)).collect(),
        })
    }
}
