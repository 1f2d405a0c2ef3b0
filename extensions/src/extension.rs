//! An extension in a folder.

use crate::archive::{Bounds, Items};
use crate::launcher::{HostedBy, hosted_by};
use crate::manifest::{EXTENSION_YAML, METADATA_TOML};
use crate::tree::Tree;
use crate::{ExtensionError, Manifest, Module, Problem, Rule, manifest};
use drp_protocol::{ExtensionSetting, ExtensionType, HostedExtension, JsonMap, extension_plugin};
use drp_schemas::{Document, Evaluator, Format};
use serde_json::Value;
use std::path::{Path, PathBuf};

/// An extension whose manifest is right. Whether it runs, validation tells.
#[derive(Debug, Clone)]
pub struct Extension {
    /// Its folder, without links in the path.
    pub root: PathBuf,
    /// What it says about itself.
    pub manifest: Manifest,
    /// The manifest of its Nickel module, when it has one.
    pub module: Option<Module>,
    /// Its files.
    pub tree: Tree,
}

/// What can be told of a folder, be it right or wrong.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) extension: Option<Extension>,
    pub(crate) problems: Vec<Problem>,
    /// Text of the manifest, and the name of its file.
    pub(crate) source: (String, &'static str),
}

/// Names of settings that hold something secret, whatever their contract says.
const SECRET_NAMES: &[&str] = &["auth", "authentication", "credentials"];
const SECRET_ENDINGS: &[&str] = &["password", "secret", "token", "api_key", "private_key", "passphrase"];

impl Extension {
    /// Reads the extension in a folder.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with everything that is wrong with its files and manifest, or what failed.
    pub async fn open(folder: &Path, evaluator: &Evaluator) -> Result<Self, ExtensionError> {
        let look = Self::look(folder, evaluator).await?;
        match look.extension {
            Some(extension) if look.problems.is_empty() => Ok(extension),
            _ => Err(ExtensionError::invalid(folder, look.problems)),
        }
    }

    pub(crate) async fn look(folder: &Path, evaluator: &Evaluator) -> Result<Look, ExtensionError> {
        let root = folder.canonicalize().map_err(|error| ExtensionError::io("open", folder, error))?;
        if !root.is_dir() {
            let problem =
                Problem::new(Rule::Structure, ".", "it is no folder", "name the folder of the extension");
            return Ok(Look {
                extension: None,
                problems: vec![problem],
                source: (String::new(), METADATA_TOML),
            });
        }
        // A folder may be large and its disk slow.
        let listed = root.clone();
        let tree = tokio::task::spawn_blocking(move || Tree::read(&listed)).await.unwrap_or_default();
        let found = manifest::find(&root, &tree, evaluator).await?;
        let mut problems = tree.problems().to_vec();
        problems.extend(found.problems);
        let extension = found.manifest.map(|manifest| Self { root, manifest, module: found.module, tree });
        Ok(Look { extension, problems, source: found.source })
    }

    /// The same evaluator, for this extension: its documents may import its own files and the contracts of drp.
    #[must_use]
    pub fn evaluator(&self, evaluator: &Evaluator) -> Evaluator {
        evaluator.within(vec![self.root.clone()])
    }

    /// What it is.
    #[must_use]
    pub fn r#type(&self) -> ExtensionType {
        self.manifest.extension.r#type
    }

    /// The name of the plugin provider that it becomes.
    #[must_use]
    pub fn plugin(&self) -> String {
        extension_plugin(self.r#type(), self.manifest.extension.name.as_str())
    }

    /// Who runs it; `None`: nothing can.
    #[must_use]
    pub fn hosted_by(&self) -> Option<HostedBy> {
        hosted_by(self.r#type(), &self.root)
    }

    /// The folder that holds its files in its pack: `<name>_prov`, `<name>_taskserv`, `<name>_cluster`
    /// (extensions §5, §9).
    #[must_use]
    pub fn pack_folder(&self) -> String {
        let kind = match self.r#type() {
            ExtensionType::Provider => "prov",
            ExtensionType::Taskserv => "taskserv",
            ExtensionType::Cluster => "cluster",
        };
        format!("{}_{kind}", self.manifest.extension.name.nickel_name())
    }

    /// SHA-256 of its files, in lower-case hex: that of its pack before it is compressed. It reads all of them.
    ///
    /// # Errors
    /// A file that cannot be packed.
    pub fn digest(&self) -> Result<String, ExtensionError> {
        let items = Items::of_folder(&self.root, &Bounds::default());
        Ok(items.and_then(|items| items.digest(&self.pack_folder()))?)
    }

    /// The record of it, for its host: settings, definition, digest.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with what is wrong with its schemas, or what failed.
    pub async fn hosted(&self, evaluator: &Evaluator) -> Result<HostedExtension, ExtensionError> {
        let evaluator = &self.evaluator(evaluator);
        let mut problems = Vec::new();
        let settings = self.settings_contract(evaluator).await?.unwrap_or_else(|mut found| {
            problems.append(&mut found);
            None
        });
        let definition = self.definition(evaluator).await?.unwrap_or_else(|mut found| {
            problems.append(&mut found);
            None
        });
        let this = self.clone();
        let digest = tokio::task::spawn_blocking(move || this.digest()).await;
        let digest =
            digest.unwrap_or_else(|error| Err(ExtensionError::io("read", &self.root, error.into())))?;
        if !problems.is_empty() {
            return Err(ExtensionError::invalid(&self.root, problems));
        }
        let manifest = &self.manifest;
        let range = &manifest.compatibility.nushell_version;
        let requires = manifest.dependencies.requires.iter();
        let (cluster, taskserv) = match self.r#type() {
            ExtensionType::Cluster => (definition, None),
            _ => (None, definition),
        };
        Ok(HostedExtension {
            r#type: self.r#type(),
            name: manifest.extension.name.to_string(),
            version: manifest.extension.version.to_string(),
            description: manifest.extension.description.clone(),
            digest,
            root: self.root.clone(),
            settings: settings.map(|contract| self.settings(&contract)).unwrap_or_default(),
            requires: requires.map(|(name, range)| (name.to_string(), range.to_string())).collect(),
            cluster,
            taskserv,
            nushell: (!range.is_any()).then(|| range.to_string()),
            nu: None,
            nickel: None,
        })
    }

    fn settings(&self, contract: &crate::SettingsContract) -> Vec<ExtensionSetting> {
        contract
            .fields
            .iter()
            .filter_map(|field| {
                let name = field.name.strip_prefix(&contract.name)?.strip_prefix('.')?;
                (!name.contains('.')).then(|| {
                    let default = field.default.as_deref().and_then(|text| serde_json::from_str(text).ok());
                    ExtensionSetting {
                        name: name.to_owned(),
                        doc: field.doc.clone().unwrap_or_default(),
                        required: !field.optional && default.is_none(),
                        secure: secret_name(name) || holds_secret(&field.schema),
                        default,
                        schema: field.schema.clone(),
                    }
                })
            })
            .collect()
    }

    /// Checks settings (by their own names) against the extension's contract, and fills in its defaults.
    ///
    /// # Errors
    /// [`ExtensionError::Invalid`] with what is wrong, whose paths are `settings` for the settings themselves, or what
    /// failed. Values of settings are in no error.
    pub async fn check_settings(
        &self,
        settings: &JsonMap,
        evaluator: &Evaluator,
    ) -> Result<JsonMap, ExtensionError> {
        let evaluator = &self.evaluator(evaluator);
        let contract = match self.settings_contract(evaluator).await? {
            Ok(Some(contract)) => contract,
            Ok(None) => return Ok(settings.clone()),
            Err(problems) => return Err(ExtensionError::invalid(&self.root, problems)),
        };
        let text = serde_json::to_string_pretty(settings).unwrap_or_default();
        let document = Document::text("settings", Format::Json, text);
        match evaluator.check(&document, &contract.expression).await {
            Ok(checked) => match checked.value {
                Value::Object(settings) => Ok(settings),
                _ => Ok(settings.clone()),
            },
            Err(error @ drp_schemas::SchemaError::Wrong { .. }) => {
                let problems = Problem::of_schema_error(Rule::Schema, &self.root, "settings", &error);
                Err(ExtensionError::invalid(&self.root, problems))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The file that its manifest is in.
    #[must_use]
    pub fn manifest_file(&self) -> &'static str {
        if self.tree.has(METADATA_TOML) { METADATA_TOML } else { EXTENSION_YAML }
    }
}

fn secret_name(name: &str) -> bool {
    SECRET_NAMES.contains(&name) || SECRET_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

/// Whether a schema has a secret anywhere.
fn holds_secret(schema: &Value) -> bool {
    match schema {
        Value::Object(map) => {
            map.get("writeOnly") == Some(&Value::Bool(true))
                || map
                    .get("properties")
                    .and_then(Value::as_object)
                    .is_some_and(|all| all.keys().any(|n| secret_name(n)))
                || map.values().any(holds_secret)
        }
        Value::Array(list) => list.iter().any(holds_secret),
        _ => false,
    }
}
