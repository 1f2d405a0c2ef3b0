//! What the machine is made of (DSP0268: Bios, Processor, Memory, Storage, Drive, SimpleStorage, EthernetInterface,
//! NetworkInterface, SecureBoot).

use super::http::{Answer, Request};
use super::message::refuse;
use super::profile::Profile;
use super::service;
use super::tree::{View, well, with};
use crate::engine::Engine;
use serde_json::{Value, json};

/// The number of the simulated machine, for serial numbers and addresses.
pub(crate) fn number(view: &View<'_>) -> u16 {
    view.config.guid.last_chunk::<2>().map_or(0, |bytes| u16::from_be_bytes(*bytes))
}

fn mac(view: &View<'_>, port: u8) -> String {
    let [high, low] = number(view).to_be_bytes();
    format!("02:42:{port:02x}:00:{high:02x}:{low:02x}")
}

/// A part of the system: a resource, a collection or a member.
pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let system = format!("Systems/{}", view.profile.system);
    let at = format!("{system}/{}", rest.join("/"));
    let head = |kind: &str, id: &str, name: &str| view.head(&at, kind, id, name);
    Some(match rest {
        ["Bios"] => with(
            head("Bios.v1_2_1.Bios", "Bios", "BIOS Settings"),
            json!({
                "Attributes": view.state.bios,
                "AttributeRegistry": "SimulatedBiosAttributeRegistry.1.0",
                "@Redfish.Settings": {
                    "@odata.type": "#Settings.v1_3_5.Settings",
                    "SettingsObject": view.link(&format!("{system}/Bios/Settings")),
                },
            }),
        ),
        ["Bios", "Settings"] => with(
            head("Bios.v1_2_1.Bios", "Settings", "Pending BIOS Settings"),
            json!({ "Attributes": view.state.bios_pending }),
        ),
        ["Processors"] => view.collection(&at, "Processor", &["CPU1", "CPU2"]),
        ["Processors", id @ ("CPU1" | "CPU2")] => with(
            head("Processor.v1_19_0.Processor", id, "Processor"),
            json!({
                "Socket": id, "ProcessorType": "CPU", "ProcessorArchitecture": "x86", "InstructionSet": "x86-64",
                "Manufacturer": "Simulated", "Model": "Simulated CPU", "MaxSpeedMHz": 3200, "TotalCores": 16,
                "TotalThreads": 32, "Status": well(),
            }),
        ),
        ["Memory"] => view.collection(&at, "Memory", &["DIMM1", "DIMM2", "DIMM3", "DIMM4"]),
        ["Memory", id @ ("DIMM1" | "DIMM2" | "DIMM3" | "DIMM4")] => with(
            head("Memory.v1_19_0.Memory", id, id),
            json!({
                "CapacityMiB": 16384, "MemoryDeviceType": "DDR5", "OperatingSpeedMhz": 4800, "Manufacturer": "Simulated",
                "PartNumber": "SIM-16G", "SerialNumber": format!("{id}-{:05}", number(view)), "Status": well(),
            }),
        ),
        ["Storage"] => view.collection(&at, "Storage", &["RAID.1"]),
        ["Storage", "RAID.1"] => with(
            head("Storage.v1_15_1.Storage", "RAID.1", "Storage Controller"),
            json!({
                "StorageControllers": [{
                    "@odata.id": format!("{}#/StorageControllers/0", view.path(&at)), "MemberId": "0",
                    "Name": "Simulated RAID", "Model": "Simulated RAID", "FirmwareVersion": "1.0", "Status": well(),
                }],
                "Drives": [view.link(&format!("{at}/Drives/0")), view.link(&format!("{at}/Drives/1"))],
                "Drives@odata.count": 2,
                "Status": { "State": "Enabled", "Health": "OK", "HealthRollup": "OK" },
            }),
        ),
        ["Storage", "RAID.1", "Drives", id @ ("0" | "1")] => with(
            head("Drive.v1_19_0.Drive", id, "Drive"),
            json!({
                "CapacityBytes": 960_197_124_096_u64, "MediaType": "SSD", "Protocol": "SATA", "Manufacturer": "Simulated",
                "Model": "SIM-SSD", "SerialNumber": format!("D{id}{:05}", number(view)), "Status": well(),
            }),
        ),
        ["SimpleStorage"] => view.collection(&at, "SimpleStorage", &["1"]),
        ["SimpleStorage", "1"] => with(
            head("SimpleStorage.v1_3_1.SimpleStorage", "1", "Simple Storage"),
            json!({
                "Devices": [
                    { "Name": "Drive 0", "CapacityBytes": 960_197_124_096_u64, "Status": well() },
                    { "Name": "Drive 1", "CapacityBytes": 960_197_124_096_u64, "Status": well() },
                ],
                "Status": well(),
            }),
        ),
        ["EthernetInterfaces"] => view.collection(&at, "EthernetInterface", &["NIC1", "NIC2"]),
        ["EthernetInterfaces", id @ ("NIC1" | "NIC2")] => {
            let port = if *id == "NIC1" { 1 } else { 2 };
            with(
                head("EthernetInterface.v1_11_0.EthernetInterface", id, "Ethernet Interface"),
                json!({
                    "MACAddress": mac(view, port), "PermanentMACAddress": mac(view, port), "SpeedMbps": 10000,
                    "LinkStatus": if view.machine.power() { "LinkUp" } else { "NoLink" }, "Status": well(),
                }),
            )
        }
        ["NetworkInterfaces"] => view.collection(&at, "NetworkInterface", &["NIC"]),
        ["NetworkInterfaces", "NIC"] => with(
            head("NetworkInterface.v1_2_2.NetworkInterface", "NIC", "Network Interface"),
            json!({ "Status": well() }),
        ),
        ["SecureBoot"] => with(
            head("SecureBoot.v1_1_1.SecureBoot", "SecureBoot", "UEFI Secure Boot"),
            json!({
                "SecureBootEnable": view.state.secure_boot,
                "SecureBootCurrentBoot": if view.state.secure_boot { "Enabled" } else { "Disabled" },
                "SecureBootMode": "UserMode",
            }),
        ),
        _ => return None,
    })
}

impl Engine {
    /// PATCH of pending BIOS settings. They come into force at the next start of the machine, which is not simulated.
    pub(crate) fn patch_bios(&mut self, p: &Profile, request: &Request) -> Answer {
        let attributes = request.json.as_ref().and_then(|body| body.get("Attributes"));
        let Some(Value::Object(attributes)) = attributes else {
            return refuse(p, "PropertyMissing", &["Attributes"]);
        };
        if let Some(unknown) = attributes.keys().find(|name| !self.web.bios.contains_key(*name)) {
            return refuse(p, "PropertyUnknown", &[unknown]);
        }
        self.counts.firmware_sets += 1;
        self.web.bios_pending.extend(attributes.clone());
        service::changed(p)
    }

    /// PATCH of secure boot.
    pub(crate) fn patch_secure_boot(&mut self, p: &Profile, request: &Request) -> Answer {
        let asked = request.json.as_ref().and_then(|body| body.get("SecureBootEnable"));
        match asked {
            Some(Value::Bool(on)) => {
                self.counts.firmware_sets += 1;
                self.web.secure_boot = *on;
                service::changed(p)
            }
            Some(other) => refuse(p, "PropertyValueTypeError", &[&other.to_string(), "SecureBootEnable"]),
            None => refuse(p, "PropertyMissing", &["SecureBootEnable"]),
        }
    }
}
