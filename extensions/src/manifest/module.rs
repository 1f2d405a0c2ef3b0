//! `manifest.toml`, the manifest of the Nickel module that an extension is for those who import it.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// What `manifest.toml` says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Module {
    /// Where it is, relative to the extension: beside `metadata.toml`, in `schemas/` or in `nickel/`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub path: String,
    /// Name of the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Modules it imports, by name: a path (`{ path = "…" }`) or a version of a registry.
    #[serde(default)]
    pub dependencies: BTreeMap<String, Value>,
}
