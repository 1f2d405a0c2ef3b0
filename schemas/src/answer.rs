//! What a worker answers: one JSON line each.

use crate::Diagnostic;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::PathBuf;

/// A field of a record or contract.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Field {
    /// Its name, with those of the records around it: `ServerConfig.hostname`.
    pub name: String,
    /// Its type and contracts as they are written, for instance `String`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contracts: Vec<String>,
    /// What it is when nobody says, as JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// It may be left out.
    #[serde(default)]
    pub optional: bool,
    /// What it is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub doc: Option<String>,
    /// JSON schema of its value, as far as its contracts tell: types, records, lists, enums, and the contracts of
    /// `drp/types.ncl`. What only a contract of somebody's own can tell is left open. Secrets are `writeOnly`.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub schema: Value,
}

/// How a request ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The value.
    Value(Value),
    /// The fields.
    Fields(Vec<Field>),
    /// Its types are right.
    Typechecks,
    /// The document, or one that it imports, is wrong.
    Wrong(Vec<Diagnostic>),
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How it ended.
    pub outcome: Outcome,
    /// The files that were read, the document's own included. A result holds as long as none of them changes.
    pub files: Vec<PathBuf>,
}

/// A document that passed.
#[derive(Debug, Clone, PartialEq)]
pub struct Checked {
    /// What it evaluates to, with the contract's defaults.
    pub value: Value,
    /// The files that were read for it.
    pub files: Vec<PathBuf>,
    /// The answer was known and nothing was evaluated.
    pub cached: bool,
}
