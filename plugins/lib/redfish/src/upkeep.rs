//! What a BMC tells of the machine's well-being and of itself: sensors, event logs, accounts, its network (DSP0268, `Sensor`,
//! `Thermal`, `Power`, `LogService`, `ManagerAccount`, `EthernetInterface`).

use crate::client::{Client, Resource};
use crate::collection::Members;
use crate::error::Error;
use crate::system::System;
use serde_json::{Value, json};

/// So many chassis of one machine are looked at.
const MAX_CHASSIS: usize = 16;
/// So many sensors of one chassis are read.
const MAX_SENSORS: usize = 512;
/// So many accounts, or interfaces, are read.
const MAX_ITEMS: usize = 128;
/// So many log services are looked at.
const MAX_LOGS: usize = 32;

/// Where sensors stand.
#[derive(Debug, Clone, PartialEq)]
pub enum SensorSource {
    /// Members of a `Sensors` collection.
    Sensors(Members),
    /// The older `Thermal` resource.
    Thermal(Value),
    /// The older `Power` resource.
    Power(Value),
}

/// How well a log service fits "system event log": by its entry type, then by the ids that vendors give theirs.
fn rank(service: &Value) -> Option<u8> {
    let text =
        |name: &str| service.get(name).and_then(Value::as_str).unwrap_or_default().to_ascii_lowercase();
    let (id, kind, name) = (text("Id"), text("LogEntryType"), text("Name"));
    service.get("Entries")?;
    if kind == "sel" || id == "sel" {
        Some(0)
    } else if id == "iml" || name.contains("system event") {
        Some(1)
    } else if kind == "event" || id.contains("event") || name.contains("event") {
        Some(2)
    } else if id.contains("audit")
        || id.contains("security")
        || name.contains("audit")
        || name.contains("security")
    {
        None
    } else {
        Some(3)
    }
}

impl Client {
    /// The sensors of the machine's chassis: the `Sensors` collection, where there is one that is not empty, else
    /// `Thermal` and `Power`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the machine names no chassis with sensors; else as [`Error`] lists.
    pub async fn sensors(&mut self, system: &System) -> Result<Vec<SensorSource>, Error> {
        let (mut out, until) = (Vec::new(), self.reading_ends());
        for path in self.chassis(system).await? {
            let chassis = match self.get(&path).await {
                Ok(chassis) => chassis,
                Err(Error::Unsupported { .. }) => continue,
                Err(error) => return Err(error),
            };
            if let Some(link) = chassis.link("/Sensors") {
                match self.collection(link, MAX_SENSORS, until).await {
                    Ok(members) if !members.list.is_empty() => {
                        out.push(SensorSource::Sensors(members));
                        continue;
                    }
                    Ok(_) | Err(Error::Unsupported { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            for (pointer, source) in [
                ("/Thermal", SensorSource::Thermal as fn(Value) -> SensorSource),
                ("/Power", SensorSource::Power),
            ] {
                let Some(link) = chassis.link(pointer) else { continue };
                match self.get(link).await {
                    Ok(resource) => out.push(source(resource.body)),
                    Err(Error::Unsupported { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        if out.is_empty() {
            return Err(
                self.unsupported("read sensors", "no chassis of the machine links Sensors, Thermal or Power")
            );
        }
        Ok(out)
    }

    /// The chassis that the machine is in; all of the service when it does not say.
    async fn chassis(&mut self, system: &System) -> Result<Vec<String>, Error> {
        let mut paths = system.resource.members("/Links/Chassis");
        if paths.is_empty() {
            let Some(link) = self.root()["Chassis"]["@odata.id"].as_str().map(str::to_owned) else {
                return Ok(paths);
            };
            paths = match self.get(&link).await {
                Ok(collection) => collection.members("/Members"),
                Err(Error::Unsupported { .. }) => Vec::new(),
                Err(error) => return Err(error),
            };
        }
        paths.truncate(MAX_CHASSIS);
        Ok(paths)
    }

    /// The system event log: of the log services of the managers and of the machine, the one that calls itself so, by
    /// entry type, id or name.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none; else as [`Error`] lists.
    pub async fn event_log(&mut self, system: &System) -> Result<Resource, Error> {
        let mut collections = Vec::new();
        for manager in system.resource.members("/Links/ManagedBy") {
            collections.extend(self.get(&manager).await?.link("/LogServices").map(str::to_owned));
        }
        collections.extend(system.resource.link("/LogServices").map(str::to_owned));
        let mut best: Option<(u8, Resource)> = None;
        for collection in collections {
            let members = match self.get(&collection).await {
                Ok(list) => list.members("/Members"),
                Err(Error::Unsupported { .. }) => continue,
                Err(error) => return Err(error),
            };
            for member in members.iter().take(MAX_LOGS) {
                let service = self.get(member).await?;
                if let Some(rank) = rank(&service.body)
                    && best.as_ref().is_none_or(|(other, _)| rank < *other)
                {
                    best = Some((rank, service));
                }
            }
        }
        let found = best.map(|(_, service)| service);
        found.ok_or_else(|| {
            self.unsupported("read its event log", "neither manager nor system links a log service")
        })
    }

    /// The entries of a log, at most so many. It ends after three times the wait for one answer with those it has.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn log_entries(&mut self, log: &Resource, most: usize) -> Result<Members, Error> {
        match log.link("/Entries") {
            Some(entries) => self.collection(entries, most, self.reading_ends()).await,
            None => Err(self.unsupported("read its event log", "the log links no entries")),
        }
    }

    /// Clears a log. It leaves at most once.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the log lists no such action; else as [`Error`] lists.
    pub async fn clear_log(&mut self, log: &Resource) -> Result<(), Error> {
        match log.text("/Actions/#LogService.ClearLog/target").map(str::to_owned) {
            Some(target) => self.action(&target, &json!({})).await,
            None => Err(self.unsupported("clear its event log", "the log lists no ClearLog action")),
        }
    }

    /// The accounts of the BMC.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when it has no account service; else as [`Error`] lists.
    pub async fn accounts(&mut self) -> Result<Members, Error> {
        let Some(service) = self.root()["AccountService"]["@odata.id"].as_str().map(str::to_owned) else {
            return Err(self.unsupported("list its users", "its service root links no AccountService"));
        };
        let service = self.get(&service).await?;
        match service.link("/Accounts") {
            Some(accounts) => self.collection(accounts, MAX_ITEMS, self.reading_ends()).await,
            None => Err(self.unsupported("list its users", "its AccountService links no accounts")),
        }
    }

    /// The network interfaces of the BMC itself.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when its manager links none; else as [`Error`] lists.
    pub async fn manager_interfaces(&mut self, system: &System) -> Result<Members, Error> {
        let manager = self.manager(system).await?;
        match manager.link("/EthernetInterfaces") {
            Some(interfaces) => self.collection(interfaces, MAX_ITEMS, self.reading_ends()).await,
            None => {
                Err(self.unsupported("tell its network settings", "its manager links no EthernetInterfaces"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_log_is_found_by_what_it_calls_itself() {
        let service = |body: Value| {
            let mut body = body;
            body["Entries"] = json!({ "@odata.id": "/e" });
            rank(&body)
        };
        assert_eq!(service(json!({"Id": "Log1", "LogEntryType": "SEL"})), Some(0));
        assert_eq!(service(json!({"Id": "Sel"})), Some(0));
        assert_eq!(service(json!({"Id": "IML"})), Some(1));
        assert_eq!(service(json!({"Id": "EventLog", "LogEntryType": "Event"})), Some(2));
        assert_eq!(service(json!({"Id": "Journal"})), Some(3));
        assert_eq!(service(json!({"Id": "AuditLog"})), None);
        assert_eq!(rank(&json!({"Id": "Sel"})), None);
    }
}
