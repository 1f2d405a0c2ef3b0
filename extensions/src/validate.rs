//! Validation in five rules (extensions §10): the gate before an extension is registered, loaded or published.
//!
//! All rules are applied and all that is wrong is told at once; a rule is left out only where an earlier one found
//! nothing that it could be applied to.

mod dependencies;
mod examples;
mod interface;
mod schema;
mod structure;
mod versions;

pub use dependencies::Known;
pub use versions::{HostVersions, NICKEL_VERSION, PROVISIONING_VERSION};

use crate::discovery::SearchPath;
use crate::extension::{Extension, Look};
use crate::{ExtensionError, Hosting, Problem, Rule, Validation};
use drp_protocol::ExtensionType;
use drp_schemas::Evaluator;
use std::path::Path;
use std::time::Duration;

/// What an extension is validated against.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// It must be of this type.
    pub r#type: Option<ExtensionType>,
    /// Folders with other extensions, the nearest first. The extension's own neighbours are found without.
    pub search: SearchPath,
    /// Extensions that are registered.
    pub registered: Vec<Known>,
    /// What it would run with.
    pub versions: HostVersions,
    /// Longest time for it to define itself, and for one dry run.
    pub deadline: Duration,
}

impl Default for Surroundings {
    fn default() -> Self {
        Self {
            r#type: None,
            search: SearchPath::default(),
            registered: Vec::new(),
            versions: HostVersions::default(),
            deadline: Duration::from_secs(60),
        }
    }
}

/// What is found on the way.
pub(crate) struct Report<'a> {
    extension: &'a Extension,
    /// The text of the manifest.
    manifest: &'a str,
    file: &'static str,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Report<'_> {
    /// A problem of the manifest at a key.
    fn manifest(&self, rule: Rule, keys: &[&str], message: String, hint: &str) -> Problem {
        let line = (1..=keys.len()).rev().find_map(|n| crate::lines::of_key(self.manifest, &keys[..n]));
        Problem::new(rule, self.file, message, hint).at(line.or(Some(1)))
    }
}

/// Validates the extension in a folder. What is wrong with the extension is in the answer.
///
/// # Errors
/// The folder cannot be opened, or nothing could be evaluated.
pub async fn validate(
    folder: &Path,
    surroundings: &Surroundings,
    evaluator: &Evaluator,
    hosting: &dyn Hosting,
) -> Result<Validation, ExtensionError> {
    let Look { extension, problems, source: (text, file) } = Extension::look(folder, evaluator).await?;
    let Some(extension) = extension else { return Ok(Validation::new(problems, Vec::new())) };
    let evaluator = &extension.evaluator(evaluator);
    let mut report =
        Report { extension: &extension, manifest: &text, file, errors: problems, warnings: Vec::new() };
    structure::apply(&mut report, surroundings);
    let mut found = schema::apply(&mut report, evaluator).await?;
    interface::apply(&mut report, surroundings, &mut found, evaluator, hosting).await?;
    dependencies::apply(&mut report, surroundings, found.cluster.as_ref(), evaluator).await?;
    versions::apply(&mut report, surroundings, hosting).await;
    Ok(Validation::new(report.errors, report.warnings))
}
