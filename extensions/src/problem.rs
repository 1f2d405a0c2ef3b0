//! What is wrong with an extension, and the answer of validation (extensions §10).

use drp_schemas::{CONTRACTS, Diagnostic, SchemaError};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::Path;

/// The rules of validation, in the order in which they are applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rule {
    /// The files that must be there are, and their manifest is right.
    Structure,
    /// Schemas evaluate, and the shipped examples pass them.
    Schema,
    /// Every operation that its type asks for is there and takes its inputs; dry runs answer.
    Interface,
    /// What it depends on is there, without cycles and conflicts.
    Dependencies,
    /// It runs with the versions of this host.
    Versions,
}

impl Rule {
    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Structure => "structure",
            Self::Schema => "schema",
            Self::Interface => "interface",
            Self::Dependencies => "dependencies",
            Self::Versions => "versions",
        }
    }
}

/// One thing that is wrong, or odd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The rule that it breaks.
    pub rule: Rule,
    /// The file, relative to the extension's folder; `.` for the folder itself.
    pub path: String,
    /// Line in the file, from 1.
    pub line: Option<usize>,
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    pub hint: String,
}

impl Problem {
    /// A problem of a file as a whole.
    #[must_use]
    pub fn new(
        rule: Rule,
        path: impl Into<String>,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self { rule, path: path.into(), line: None, message: message.into(), hint: hint.into() }
    }

    /// With its line.
    #[must_use]
    pub fn at(mut self, line: Option<usize>) -> Self {
        self.line = line;
        self
    }

    /// From what the evaluator says of a document of the extension in `root`. `path` is the document, for errors that
    /// name no place.
    #[must_use]
    pub fn of_diagnostic(rule: Rule, root: &Path, path: &str, diagnostic: &Diagnostic) -> Self {
        let place = diagnostic.place.as_ref();
        let mut message = diagnostic.message.clone();
        if let Some(contract) = &diagnostic.contract {
            message.push_str(&format!(" (contract {}:{})", shown(root, &contract.file), contract.line));
        }
        Self {
            rule,
            path: place.map_or_else(|| path.to_owned(), |place| shown(root, &place.file)),
            line: place.map(|place| place.line),
            message,
            hint: diagnostic.hint.clone().unwrap_or_default(),
        }
    }

    /// All that an error of the evaluator says.
    #[must_use]
    pub fn of_schema_error(rule: Rule, root: &Path, path: &str, error: &SchemaError) -> Vec<Self> {
        match error {
            SchemaError::Wrong { diagnostics, .. } => {
                diagnostics.iter().map(|one| Self::of_diagnostic(rule, root, path, one)).collect()
            }
            other => vec![Self::new(rule, path, strip(root, &other.to_string()), "")],
        }
    }
}

/// A file as people know it: relative to the extension, or by the name under which contracts are imported.
fn shown(root: &Path, file: &str) -> String {
    let path = Path::new(file);
    if let Ok(own) = path.strip_prefix(root)
        && root.is_absolute()
    {
        return own.display().to_string();
    }
    let shipped = CONTRACTS.iter().find(|contract| path.is_absolute() && path.ends_with(contract.name));
    shipped.map_or_else(|| file.to_owned(), |contract| contract.name.to_owned())
}

fn strip(root: &Path, text: &str) -> String {
    text.replace(&format!("{}/", root.display()), "")
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.message)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// The answer of validation.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Validation {
    /// Nothing is wrong.
    pub valid: bool,
    /// What is wrong.
    pub errors: Vec<Problem>,
    /// What is odd, but does not keep it from running.
    pub warnings: Vec<Problem>,
}

impl Validation {
    /// The answer for these problems, in the order of the rules and files, each once.
    #[must_use]
    pub fn new(mut errors: Vec<Problem>, mut warnings: Vec<Problem>) -> Self {
        for problems in [&mut errors, &mut warnings] {
            problems.sort_by(|a, b| (a.rule, &a.path, a.line).cmp(&(b.rule, &b.path, b.line)));
            problems.dedup();
        }
        Self { valid: errors.is_empty(), errors, warnings }
    }
}
