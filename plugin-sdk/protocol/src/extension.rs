//! Extensions: what they are, and the record of one that is registered (extensions §1, §2).
//!
//! Unlike the objects of the v3 API, these write their fields in snake case, as the extension interface does.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// What an extension is (extensions §1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExtensionType {
    /// Creates servers.
    Provider,
    /// Installs a service on servers.
    Taskserv,
    /// Components that are deployed together.
    Cluster,
}

impl ExtensionType {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Provider, Self::Taskserv, Self::Cluster];

    /// The word of manifests and of the API.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Taskserv => "taskserv",
            Self::Cluster => "cluster",
        }
    }

    /// The folder that holds those of this type.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Provider => "providers",
            Self::Taskserv => "taskservs",
            Self::Cluster => "clusters",
        }
    }
}

impl fmt::Display for ExtensionType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ExtensionType {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or_else(|| format!("{text:?} is no type of extension: it is provider, taskserv or cluster"))
    }
}

/// The name of the plugin provider, and of its first plugin, that a registered extension becomes:
/// `<name>-<type>`, as its artifact in a registry is called. A taskserv and a cluster may share a name.
#[must_use]
pub fn extension_plugin(kind: ExtensionType, name: &str) -> String {
    format!("{name}-{kind}")
}

/// One setting of an extension: a field of the record that its settings contract describes. It becomes the param
/// `<plugin>/<name>` of its plugin.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ExtensionSetting {
    /// Name of the field.
    pub name: String,
    /// What it is for.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub doc: String,
    /// Nothing works without it: it is neither optional nor has it a default.
    #[serde(default)]
    pub required: bool,
    /// It holds something secret, so the param is a secure one.
    #[serde(default)]
    pub secure: bool,
    /// What it is when nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// JSON schema of its value.
    #[serde(default)]
    pub schema: Value,
}

/// A registered extension, as its host (the Nushell plugin, the cluster engine) is told of it: the file that its
/// launcher names with `--extension`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostedExtension {
    /// What it is.
    pub r#type: ExtensionType,
    /// Its name, as its manifest writes it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// One sentence.
    #[serde(default)]
    pub description: String,
    /// SHA-256 of its files, in lower-case hex: the digest of its pack.
    #[serde(default)]
    pub digest: String,
    /// Where its files are.
    pub root: PathBuf,
    /// Its settings.
    #[serde(default)]
    pub settings: Vec<ExtensionSetting>,
    /// Extensions that it needs, with the versions that will do.
    #[serde(default)]
    pub requires: BTreeMap<String, String>,
    /// For a cluster: its definition (`drp/cluster.ncl`, `ClusterConfig`), evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<Value>,
    /// For a taskserv without code of its own: its version record (`drp/taskserv.ncl`, `TaskservVersion`), the field
    /// `taskserv_version` of `schemas/version.ncl`, evaluated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub taskserv: Option<Value>,
    /// The versions of Nushell that its manifest says will do (`[compatibility] nushell_version`); a range of extensions §4.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nushell: Option<String>,
    /// The `nu` program to use, when settings name one; else it is looked for on `PATH`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nu: Option<PathBuf>,
    /// The Nickel worker `drp-nickel`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nickel: Option<PathBuf>,
}

impl HostedExtension {
    /// Name of its plugin provider.
    #[must_use]
    pub fn plugin(&self) -> String {
        extension_plugin(self.r#type, &self.name)
    }

    /// Name of the param that holds a setting.
    #[must_use]
    pub fn param(&self, setting: &str) -> String {
        format!("{}/{setting}", self.plugin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_as_they_are_written() {
        for kind in ExtensionType::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("plugin".parse::<ExtensionType>().unwrap_err().contains("taskserv"));
    }
}
