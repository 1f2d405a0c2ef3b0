//! Whose firmware a BMC is like: names, paths, values on offer, words of refusal. All of it is data, read from YAML.

use super::message::Words;
use crate::SimError;
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// The profiles that ship: name and text.
const BUILT_IN: [(&str, &str); 4] = [
    ("generic", include_str!("../../profiles/generic.yaml")),
    ("idrac", include_str!("../../profiles/idrac.yaml")),
    ("ilo", include_str!("../../profiles/ilo.yaml")),
    ("supermicro", include_str!("../../profiles/supermicro.yaml")),
];

/// A vendor's ways. Fields that a file leaves out are those of `generic`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// One sentence, with where its shapes come from.
    pub about: String,
    /// `Vendor` and `Product` of the service root.
    pub vendor: String,
    /// `Product` of the service root.
    pub product: String,
    /// `RedfishVersion`.
    pub redfish_version: String,
    /// Registry and version before the keys of messages, for instance `Base.1.18`.
    pub registry: String,
    /// Id of the system.
    pub system: String,
    /// Id of the manager.
    pub manager: String,
    /// Id of the chassis.
    pub chassis: String,
    /// `Manufacturer` of the system.
    pub manufacturer: String,
    /// `Model` of the system.
    pub model: String,
    /// `Model` of the manager.
    pub manager_model: String,
    /// `FirmwareVersion` of the manager.
    pub firmware: String,
    /// `BiosVersion` of the system.
    pub bios: String,
    /// `@odata.id` ends in a slash.
    pub trailing_slash: bool,
    /// Members of collections come in the opposite order.
    pub reversed_members: bool,
    /// Path of the sessions, after `/redfish/v1/`.
    pub sessions_at: String,
    /// `Location` has scheme and host.
    pub absolute_location: bool,
    /// The service root wants credentials, too.
    pub root_needs_login: bool,
    /// `ResetType` values of the system.
    pub reset_types: Vec<String>,
    /// They are in `@Redfish.ActionInfo` and not beside the action.
    pub action_info: bool,
    /// `ResetType` values of the manager.
    pub manager_reset_types: Vec<String>,
    /// `BootSourceOverrideTarget` values.
    pub boot_targets: Vec<String>,
    /// `On` to a machine that is on, and `ForceOff` to one that is off, are refused.
    pub refuses_same: bool,
    /// `PoweringOn` and `PoweringOff` are shown.
    pub shows_transition: bool,
    /// The light: properties of the system, `LocationIndicatorActive` and `IndicatorLED`.
    pub light: Vec<String>,
    /// Status of a change that is done: 204, or 200 with a body.
    pub changed: u16,
    /// Status of an action that is done: 204, 200 with a body, or 202 with a task.
    pub acted: u16,
    /// How long tasks take, in milliseconds.
    pub task_ms: u64,
    /// Resources have entity tags.
    pub etags: bool,
    /// Changes without `If-Match` are refused with 428.
    pub etag_required: bool,
    /// Virtual media.
    pub media: Media,
    /// Temperatures and so on: in `Thermal` and `Power`.
    pub thermal: bool,
    /// In `Sensors`.
    pub sensors: bool,
    /// Log services: where, and which one is the SEL.
    pub logs: Vec<LogPlace>,
    /// So many account slots that are always there, to be written by PATCH; 0: accounts are made by POST.
    pub account_slots: usize,
    /// First id of an account.
    pub first_account: usize,
    /// Ethernet interfaces of the manager.
    pub manager_nics: Vec<String>,
    /// Other words for refusals, by their key in the Base registry.
    pub words: BTreeMap<String, Words>,
    /// What is merged into resources (RFC 7396), by path pattern after `/redfish/v1/`.
    pub merge: Vec<Merge>,
}

/// Virtual media of a profile.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Media {
    /// They belong to the system and not to the manager.
    pub of_system: bool,
    /// Slots in their order.
    pub slots: Vec<MediaSlot>,
    /// InsertMedia and EjectMedia exist; else the property is written (VirtualMedia before 1.2).
    pub actions: bool,
    /// `Inserted` and `WriteProtected` are no properties of a request.
    pub image_only: bool,
    /// The image's URL stays after it was ejected.
    pub keeps_image: bool,
    /// `Oem.Hpe.BootOnNextServerReset` chooses it for the next boot.
    pub hpe_boot: bool,
}

/// A slot.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MediaSlot {
    /// Its id.
    pub id: String,
    /// `MediaTypes`.
    pub types: Vec<String>,
}

/// A log service.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPlace {
    /// `manager` or `system`.
    pub of: String,
    /// Its id.
    pub id: String,
    /// `LogEntryType` and `EntryType` of what it holds.
    pub kind: String,
    /// It can be cleared.
    #[serde(default)]
    pub clear: bool,
}

/// What is merged into resources.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    /// Pattern of the path after `/redfish/v1/`; `*` stands for any text, empty is the root.
    pub path: String,
    /// The merge patch; null removes.
    pub with: Value,
}

impl Default for Media {
    fn default() -> Self {
        Self {
            of_system: false,
            slots: Vec::new(),
            actions: true,
            image_only: false,
            keeps_image: false,
            hpe_boot: false,
        }
    }
}

impl Default for Profile {
    fn default() -> Self {
        let words = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect();
        Self {
            name: "generic".into(),
            about: String::new(),
            vendor: "drp".into(),
            product: "Simulated BMC".into(),
            redfish_version: "1.18.0".into(),
            registry: "Base.1.18".into(),
            system: "1".into(),
            manager: "1".into(),
            chassis: "1".into(),
            manufacturer: "drp".into(),
            model: "Simulated machine".into(),
            manager_model: "Simulated BMC".into(),
            firmware: "1.0.0".into(),
            bios: "1.0.0".into(),
            trailing_slash: false,
            reversed_members: false,
            sessions_at: "SessionService/Sessions".into(),
            absolute_location: false,
            root_needs_login: false,
            reset_types: words(&[
                "On",
                "ForceOff",
                "GracefulShutdown",
                "GracefulRestart",
                "ForceRestart",
                "Nmi",
                "ForceOn",
                "PushPowerButton",
                "PowerCycle",
            ]),
            action_info: false,
            manager_reset_types: words(&["GracefulRestart", "ForceRestart"]),
            boot_targets: words(&[
                "None",
                "Pxe",
                "Floppy",
                "Cd",
                "Usb",
                "Hdd",
                "BiosSetup",
                "Utilities",
                "Diags",
                "UefiTarget",
                "UefiHttp",
            ]),
            refuses_same: false,
            shows_transition: true,
            light: words(&["LocationIndicatorActive"]),
            changed: 204,
            acted: 204,
            task_ms: 300,
            etags: true,
            etag_required: false,
            media: Media::default(),
            thermal: true,
            sensors: true,
            logs: Vec::new(),
            account_slots: 0,
            first_account: 1,
            manager_nics: words(&["eth0"]),
            words: BTreeMap::new(),
            merge: Vec::new(),
        }
    }
}

impl Profile {
    /// Names of the profiles that ship.
    pub fn names() -> [&'static str; 4] {
        BUILT_IN.map(|(name, _)| name)
    }

    /// A profile that ships.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, SimError> {
        let (_, text) = BUILT_IN.iter().find(|(other, _)| *other == name).ok_or_else(|| {
            SimError::Setting(format!(
                "there is no profile {name:?}; use {}, or a path to a file of your own",
                Self::names().join(", ")
            ))
        })?;
        Self::read(text).map_err(|e| SimError::Setting(format!("profile {name}: {e}")))
    }

    /// Reads one from YAML or JSON.
    ///
    /// # Errors
    /// What is wrong, with line and column.
    pub fn read(text: &str) -> Result<Self, String> {
        let profile: Self = serde_yaml_ng::from_str(text).map_err(|e| e.to_string())?;
        for id in [&profile.system, &profile.manager, &profile.chassis] {
            if id.is_empty() || id.contains(['/', '?', '#', ' ']) {
                return Err(format!("{id:?} is no id that a path can hold"));
            }
        }
        for status in [profile.changed, profile.acted] {
            if ![200, 202, 204].contains(&status) {
                return Err(format!("{status} is no status of success here; use 200, 202 or 204"));
            }
        }
        Ok(profile)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_that_ship_can_be_read() {
        for name in Profile::names() {
            let profile = Profile::named(name).unwrap();
            assert_eq!(profile.name, name);
            assert!(!profile.about.is_empty() && !profile.media.slots.is_empty(), "{name}");
            assert!(profile.logs.iter().any(|log| log.clear), "{name}");
            let first = &profile.media.slots[0].types;
            assert!(
                name == "supermicro" || !first.iter().any(|t| t == "CD"),
                "{name}: the slot for CDs must not be at the place where clients guess it"
            );
        }
        let error = Profile::named("pdp11").unwrap_err().to_string();
        assert!(error.contains("idrac") && error.contains("supermicro"), "{error}");
    }

    #[test]
    fn what_cannot_work_is_refused() {
        for (text, word) in [
            ("system: a/b\n", "a/b"),
            ("acted: 500\n", "500"),
            ("colour: red\n", "colour"),
            ("media: {slots: 7}\n", "slots"),
        ] {
            assert!(Profile::read(text).unwrap_err().contains(word), "{text}");
        }
    }
}
