//! Manifests of extensions: `metadata.toml`, and `extension.yaml` beside or instead of it (extensions §1).

mod all_errors;
mod module;
mod read;
mod yaml;

pub use module::Module;
pub(crate) use read::find;
pub use read::{EXTENSION_YAML, METADATA_TOML};

use crate::{Name, VersionRange};
use drp_protocol::ExtensionType;
use semver::Version;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What an extension says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// What it is.
    pub extension: Identity,
    /// What it runs with.
    #[serde(default)]
    pub compatibility: Compatibility,
    /// What it can do, by name.
    #[serde(default)]
    pub capabilities: BTreeMap<String, bool>,
    /// What it needs to log in.
    #[serde(default)]
    pub authentication: Authentication,
    /// Where it runs.
    #[serde(default)]
    pub regions: Regions,
    /// Where help is.
    #[serde(default)]
    pub support: Support,
    /// What it depends on.
    #[serde(default)]
    pub dependencies: Dependencies,
    /// What the sandbox has to allow.
    #[serde(default)]
    pub permissions: Permissions,
    /// Commands that cannot be read from its code, by name.
    #[serde(default)]
    pub operations: BTreeMap<String, Operation>,
}

/// `[extension]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub r#type: ExtensionType,
    /// Its version.
    #[serde(deserialize_with = "version")]
    pub version: Version,
    /// One sentence.
    pub description: String,
    /// Who wrote it.
    #[serde(default)]
    pub author: String,
    /// Its licence, as SPDX writes it.
    #[serde(default)]
    pub license: String,
    /// Words to find it by.
    #[serde(default)]
    pub tags: Vec<String>,
}

fn version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Version, D::Error> {
    crate::parse_version(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

/// `[compatibility]`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Compatibility {
    /// Versions of drp's extension interface.
    pub provisioning_version: VersionRange,
    /// Versions of Nushell.
    pub nushell_version: VersionRange,
    /// Versions of Nickel.
    pub nickel_version: VersionRange,
}

/// `[authentication]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Authentication {
    /// How one logs in: `api_key`, `certificate`, `oauth`, `basic`, `none`.
    pub methods: Vec<String>,
    /// Settings without which nothing works.
    pub required_fields: Vec<String>,
}

/// `[regions]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Regions {
    /// The region when nobody says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
    /// All regions.
    pub available: Vec<String>,
}

/// `[support]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Support {
    /// Where its documentation is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub documentation: Option<String>,
    /// Where faults are reported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issues: Option<String>,
}

/// `[dependencies]`. Entries of the table itself are required ones.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Dependencies {
    /// What must be there.
    pub requires: BTreeMap<Name, VersionRange>,
    /// What is used when it is there.
    pub optional: BTreeMap<Name, VersionRange>,
    /// What must not be there.
    pub conflicts: BTreeMap<Name, VersionRange>,
}

/// `[permissions]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Permissions {
    /// Hosts or networks it connects to.
    pub network: Vec<String>,
    /// Programs it runs.
    pub programs: Vec<String>,
    /// Folders it reads.
    pub read: Vec<String>,
    /// Folders it writes.
    pub write: Vec<String>,
}

/// An entry of `[operations]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Operation {
    /// What it does.
    pub description: String,
    /// Its params.
    pub params: Vec<String>,
}
