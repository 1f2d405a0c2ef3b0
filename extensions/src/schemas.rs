//! The Nickel files of an extension: which contracts and values they hold.
//!
//! Nickel does not tell contracts from values, so their names do: a contract is written in `PascalCase`, a value in
//! `snake_case`, as in the reference of the interface.

use crate::extension::Extension;
use crate::{Problem, Rule};
use drp_protocol::ExtensionType;
use drp_schemas::{Document, Evaluator, Field, Format, SchemaError};
use serde_json::Value;
use std::path::Path;

/// The contract of an extension's settings.
#[derive(Debug, Clone)]
pub struct SettingsContract {
    /// Its name in the file.
    pub name: String,
    /// The file, relative to the extension.
    pub path: String,
    /// The contract, as a Nickel expression.
    pub expression: String,
    /// Its fields, and those of the records in it.
    pub fields: Vec<Field>,
}

/// Whether a field of a schema file is a contract, by its name.
#[must_use]
pub(crate) fn is_contract(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_uppercase())
}

/// A file as Nickel imports it.
pub(crate) fn import(path: &Path) -> String {
    let text = path.to_string_lossy().replace('\\', "\\\\").replace('"', "\\\"").replace("%{", "\\%{");
    format!("(import \"{text}\")")
}

/// A field as Nickel names it.
fn quoted(field: &str) -> String {
    format!("\"{}\"", field.replace('\\', "\\\\").replace('"', "\\\"").replace("%{", "\\%{"))
}

/// An error of the evaluator, told of a file of the extension.
pub(crate) fn problems(root: &Path, path: &str, error: SchemaError) -> Result<Vec<Problem>, SchemaError> {
    match error {
        SchemaError::Wrong { .. }
        | SchemaError::Deadline { .. }
        | SchemaError::Exploded { .. }
        | SchemaError::TooLarge { .. } => Ok(Problem::of_schema_error(Rule::Schema, root, path, &error)),
        other => Err(other),
    }
}

/// What was found, or what is wrong.
pub(crate) type Outcome<T> = Result<Result<T, Vec<Problem>>, SchemaError>;

impl Extension {
    /// The folder of its Nickel files: `schemas`, or `nickel`.
    #[must_use]
    pub fn schema_folder(&self) -> Option<&'static str> {
        ["schemas", "nickel"]
            .into_iter()
            .find(|folder| self.tree.files_in(folder).any(|file| file.ends_with(".ncl")))
    }

    /// A file of that folder, when it is there.
    pub(crate) fn schema_file(&self, name: &str) -> Option<String> {
        let path = format!("{}/{name}", self.schema_folder()?);
        self.tree.has(&path).then_some(path)
    }

    /// The contracts and values of a Nickel file.
    pub(crate) async fn describe(&self, path: &str, evaluator: &Evaluator) -> Outcome<Vec<Field>> {
        match evaluator.describe(&Document::file(self.root.join(path))).await {
            Ok(fields) => Ok(Ok(fields)),
            Err(error) => Ok(Err(problems(&self.root, path, error)?)),
        }
    }

    /// A value in a Nickel file, after a contract was applied to it.
    pub(crate) async fn value(
        &self,
        path: &str,
        field: &str,
        contract: Option<&str>,
        evaluator: &Evaluator,
    ) -> Outcome<Value> {
        let text = format!("{}.{}", import(&self.root.join(path)), quoted(field));
        let document = Document::text(path, Format::Nickel, text);
        let result = match contract {
            Some(contract) => evaluator.check(&document, contract).await,
            None => evaluator.evaluate(&document).await,
        };
        match result {
            Ok(checked) => Ok(Ok(checked.value)),
            Err(error) => Ok(Err(problems(&self.root, path, error)?)),
        }
    }

    /// The contract that its settings must fulfil: in `schemas/settings.ncl` the field `Settings`, or the only one
    /// whose name ends so (`ProviderSettings`). `None`: it has no settings.
    pub(crate) async fn settings_contract(&self, evaluator: &Evaluator) -> Outcome<Option<SettingsContract>> {
        let Some(path) = self.schema_file("settings.ncl") else { return Ok(Ok(None)) };
        let fields = match self.describe(&path, evaluator).await? {
            Ok(fields) => fields,
            Err(problems) => return Ok(Err(problems)),
        };
        let wrong = |message: String| {
            let hint = "call the contract of the settings `Settings`, or let its name alone end so, as in `ProviderSettings`";
            Ok(Err(vec![Problem::new(Rule::Schema, path.clone(), message, hint).at(Some(1))]))
        };
        let own = |field: &&Field| !field.name.contains('.') && field.name.ends_with("Settings");
        let candidates: Vec<&Field> = fields.iter().filter(own).collect();
        let main = match candidates.as_slice() {
            [] => return wrong("it holds no contract of settings".into()),
            [only] => *only,
            several => match several.iter().find(|field| field.name == "Settings") {
                Some(main) => *main,
                None => {
                    let names: Vec<&str> = several.iter().map(|field| field.name.as_str()).collect();
                    return wrong(format!(
                        "which of {} is the contract of the settings, it does not say",
                        names.join(", ")
                    ));
                }
            },
        };
        if main.schema["type"] != "object" {
            return wrong(format!("{} is no record", main.name));
        }
        Ok(Ok(Some(SettingsContract {
            name: main.name.clone(),
            expression: format!("{}.{}", import(&self.root.join(&path)), quoted(&main.name)),
            fields: fields.iter().filter(|field| field.name != main.name).cloned().collect(),
            path,
        })))
    }

    /// What a cluster consists of: in `schemas/cluster.ncl` (or `main.ncl`) the value `cluster`, `<name>_cluster` or
    /// `<name>`, or the only one whose name ends in `_cluster`. It must fulfil `ClusterConfig` of `drp/cluster.ncl`.
    pub(crate) async fn cluster_definition(&self, evaluator: &Evaluator) -> Outcome<Option<Value>> {
        let name = self.manifest.extension.name.nickel_name();
        let wanted = ["cluster".to_owned(), format!("{name}_cluster"), name];
        for file in ["cluster.ncl", "main.ncl"] {
            let Some(path) = self.schema_file(file) else { continue };
            let fields = match self.describe(&path, evaluator).await? {
                Ok(fields) => fields,
                Err(problems) => return Ok(Err(problems)),
            };
            let values: Vec<&str> = fields
                .iter()
                .map(|field| field.name.as_str())
                .filter(|name| !name.contains('.') && !is_contract(name))
                .collect();
            let named = wanted.iter().find(|name| values.contains(&name.as_str())).map(String::as_str);
            let endings: Vec<&&str> = values.iter().filter(|name| name.ends_with("_cluster")).collect();
            let Some(field) = named.or(match endings.as_slice() {
                [only] => Some(**only),
                _ => None,
            }) else {
                continue;
            };
            let contract = Some(r#"(import "drp/cluster.ncl").ClusterConfig"#);
            return Ok(self.value(&path, field, contract, evaluator).await?.map(Some));
        }
        Ok(Ok(None))
    }

    /// What a task service of data only is: the value `taskserv_version` of `schemas/version.ncl`, which must fulfil
    /// `TaskservVersion` of `drp/taskserv.ncl`.
    pub(crate) async fn taskserv_version(&self, evaluator: &Evaluator) -> Outcome<Option<Value>> {
        let Some(path) = self.schema_file("version.ncl") else { return Ok(Ok(None)) };
        let fields = match self.describe(&path, evaluator).await? {
            Ok(fields) => fields,
            Err(problems) => return Ok(Err(problems)),
        };
        if !fields.iter().any(|field| field.name == "taskserv_version") {
            return Ok(Ok(None));
        }
        let contract = Some(r#"(import "drp/taskserv.ncl").TaskservVersion"#);
        Ok(self.value(&path, "taskserv_version", contract, evaluator).await?.map(Some))
    }

    /// Its definition, when it is a cluster.
    pub(crate) async fn definition(&self, evaluator: &Evaluator) -> Outcome<Option<Value>> {
        match self.manifest.extension.r#type {
            ExtensionType::Provider => Ok(Ok(None)),
            ExtensionType::Taskserv => self.taskserv_version(evaluator).await,
            ExtensionType::Cluster => self.cluster_definition(evaluator).await,
        }
    }
}
