//! The examples that an extension ships: `examples/NAME.toml`, `.yaml`, `.json` or `.ncl`.
//!
//! The name says which contract one must fulfil: `settings` the contract of the settings, `config` that of what the
//! type's first operation is given, anything else the contract of that name in `PascalCase` (`firewall_rule` →
//! `FirewallRule`), the extension's own before those that ship with drp.

use super::Report;
use crate::extension::Extension;
use crate::schemas::{import, is_contract};
use crate::{Problem, Rule, SettingsContract};
use drp_protocol::ExtensionType;
use drp_schemas::{Document, Evaluator, Format, SchemaError};
use serde_json::Value;
use std::collections::BTreeMap;

/// The files of drp's contracts, and what is in them that documents may be examples of.
const SHIPPED: &[(&str, &[&str])] = &[
    ("drp/server.ncl", &["ServerConfig", "FirewallRule", "Storage", "Network"]),
    ("drp/provider.ncl", &["ProviderSettings"]),
    ("drp/taskserv.ncl", &["TaskservVersion"]),
    ("drp/cluster.ncl", &["ClusterConfig", "Component"]),
];

const LANGUAGES: &[&str] = &["toml", "yaml", "yml", "json", "ncl"];

/// Values of the examples that passed, by their names.
pub(super) type Examples = BTreeMap<String, Value>;

/// Checks all examples.
pub(super) async fn check(
    report: &mut Report<'_>,
    settings: Option<&SettingsContract>,
    own: &BTreeMap<String, String>,
    evaluator: &Evaluator,
) -> Result<Examples, SchemaError> {
    let mut found = Examples::new();
    let extension = report.extension;
    let files: Vec<String> = extension.tree.files_in("examples").map(str::to_owned).collect();
    for path in files {
        let file = path.trim_start_matches("examples/");
        let Some((name, language)) = file.rsplit_once('.').filter(|(_, end)| LANGUAGES.contains(end)) else {
            continue;
        };
        let document = if language == "ncl" {
            Document::file(extension.root.join(&path))
        } else {
            match extension.tree.text(&extension.root, &path) {
                Ok(text) => Document::text(&path, Format::of(std::path::Path::new(&path)), text),
                Err(problem) => {
                    report.errors.push(Problem { rule: Rule::Schema, ..problem });
                    continue;
                }
            }
        };
        let contract = contract(extension, name, settings, own);
        if contract.is_none() && name != "config" {
            report.warnings.push(Problem::new(
                Rule::Schema,
                path.clone(),
                format!("there is no contract {} to check it with", pascal(name)),
                "call it settings, config, or as a contract of the extension is called, in snake_case",
            ));
        }
        let checked = match &contract {
            Some(contract) => evaluator.check(&document, contract).await,
            None => evaluator.evaluate(&document).await,
        };
        match checked {
            Ok(checked) => {
                found.insert(name.to_owned(), checked.value);
            }
            Err(error) => {
                report.errors.extend(super::schema::told(extension, &path, error)?);
            }
        }
    }
    Ok(found)
}

fn contract(
    extension: &Extension,
    name: &str,
    settings: Option<&SettingsContract>,
    own: &BTreeMap<String, String>,
) -> Option<String> {
    let wanted = match (name, extension.r#type()) {
        ("settings", _) => return settings.map(|contract| contract.expression.clone()),
        ("config", ExtensionType::Provider) => "ServerConfig".to_owned(),
        // What a task service is configured with, it alone knows.
        ("config", ExtensionType::Taskserv) => "Config".to_owned(),
        // What is given to `create` goes over the definition.
        ("config", ExtensionType::Cluster) => "Config".to_owned(),
        _ => pascal(name),
    };
    if !is_contract(&wanted) {
        return None;
    }
    if let Some(path) = own.get(&wanted) {
        return Some(format!("{}.{wanted}", import(&extension.root.join(path))));
    }
    let shipped = SHIPPED.iter().find(|(_, names)| names.contains(&wanted.as_str()));
    shipped.map(|(file, _)| format!("(import \"{file}\").{wanted}"))
}

/// `firewall_rule` or `firewall-rule` as contracts are called; other characters make no contract.
fn pascal(name: &str) -> String {
    if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
        return String::new();
    }
    name.split(['_', '-'])
        .map(|part| {
            let mut letters = part.chars();
            letters
                .next()
                .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                .unwrap_or_default()
        })
        .collect()
}
