//! One machine: `ComputerSystem` (DSP0268). Its properties are read tolerantly: services leave much out.

use crate::boot::Override;
use crate::client::{Client, Resource};
use crate::error::Error;
use crate::quirk::Vendor;
use crate::reset::{ResetType, Wish};
use serde_json::{Value, json};

/// So many systems of one service are looked at to find the right one.
const MAX_SYSTEMS: usize = 64;

/// Power as the service reports it (DSP0268, `PowerState`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerState {
    /// `On`.
    On,
    /// `Off`.
    Off,
    /// `PoweringOn`, `PoweringOff`, `Paused`, absent, or something else: not to be taken for either.
    Other,
}

/// A machine as it was read.
#[derive(Debug, Clone)]
pub struct System {
    /// The resource.
    pub resource: Resource,
}

impl System {
    /// Power.
    #[must_use]
    pub fn power(&self) -> PowerState {
        match self.resource.text("/PowerState") {
            Some("On") => PowerState::On,
            Some("Off") => PowerState::Off,
            _ => PowerState::Other,
        }
    }

    /// Whether it identifies itself, by `LocationIndicatorActive` or the older `IndicatorLED`.
    #[must_use]
    pub fn identifies(&self) -> Option<bool> {
        if let Some(active) = self.resource.body.get("LocationIndicatorActive").and_then(Value::as_bool) {
            return Some(active);
        }
        match self.resource.text("/IndicatorLED") {
            Some("Off") => Some(false),
            Some("Blinking" | "Lit") => Some(true),
            _ => None,
        }
    }

    /// The vendor, by what the machine says of itself.
    #[must_use]
    pub fn vendor(&self) -> Vendor {
        Vendor::of(self.resource.text("/Manufacturer").unwrap_or_default(), &self.resource.body)
    }

    /// Path of the reset action; `None` when the machine lists none.
    #[must_use]
    pub fn reset_target(&self) -> Option<&str> {
        self.resource.text("/Actions/#ComputerSystem.Reset/target")
    }

    /// Its boot override.
    #[must_use]
    pub fn boot(&self) -> Override {
        Override::read(&self.resource.body)
    }

    /// The reset types it lists beside the action; `None` when it lists none there.
    fn offered(&self) -> Option<Vec<String>> {
        let list = self
            .resource
            .body
            .pointer("/Actions/#ComputerSystem.Reset/ResetType@Redfish.AllowableValues")?
            .as_array()?;
        Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
    }
}

impl Client {
    /// Finds the machine: the only system, or the one with the target's UUID.
    ///
    /// # Errors
    /// [`Error::Setting`] when there are several and the UUID is absent or of none of them; else as [`Error`] lists.
    pub async fn find_system(&mut self) -> Result<System, Error> {
        let collection =
            self.root()["Systems"]["@odata.id"].as_str().unwrap_or("/redfish/v1/Systems").to_owned();
        let members = self.get(&collection).await?.members("/Members");
        match members.as_slice() {
            [] => Err(self.unsupported("say which system it manages", "its list of systems is empty")),
            [only] => self.system(only).await,
            many => {
                let Some(want) = self.target().system_uuid.clone().filter(|uuid| !uuid.is_empty()) else {
                    return Err(Error::setting(format!(
                        "the BMC at {} has {} systems ({}), and nothing says which one is meant; \
                         set the system's UUID",
                        self.bmc(),
                        many.len(),
                        many.join(", ")
                    )));
                };
                for member in many.iter().take(MAX_SYSTEMS) {
                    let system = self.system(member).await?;
                    if system.resource.text("/UUID").is_some_and(|uuid| same_uuid(uuid, &want)) {
                        return Ok(system);
                    }
                }
                Err(Error::setting(format!(
                    "the BMC at {} has no system with UUID {want}; its systems are {}",
                    self.bmc(),
                    many.join(", ")
                )))
            }
        }
    }

    /// Reads the machine at that path.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn system(&mut self, path: &str) -> Result<System, Error> {
        Ok(System { resource: self.get(path).await? })
    }

    /// The reset type that a wish becomes on this machine: by the values beside the action, else by those of its
    /// `@Redfish.ActionInfo`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when the machine offers none that fits, naming what it offers.
    pub async fn reset_type(&mut self, system: &System, wish: Wish) -> Result<ResetType, Error> {
        let mut offered = system.offered();
        if offered.is_none()
            && let Some(info) = system.resource.text("/Actions/#ComputerSystem.Reset/@Redfish.ActionInfo")
        {
            let info = info.to_owned();
            offered = self.get(&info).await.ok().and_then(|info| allowed(&info.body));
        }
        wish.choose(offered.as_deref()).ok_or_else(|| {
            let list = offered.unwrap_or_default().join(", ");
            let list = if list.is_empty() { "no reset types".to_owned() } else { list };
            self.unsupported(wish.words(), format!("it offers {list}"))
        })
    }

    /// Resets. It leaves at most once.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn reset(&mut self, system: &System, reset: ResetType) -> Result<(), Error> {
        // Services exist that do the action and do not list it; this is the path the schema names.
        let path = system.reset_target().map(str::to_owned).unwrap_or_else(|| {
            format!("{}/Actions/ComputerSystem.Reset", system.resource.path.trim_end_matches('/'))
        });
        self.action(&path, &json!({ "ResetType": reset.name() })).await
    }

    /// Sets or clears the identify light, by the property that the machine has.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn identify(&mut self, system: &System, on: bool) -> Result<(), Error> {
        let body = if system.resource.body.get("LocationIndicatorActive").is_some() {
            json!({ "LocationIndicatorActive": on })
        } else {
            json!({ "IndicatorLED": if on { "Blinking" } else { "Off" } })
        };
        self.patch(&system.resource, &body).await
    }

    /// Sets the boot override.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn set_boot(&mut self, system: &System, boot: &Override) -> Result<(), Error> {
        self.patch(&system.resource, &boot.body()).await
    }
}

fn allowed(info: &Value) -> Option<Vec<String>> {
    let parameters = info.get("Parameters")?.as_array()?;
    let reset = parameters.iter().find(|p| p.get("Name").and_then(Value::as_str) == Some("ResetType"))?;
    let list = reset.get("AllowableValues")?.as_array()?;
    Some(list.iter().filter_map(|v| v.as_str().map(str::to_owned)).collect())
}

fn same_uuid(one: &str, other: &str) -> bool {
    let plain =
        |text: &str| text.chars().filter(char::is_ascii_hexdigit).collect::<String>().to_ascii_lowercase();
    plain(one) == plain(other)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn system(body: Value) -> System {
        System { resource: Resource { path: "/redfish/v1/Systems/1".into(), etag: None, body } }
    }

    #[test]
    fn what_is_on_its_way_is_neither_on_nor_off() {
        assert_eq!(system(json!({"PowerState": "On"})).power(), PowerState::On);
        for odd in [
            json!({"PowerState": "PoweringOff"}),
            json!({}),
            json!({"PowerState": null}),
            json!({"PowerState": 1}),
        ] {
            assert_eq!(system(odd).power(), PowerState::Other);
        }
    }

    #[test]
    fn the_newer_light_wins() {
        assert_eq!(
            system(json!({"LocationIndicatorActive": true, "IndicatorLED": "Off"})).identifies(),
            Some(true)
        );
        assert_eq!(system(json!({"IndicatorLED": "Lit"})).identifies(), Some(true));
        assert_eq!(system(json!({"IndicatorLED": "Unknown"})).identifies(), None);
    }

    #[test]
    fn uuids_are_equal_in_any_spelling() {
        assert!(same_uuid("27946B59-9E44-4FA7-8E91-F3527A1EF094", "27946b599e444fa78e91f3527a1ef094"));
        assert!(!same_uuid("27946b59", "27946b5a"));
    }
}
