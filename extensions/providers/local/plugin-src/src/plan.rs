//! Sizes of servers.

use drp_plugin_sdk::{JsonSchema, Value, json, schemars};
use serde::{Deserialize, Serialize};

/// A size that servers may have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Plan {
    /// Its name, as `plan` of a server says it.
    #[schemars(length(min = 1, max = 64))]
    pub(crate) name: String,
    /// Processors.
    #[schemars(range(min = 1, max = 64))]
    pub(crate) cpus: u32,
    /// MiB of memory.
    #[schemars(range(min = 32, max = 1_048_576))]
    pub(crate) memory_mb: u64,
    /// GiB of disk, for images that are disks.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 16_384))]
    pub(crate) disk_gb: u64,
}

fn one() -> u64 {
    1
}

impl Plan {
    fn new(name: &str, cpus: u32, memory_mb: u64, disk_gb: u64) -> Self {
        Self { name: name.to_owned(), cpus, memory_mb, disk_gb }
    }

    /// Why it cannot be, if so.
    pub(crate) fn problem(&self) -> Option<String> {
        let name = &self.name;
        if name.is_empty() || name.len() > 64 || name.chars().any(char::is_control) {
            return Some(format!(
                "a plan is called {name:?}: 1 to 64 characters that can be printed are wanted"
            ));
        }
        let fits = (1..=64).contains(&self.cpus)
            && (32..=1_048_576).contains(&self.memory_mb)
            && (1..=16_384).contains(&self.disk_gb);
        (!fits).then(|| {
            format!("plan {name}: 1 to 64 cpus, 32 to 1048576 MiB of memory and 1 to 16384 GiB of disk are possible")
        })
    }

    /// As `get-plans` lists it.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "name": self.name, "cpus": self.cpus, "memory": self.memory_mb, "storage": self.disk_gb, "zones": [ZONE],
        })
    }

    /// As `get-pricing` lists it: this host costs nothing.
    pub(crate) fn price(&self) -> Value {
        json!({"plan": self.name, "zone": ZONE, "hourly": 0.0, "monthly": 0.0, "currency": "EUR"})
    }
}

/// The only zone: this host.
pub(crate) const ZONE: &str = "local";

/// The plans when the settings have none.
pub(crate) fn usual() -> Vec<Plan> {
    vec![
        Plan::new("1xCPU-128MB", 1, 128, 1),
        Plan::new("1xCPU-512MB", 1, 512, 4),
        Plan::new("1xCPU-1GB", 1, 1024, 10),
        Plan::new("2xCPU-2GB", 2, 2048, 20),
        Plan::new("2xCPU-4GB", 2, 4096, 40),
        Plan::new("4xCPU-8GB", 4, 8192, 80),
    ]
}
