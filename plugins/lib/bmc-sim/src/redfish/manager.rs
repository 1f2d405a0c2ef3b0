//! The BMC itself (DSP0268: Manager, EthernetInterface, ManagerNetworkProtocol).

use super::http::{Answer, Request};
use super::message::refuse;
use super::profile::Profile;
use super::service;
use super::tree::{View, merge_into, well, with};
use crate::engine::Engine;
use serde_json::{Value, json};
use std::time::Instant;

const RESET: &str = "Manager.Reset";

pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let p = view.profile;
    let manager = format!("Managers/{}", p.manager);
    let at = [manager.as_str()].into_iter().chain(rest.iter().copied()).collect::<Vec<_>>().join("/");
    let part = |name: &str| view.link(&format!("{manager}/{name}"));
    Some(match rest {
        [] => {
            let mut body = with(
                view.head(&at, "Manager.v1_19_0.Manager", &p.manager, "Manager"),
                json!({
                    "ManagerType": "BMC",
                    "Model": p.manager_model,
                    "FirmwareVersion": p.firmware,
                    "UUID": super::system::uuid(view),
                    "PowerState": "On",
                    "Status": well(),
                    "EthernetInterfaces": part("EthernetInterfaces"),
                    "NetworkProtocol": part("NetworkProtocol"),
                    "LogServices": part("LogServices"),
                    "Links": {
                        "ManagerForServers": [view.link(&format!("Systems/{}", p.system))],
                        "ManagerForChassis": [view.link(&format!("Chassis/{}", p.chassis))],
                    },
                    "Actions": { format!("#{RESET}"): {
                        "target": view.action(&manager, RESET),
                        "ResetType@Redfish.AllowableValues": p.manager_reset_types,
                    } },
                }),
            );
            if !p.media.of_system {
                body["VirtualMedia"] = part("VirtualMedia");
            }
            body
        }
        ["EthernetInterfaces"] => view.collection(&at, "EthernetInterface", &p.manager_nics),
        ["EthernetInterfaces", id] if p.manager_nics.iter().any(|nic| nic == id) => {
            let number = super::inventory::number(view);
            let [high, low] = number.to_be_bytes();
            let mut body = with(
                view.head(
                    &at,
                    "EthernetInterface.v1_11_0.EthernetInterface",
                    id,
                    "Manager Ethernet Interface",
                ),
                json!({
                    "InterfaceEnabled": true,
                    "MACAddress": format!("02:42:ff:00:{high:02x}:{low:02x}"),
                    "SpeedMbps": 1000,
                    "FullDuplex": true,
                    "HostName": format!("bmc-{number}"),
                    "FQDN": format!("bmc-{number}.example.net"),
                    "DHCPv4": { "DHCPEnabled": false },
                    "IPv4Addresses": [{
                        "Address": format!("192.0.2.{}", low.max(1)), "SubnetMask": "255.255.255.0",
                        "AddressOrigin": "Static", "Gateway": "192.0.2.254",
                    }],
                    "IPv4StaticAddresses": [{
                        "Address": format!("192.0.2.{}", low.max(1)), "SubnetMask": "255.255.255.0", "Gateway": "192.0.2.254",
                    }],
                    "IPv6Addresses": [],
                    "NameServers": ["192.0.2.53"],
                    "StaticNameServers": ["192.0.2.53"],
                    "VLAN": { "VLANEnable": false, "VLANId": 0 },
                    "LinkStatus": "LinkUp",
                    "Status": well(),
                }),
            );
            if let Some(patched) = view.state.nics.get(*id) {
                merge_into(&mut body, patched);
            }
            body
        }
        ["NetworkProtocol"] => with(
            view.head(
                &at,
                "ManagerNetworkProtocol.v1_10_0.ManagerNetworkProtocol",
                "NetworkProtocol",
                "Network Protocol",
            ),
            json!({
                "HTTPS": { "ProtocolEnabled": true, "Port": 443 },
                "IPMI": { "ProtocolEnabled": view.config.ipmi, "Port": 623 },
                "NTP": { "ProtocolEnabled": false, "NTPServers": [] },
                "Status": well(),
            }),
        ),
        _ => return None,
    })
}

impl Engine {
    /// POST Manager.Reset: the BMC forgets its sessions and is away for its boot time.
    pub(crate) fn reset_manager(&mut self, p: &Profile, request: &Request, now: Instant) -> Answer {
        let asked = request.json.as_ref().and_then(|body| body.get("ResetType")).and_then(Value::as_str);
        if let Some(asked) = asked
            && !p.manager_reset_types.iter().any(|offered| offered == asked)
        {
            return refuse(p, "ActionParameterValueNotInList", &[asked, "ResetType", RESET]);
        }
        self.restart_bmc(now);
        // A task would be forgotten with everything else.
        service::changed(p)
    }

    /// PATCH of an interface: kept and shown, and nothing moves.
    pub(crate) fn patch_nic(&mut self, p: &Profile, id: &str, request: &Request) -> Answer {
        const WRITABLE: [&str; 8] = [
            "DHCPv4",
            "IPv4StaticAddresses",
            "IPv6StaticAddresses",
            "StaticNameServers",
            "HostName",
            "FQDN",
            "VLAN",
            "InterfaceEnabled",
        ];
        let Some(Value::Object(body)) = &request.json else { return refuse(p, "MalformedJSON", &[]) };
        if let Some(name) = body.keys().find(|name| !WRITABLE.contains(&name.as_str())) {
            return refuse(p, "PropertyNotWritable", &[name]);
        }
        let kept = self.web.nics.entry(id.to_owned()).or_insert_with(|| json!({}));
        merge_into(kept, &Value::Object(body.clone()));
        // What is configured is in use.
        if let Some(addresses) = body.get("IPv4StaticAddresses") {
            kept["IPv4Addresses"] = addresses.clone();
        }
        service::changed(p)
    }
}
