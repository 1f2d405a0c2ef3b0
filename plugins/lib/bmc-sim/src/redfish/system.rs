//! The machine (DSP0268, ComputerSystem): what it shows, its reset action, its light.

use super::http::{Answer, Request};
use super::message::refuse;
use super::profile::Profile;
use super::tree::{View, well, with};
use super::{boot, service};
use crate::engine::Engine;
use drp_ipmi::{ChassisControl, CompletionCode};
use serde_json::{Value, json};
use std::time::Instant;

const RESET: &str = "ComputerSystem.Reset";

/// The UUID: the GUID that IPMI tells, whose first three fields are little-endian (IPMI 2.0 §20.8).
pub(crate) fn uuid(view: &View<'_>) -> String {
    let hex = |range: &mut dyn Iterator<Item = &u8>| range.fold(String::new(), |t, b| format!("{t}{b:02x}"));
    let g = &view.config.guid;
    let part = |from: usize, to: usize| g.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}-{}-{}",
        hex(&mut part(0, 4).iter().rev()),
        hex(&mut part(4, 6).iter().rev()),
        hex(&mut part(6, 8).iter().rev()),
        hex(&mut part(8, 10).iter()),
        hex(&mut part(10, 16).iter())
    )
}

/// `PowerState`.
pub(crate) fn power(view: &View<'_>) -> &'static str {
    let heading =
        view.machine.heading(view.now, view.config.power_delay).filter(|_| view.profile.shows_transition);
    match (view.machine.power(), heading) {
        (false, Some(true)) => "PoweringOn",
        (true, Some(false)) => "PoweringOff",
        (true, _) => "On",
        (false, _) => "Off",
    }
}

pub(crate) fn read(view: &View<'_>) -> Value {
    let p = view.profile;
    let at = format!("Systems/{}", p.system);
    let mut reset = json!({ "target": view.action(&at, RESET) });
    if p.action_info {
        reset["@Redfish.ActionInfo"] = json!(view.path(&format!("{at}/ResetActionInfo")));
    } else {
        reset["ResetType@Redfish.AllowableValues"] = json!(p.reset_types);
    }
    let part = |name: &str| view.link(&format!("{at}/{name}"));
    let mut body = with(
        view.head(&at, "ComputerSystem.v1_20_0.ComputerSystem", &p.system, "System"),
        json!({
            "SystemType": "Physical",
            "Manufacturer": p.manufacturer,
            "Model": p.model,
            "SerialNumber": format!("SIM{:05}", super::inventory::number(view)),
            "AssetTag": "",
            "HostName": "",
            "UUID": uuid(view),
            "BiosVersion": p.bios,
            "PowerState": power(view),
            "Status": well(),
            "ProcessorSummary": { "Count": 2, "Model": "Simulated CPU", "Status": { "HealthRollup": "OK", "State": "Enabled" } },
            "MemorySummary": { "TotalSystemMemoryGiB": 64, "Status": { "HealthRollup": "OK", "State": "Enabled" } },
            "Boot": boot::read(view),
            "Bios": part("Bios"),
            "Processors": part("Processors"),
            "Memory": part("Memory"),
            "Storage": part("Storage"),
            "SimpleStorage": part("SimpleStorage"),
            "EthernetInterfaces": part("EthernetInterfaces"),
            "NetworkInterfaces": part("NetworkInterfaces"),
            "SecureBoot": part("SecureBoot"),
            "Links": {
                "Chassis": [view.link(&format!("Chassis/{}", p.chassis))],
                "ManagedBy": [view.link(&format!("Managers/{}", p.manager))],
            },
            "Actions": { format!("#{RESET}"): reset },
        }),
    );
    let on = view.machine.identify(view.now).is_some();
    for light in &p.light {
        body[light.as_str()] = match light.as_str() {
            "IndicatorLED" => json!(if on { "Blinking" } else { "Off" }),
            _ => json!(on),
        };
    }
    if p.logs.iter().any(|log| log.of == "system") {
        body["LogServices"] = part("LogServices");
    }
    if p.media.of_system {
        body["VirtualMedia"] = part("VirtualMedia");
    }
    body
}

/// The values of the reset action, where the profile has them apart (DSP0266, "Action info").
pub(crate) fn action_info(view: &View<'_>) -> Option<Value> {
    let p = view.profile;
    let at = format!("Systems/{}/ResetActionInfo", p.system);
    p.action_info.then(|| {
        with(
            view.head(&at, "ActionInfo.v1_4_0.ActionInfo", "ResetActionInfo", "Reset Action Info"),
            json!({ "Parameters": [{
                "Name": "ResetType", "Required": true, "DataType": "String", "AllowableValues": p.reset_types,
            }] }),
        )
    })
}

impl Engine {
    /// POST ComputerSystem.Reset.
    pub(crate) fn reset(&mut self, p: &Profile, request: &Request, now: Instant, stuck: bool) -> Answer {
        let asked = match request.json.as_ref().and_then(|body| body.get("ResetType")) {
            None => return refuse(p, "ActionParameterMissing", &[RESET, "ResetType"]),
            Some(asked) => asked.as_str().unwrap_or_default(),
        };
        if !p.reset_types.iter().any(|offered| offered == asked) {
            return refuse(p, "ActionParameterValueNotInList", &[asked, "ResetType", RESET]);
        }
        let on = self.chassis.power();
        let control = match (asked, on) {
            ("On" | "ForceOn", _) | ("PushPowerButton", false) => ChassisControl::PowerUp,
            ("ForceOff", _) => ChassisControl::PowerDown,
            ("GracefulShutdown", _) | ("PushPowerButton", true) => ChassisControl::SoftShutdown,
            ("PowerCycle", _) => ChassisControl::PowerCycle,
            ("Nmi", _) => ChassisControl::DiagnosticInterrupt,
            _ => ChassisControl::HardReset,
        };
        let same =
            matches!((control, on), (ChassisControl::PowerUp, true) | (ChassisControl::PowerDown, false));
        let needs_power =
            matches!(control, ChassisControl::SoftShutdown | ChassisControl::DiagnosticInterrupt);
        if (same || (needs_power && !on)) && p.refuses_same {
            return refuse(p, if on { "AlreadyOn" } else { "AlreadyOff" }, &[]);
        }
        let done = self.chassis.control(&[control.id()], now, &self.config, (&mut self.counts, stuck));
        match done {
            CompletionCode::OK => service::acted(self, p, RESET, now),
            CompletionCode::NOT_IN_PRESENT_STATE if p.words.contains_key("AlreadyOff") => {
                refuse(p, "AlreadyOff", &[])
            }
            _ => refuse(p, "ResourceInUse", &[]),
        }
    }

    /// PATCH of the system: boot override, light.
    pub(crate) fn patch_system(&mut self, p: &Profile, request: &Request, now: Instant) -> Answer {
        let Some(Value::Object(body)) = &request.json else { return refuse(p, "MalformedJSON", &[]) };
        if body.is_empty() {
            return refuse(p, "EmptyJSON", &[]);
        }
        let mut light = None;
        for (name, value) in body {
            match (name.as_str(), value) {
                ("Boot", Value::Object(_)) => {}
                ("LocationIndicatorActive" | "IndicatorLED", _) if !p.light.contains(name) => {
                    return refuse(p, "PropertyUnknown", &[name]);
                }
                ("LocationIndicatorActive", Value::Bool(on)) => light = Some(*on),
                ("IndicatorLED", Value::String(word)) => match word.as_str() {
                    "Off" => light = Some(false),
                    "Lit" | "Blinking" => light = Some(true),
                    other => return refuse(p, "PropertyValueNotInList", &[other, name]),
                },
                ("LocationIndicatorActive" | "IndicatorLED" | "Boot", other) => {
                    return refuse(p, "PropertyValueTypeError", &[&other.to_string(), name]);
                }
                ("Id" | "UUID" | "PowerState" | "Status" | "Model" | "Manufacturer" | "SerialNumber", _) => {
                    return refuse(p, "PropertyNotWritable", &[name]);
                }
                _ => return refuse(p, "PropertyUnknown", &[name]),
            }
        }
        if let Some(boot) = body.get("Boot")
            && let Err(refusal) = self.set_boot_override(p, boot)
        {
            return *refusal;
        }
        if let Some(on) = light {
            self.counts.identifies += 1;
            self.chassis.set_light(on, now);
        }
        service::changed(p)
    }
}
