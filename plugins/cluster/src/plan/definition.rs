//! The definition of a cluster: `ClusterConfig` of `drp/cluster.ncl`, evaluated.

use super::PlanError;
use drp_plugin_sdk::{Value, protocol::JsonMap};
use serde::{Deserialize, Serialize};

/// Components of one cluster, at most.
pub(super) const MOST: usize = 500;

/// A cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default)]
    pub(crate) description: String,
    #[serde(default)]
    pub(crate) components: Vec<Component>,
    #[serde(default)]
    pub(crate) resources: JsonMap,
    #[serde(default)]
    pub(crate) network: JsonMap,
    #[serde(default)]
    pub(crate) features: JsonMap,
}

/// One of its components.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Component {
    pub(crate) name: String,
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) version: String,
    #[serde(default = "yes")]
    pub(crate) enabled: bool,
    #[serde(default)]
    pub(crate) dependencies: Vec<String>,
    #[serde(default)]
    pub(crate) config: JsonMap,
    #[serde(default)]
    pub(crate) resources: Resources,
}

/// What a component needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Resources {
    #[serde(default)]
    pub(crate) cpu: String,
    #[serde(default)]
    pub(crate) memory: String,
    #[serde(default)]
    pub(crate) storage: String,
    #[serde(default = "one")]
    pub(crate) replicas: u64,
}

impl Default for Resources {
    fn default() -> Self {
        Self { cpu: String::new(), memory: String::new(), storage: String::new(), replicas: 1 }
    }
}

fn yes() -> bool {
    true
}

fn one() -> u64 {
    1
}

impl Cluster {
    /// Reads the evaluated definition.
    pub(crate) fn read(definition: &Value) -> Result<Self, PlanError> {
        Self::deserialize(definition).map_err(|e| PlanError::Definition(e.to_string()))
    }

    /// The names of all components, for errors.
    pub(super) fn names(&self) -> String {
        let names: Vec<&str> = self.components.iter().map(|component| component.name.as_str()).collect();
        names.join(", ")
    }
}

/// `-` and `_` are the same when names are compared (extensions §1).
pub(crate) fn same_name(one: &str, other: &str) -> bool {
    let plain = |byte: u8| if byte == b'_' { b'-' } else { byte };
    one.len() == other.len() && one.bytes().map(plain).eq(other.bytes().map(plain))
}
