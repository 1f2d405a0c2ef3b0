//! What a machine is made of: the resources that its system links, each with its members.

use crate::client::{Client, Resource};
use crate::error::Error;
use crate::system::System;
use serde_json::{Value, json};

/// So many members of one collection are read.
const MAX_MEMBERS: usize = 128;

/// A part of the inventory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// BIOS attributes.
    Bios,
    /// Memory modules.
    Memory,
    /// Processors.
    Processors,
    /// Storage controllers with their drives.
    Storage,
    /// The older, simpler form of storage.
    SimpleStorage,
    /// Network adapters' ports as the operating system sees them.
    EthernetInterfaces,
    /// Network adapters.
    NetworkInterfaces,
    /// UEFI secure boot.
    SecureBoot,
}

impl Part {
    /// The property of the system that links it.
    #[must_use]
    pub fn property(self) -> &'static str {
        match self {
            Self::Bios => "Bios",
            Self::Memory => "Memory",
            Self::Processors => "Processors",
            Self::Storage => "Storage",
            Self::SimpleStorage => "SimpleStorage",
            Self::EthernetInterfaces => "EthernetInterfaces",
            Self::NetworkInterfaces => "NetworkInterfaces",
            Self::SecureBoot => "SecureBoot",
        }
    }
}

impl Client {
    /// Reads a part: the resource itself, or for a collection the list of its members.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the machine links no such part; else as [`Error`] lists.
    pub async fn part(&mut self, system: &System, part: Part) -> Result<Value, Error> {
        let Some(link) = system.resource.link(&format!("/{}", part.property())).map(str::to_owned) else {
            if part == Part::SecureBoot {
                // No resource means that the firmware has none, which is an answer.
                return Ok(json!({ "SecureBootEnable": false, "SecureBootCurrentBoot": "Disabled" }));
            }
            return Err(self.unsupported(format!("show {}", part.property()), "its system links none"));
        };
        let resource = self.get(&link).await?;
        if resource.body.get("Members").is_none() {
            return Ok(resource.body);
        }
        let mut out = Vec::new();
        for member in resource.members("/Members").iter().take(MAX_MEMBERS) {
            out.push(self.get(member).await?.body);
        }
        Ok(Value::Array(out))
    }

    /// Health of the machine and its parts, as the `status` action of Digital Rebar words it: `OK`, the first
    /// health that is neither empty nor OK, `Critical` for a list that cannot be read, `Unknown` for none.
    ///
    /// # Errors
    /// As [`Error`] lists, for the system itself only.
    pub async fn health(&mut self, system: &System) -> Result<Value, Error> {
        let own = |pointer: &str| system.resource.text(pointer).unwrap_or("Unknown").to_owned();
        let rollup = |name: &str| own(&format!("/{name}/Status/HealthRollup"));
        let either = |name: &str| match rollup(name).as_str() {
            "Unknown" => own(&format!("/{name}/Status/Health")),
            health => health.to_owned(),
        };
        let mut out = json!({
            "Status": own("/Status/Health"),
            "ProcessorStatus": either("ProcessorSummary"),
            "MemoryStatus": either("MemorySummary"),
        });
        for part in [Part::EthernetInterfaces, Part::Storage, Part::SimpleStorage] {
            let name = match part {
                Part::EthernetInterfaces => "EthernetStatus",
                Part::Storage => "StorageStatus",
                _ => "SimpleStorageStatus",
            };
            out[name] = json!(match self.part(system, part).await {
                Ok(list) => worst(&list),
                Err(Error::Unsupported { .. }) => "Unknown".to_owned(),
                Err(error) if matches!(error.fault(), crate::Fault::Network) => return Err(error),
                Err(_) => "Critical".to_owned(),
            });
        }
        Ok(out)
    }

    /// The manager of the machine: the BMC itself.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the machine names none; else as [`Error`] lists.
    pub async fn manager(&mut self, system: &System) -> Result<Resource, Error> {
        match system.resource.members("/Links/ManagedBy").first() {
            Some(manager) => self.get(manager).await,
            None => Err(self.unsupported("name its manager", "its system has no ManagedBy link")),
        }
    }
}

impl Client {
    /// Restarts the manager of the machine: the BMC itself. The machine goes on.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn reset_manager(&mut self, system: &System) -> Result<(), Error> {
        let manager = self.manager(system).await?;
        let Some(target) = manager.text("/Actions/#Manager.Reset/target").map(str::to_owned) else {
            return Err(self.unsupported("restart itself", "its manager lists no reset action"));
        };
        let offered = manager.body.pointer("/Actions/#Manager.Reset/ResetType@Redfish.AllowableValues");
        let offers =
            |name: &str| offered.and_then(Value::as_array).is_none_or(|l| l.iter().any(|v| v == name));
        let kind = if offers("GracefulRestart") { "GracefulRestart" } else { "ForceRestart" };
        self.action(&target, &json!({ "ResetType": kind })).await
    }
}

fn worst(list: &Value) -> String {
    let healths = list.as_array().into_iter().flatten().filter_map(|member| {
        let status = member.get("Status")?;
        status.get("HealthRollup").or_else(|| status.get("Health"))?.as_str()
    });
    healths.filter(|health| !health.is_empty()).find(|health| *health != "OK").unwrap_or("OK").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_bad_health_is_shown() {
        let of = |healths: &[&str]| {
            worst(&Value::Array(healths.iter().map(|h| json!({"Status": {"Health": h}})).collect()))
        };
        assert_eq!(of(&["OK", "", "Warning", "Critical"]), "Warning");
        assert_eq!(of(&["OK"]), "OK");
        assert_eq!(worst(&json!([])), "OK");
    }
}
