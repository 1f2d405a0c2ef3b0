//! Rule 2: schemas evaluate, and the shipped examples pass them.

use super::Report;
use super::examples::{self, Examples};
use crate::extension::Extension;
use crate::schemas::is_contract;
use crate::{Problem, Rule};
use drp_protocol::ExtensionType;
use drp_schemas::{Document, Evaluator, SchemaError};
use std::collections::BTreeMap;

/// What later rules want to know.
pub(super) struct Found {
    pub(super) examples: Examples,
    /// The definition of a cluster.
    pub(super) cluster: Option<serde_json::Value>,
    /// Schemas are wrong, so that there can be no record of the extension.
    pub(super) broken: bool,
}

pub(super) async fn apply(report: &mut Report<'_>, evaluator: &Evaluator) -> Result<Found, SchemaError> {
    let extension = report.extension;
    let before = report.errors.len();
    let mut contracts = BTreeMap::new();
    if let Some(folder) = extension.schema_folder() {
        let files: Vec<String> = extension
            .tree
            .files_in(folder)
            .filter(|file| file.ends_with(".ncl"))
            .map(str::to_owned)
            .collect();
        for path in files {
            file(report, &path, &mut contracts, evaluator).await?;
        }
    }
    let settings = extension.settings_contract(evaluator).await?.unwrap_or_else(|problems| {
        report.errors.extend(problems);
        None
    });
    let definition = extension.definition(evaluator).await?;
    let lacks = matches!(definition, Ok(None)) && extension.schema_folder().is_some();
    let definition = definition.unwrap_or_else(|problems| {
        report.errors.extend(problems);
        None
    });
    if lacks && extension.r#type() == ExtensionType::Cluster {
        let name = extension.manifest.extension.name.nickel_name();
        report.errors.push(Problem::new(
            Rule::Schema,
            format!("{}/cluster.ncl", extension.schema_folder().unwrap_or("schemas")),
            "there is no definition of the cluster",
            format!("define `{name}_cluster` there, with the contract ClusterConfig of drp/cluster.ncl"),
        ));
    }
    if lacks && extension.hosted_by() == Some(crate::launcher::HostedBy::TaskservHost) {
        report.errors.push(Problem::new(
            Rule::Schema,
            "schemas/version.ncl",
            "there is no value `taskserv_version`, which says what is installed",
            "define it, with the contract TaskservVersion of drp/taskserv.ncl",
        ));
    }
    let broken = report.errors.len() > before;
    let examples = examples::check(report, settings.as_ref(), &contracts, evaluator).await?;
    let cluster = definition.filter(|_| extension.r#type() == ExtensionType::Cluster);
    Ok(Found { examples, cluster, broken })
}

/// One file: its types, what it evaluates to, and every value in it.
async fn file(
    report: &mut Report<'_>,
    path: &str,
    contracts: &mut BTreeMap<String, String>,
    evaluator: &Evaluator,
) -> Result<(), SchemaError> {
    let extension = report.extension;
    if let Err(error) = evaluator.typecheck(&Document::file(extension.root.join(path))).await {
        report.errors.extend(told(extension, path, error)?);
        return Ok(());
    }
    let fields = match extension.describe(path, evaluator).await? {
        Ok(fields) => fields,
        Err(problems) => {
            report.errors.extend(problems);
            return Ok(());
        }
    };
    for field in fields.iter().filter(|field| !field.name.contains('.')) {
        if is_contract(&field.name) {
            contracts.entry(field.name.clone()).or_insert_with(|| path.to_owned());
            continue;
        }
        if let Err(problems) = extension.value(path, &field.name, None, evaluator).await? {
            // Functions are values of Nickel, but none that could be written down.
            let function = |problem: &Problem| problem.message.contains("non serializable");
            report.errors.extend(problems.into_iter().filter(|problem| !function(problem)));
        }
    }
    Ok(())
}

/// What an error says of a file of the extension; those that are not the extension's stay errors.
pub(super) fn told(
    extension: &Extension,
    path: &str,
    error: SchemaError,
) -> Result<Vec<Problem>, SchemaError> {
    crate::schemas::problems(&extension.root, path, error)
}
