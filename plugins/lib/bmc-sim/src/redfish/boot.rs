//! The boot override (DSP0268, ComputerSystem, `Boot`). It is the boot flags of IPMI: one machine has one.

use super::http::Answer;
use super::message::refuse;
use super::profile::Profile;
use super::tree::View;
use crate::engine::Engine;
use drp_ipmi::codec::boot::PARAM_FLAGS;
use drp_ipmi::{BootDevice, BootFlags};
use serde_json::{Value, json};

/// Selector of the boot flags for sources that IPMI has no word for; reserved there (IPMI 2.0 Table 28-14).
const NO_WORD: BootDevice = BootDevice::Other(0x0c);

const SOURCES: [(&str, BootDevice); 6] = [
    ("None", BootDevice::None),
    ("Pxe", BootDevice::Pxe),
    ("Hdd", BootDevice::Disk),
    ("Cd", BootDevice::Cdrom),
    ("BiosSetup", BootDevice::BiosSetup),
    ("Diags", BootDevice::Diagnostic),
];

pub(crate) fn read(view: &View<'_>) -> Value {
    let flags = view.machine.flags();
    let source = match flags.device {
        NO_WORD => view.state.other_boot.as_str(),
        device => SOURCES.iter().find(|(_, d)| *d == device).map_or("None", |(name, _)| name),
    };
    let enabled = match (flags.valid && flags.device != BootDevice::None, flags.persistent) {
        (false, _) => "Disabled",
        (true, false) => "Once",
        (true, true) => "Continuous",
    };
    json!({
        "BootSourceOverrideEnabled": enabled,
        "BootSourceOverrideTarget": if enabled == "Disabled" { "None" } else { source },
        "BootSourceOverrideMode": if flags.efi || !flags.valid { "UEFI" } else { "Legacy" },
        "BootSourceOverrideTarget@Redfish.AllowableValues": view.profile.boot_targets,
        "BootSourceOverrideEnabled@Redfish.AllowableValues": ["Disabled", "Once", "Continuous"],
        "BootSourceOverrideMode@Redfish.AllowableValues": ["UEFI", "Legacy"],
    })
}

impl Engine {
    /// PATCH of `Boot`. What is left out stays.
    pub(crate) fn set_boot_override(&mut self, p: &Profile, boot: &Value) -> Result<(), Box<Answer>> {
        let no = |key: &str, arguments: &[&str]| Err(Box::new(refuse(p, key, arguments)));
        let Value::Object(boot) = boot else { return Ok(()) };
        let mut flags = self.chassis.flags();
        let mut other = None;
        for (name, value) in boot {
            let Some(word) = value.as_str() else {
                return no("PropertyValueTypeError", &[&value.to_string(), name]);
            };
            match (name.as_str(), word) {
                ("BootSourceOverrideTarget", word) if p.boot_targets.iter().any(|target| target == word) => {
                    flags.device = match SOURCES.iter().find(|(name, _)| *name == word) {
                        Some((_, device)) => *device,
                        None => {
                            other = Some(word.to_owned());
                            NO_WORD
                        }
                    };
                }
                ("BootSourceOverrideEnabled", "Disabled") => flags.valid = false,
                ("BootSourceOverrideEnabled", "Once") => (flags.valid, flags.persistent) = (true, false),
                ("BootSourceOverrideEnabled", "Continuous") => {
                    (flags.valid, flags.persistent) = (true, true);
                }
                ("BootSourceOverrideMode", "UEFI") => flags.efi = true,
                ("BootSourceOverrideMode", "Legacy") => flags.efi = false,
                (
                    "BootSourceOverrideTarget" | "BootSourceOverrideEnabled" | "BootSourceOverrideMode",
                    word,
                ) => return no("PropertyValueNotInList", &[word, name]),
                ("UefiTargetBootSourceOverride" | "HttpBootUri", _) => {}
                _ => return no("PropertyUnknown", &[name]),
            }
        }
        if flags.device == BootDevice::None {
            flags.valid = false;
        }
        self.write_flags(&flags);
        if let Some(other) = other {
            self.web.other_boot = other;
        }
        Ok(())
    }

    /// Stores boot flags as an IPMI command does.
    pub(crate) fn write_flags(&mut self, flags: &BootFlags) {
        let data = [&[PARAM_FLAGS][..], &flags.encode()].concat();
        let _ = self.chassis.set_boot(&data, &mut self.counts);
    }
}
