//! Devices, as far as this plugin reads and writes them.

use serde_json::{Value, json};

/// A device: a machine of the service.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Device {
    pub(crate) id: String,
    pub(crate) hostname: String,
    /// `queued`, `provisioning`, `active`, `inactive`, `failed`, `powering_on`, `powering_off`, `reinstalling`,
    /// `deprovisioning`, `deleted`, or what a compatible service says.
    pub(crate) state: String,
    pub(crate) locked: bool,
    pub(crate) always_pxe: Option<bool>,
    pub(crate) ipxe_script_url: String,
    pub(crate) plan: String,
    pub(crate) facility: String,
    pub(crate) metro: String,
    pub(crate) project: String,
    pub(crate) tags: Vec<String>,
    /// Of the provisioning, in percent; only while it lasts.
    pub(crate) percent: Option<u8>,
    /// Public IPv4 address.
    pub(crate) address: Option<String>,
    /// MAC addresses of ports of type `NetworkPort`.
    pub(crate) macs: Vec<String>,
}

/// Power as the state of a device tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Power {
    On,
    Off,
    Unknown,
}

impl Power {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unknown => "unknown",
        }
    }
}

impl Device {
    /// Reads what the service says. Without an id and a state it is no device.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let text = |path: &str| value.pointer(path).and_then(Value::as_str).unwrap_or_default().to_owned();
        let list =
            |name: &str| value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let id = text("/id");
        let state = text("/state");
        if !is_id(&id) || state.is_empty() {
            return None;
        }
        let public = list("ip_addresses")
            .iter()
            .find(|ip| ip.get("public") == Some(&json!(true)) && ip.get("address_family") == Some(&json!(4)));
        let address = public.and_then(|ip| ip.get("address")).and_then(Value::as_str);
        let macs = list("network_ports")
            .iter()
            .filter(|port| port.get("type").and_then(Value::as_str) == Some("NetworkPort"))
            .filter_map(|port| port.pointer("/data/mac").and_then(Value::as_str));
        let project = match text("/project/id") {
            id if id.is_empty() => text("/project/href").rsplit('/').next().unwrap_or_default().to_owned(),
            id => id,
        };
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let percent =
            value.get("provisioning_percentage").and_then(Value::as_f64).map(|p| p.clamp(0.0, 100.0) as u8);
        Some(Self {
            hostname: text("/hostname"),
            locked: value.get("locked").and_then(Value::as_bool).unwrap_or_default(),
            always_pxe: value.get("always_pxe").and_then(Value::as_bool),
            ipxe_script_url: text("/ipxe_script_url"),
            plan: text("/plan/slug"),
            facility: text("/facility/code"),
            metro: text("/metro/code"),
            project,
            tags: list("tags").iter().filter_map(Value::as_str).map(str::to_owned).collect(),
            percent,
            address: address.and_then(|a| a.parse::<std::net::Ipv4Addr>().ok()).map(|a| a.to_string()),
            macs: macs.filter(|mac| is_mac(mac)).map(str::to_lowercase).collect(),
            id,
            state,
        })
    }

    pub(crate) fn power(&self) -> Power {
        match self.state.as_str() {
            "active" => Power::On,
            "inactive" => Power::Off,
            _ => Power::Unknown,
        }
    }

    /// It is on its way to being there.
    pub(crate) fn is_coming(&self) -> bool {
        matches!(self.state.as_str(), "queued" | "provisioning" | "post_provisioning" | "reinstalling")
    }

    /// It is on its way out.
    pub(crate) fn is_going(&self) -> bool {
        matches!(self.state.as_str(), "deprovisioning" | "deleted")
    }

    /// Where its serial console is reached.
    pub(crate) fn sos(&self) -> Option<String> {
        (!self.facility.is_empty()).then(|| format!("{}@sos.{}.packet.net", self.id, self.facility))
    }
}

/// Whether a text can be an id of this API: it becomes part of a path.
pub(crate) fn is_id(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && text.split(':').all(|byte| byte.len() == 2 && u8::from_str_radix(byte, 16).is_ok())
}

/// What a device is made from.
#[derive(Debug, Clone)]
pub(crate) struct NewDevice {
    pub(crate) hostname: String,
    pub(crate) plan: String,
    pub(crate) facility: String,
    /// Wins over the facility.
    pub(crate) metro: Option<String>,
    pub(crate) always_pxe: bool,
    pub(crate) ipxe_script_url: String,
    /// By which it is found again.
    pub(crate) tag: String,
}

impl NewDevice {
    pub(crate) fn body(&self) -> Value {
        let mut body = json!({
            "hostname": self.hostname,
            "plan": self.plan,
            "operating_system": "custom_ipxe",
            "billing_cycle": "hourly",
            "always_pxe": self.always_pxe,
            "ipxe_script_url": self.ipxe_script_url,
            "tags": [self.tag],
        });
        match &self.metro {
            Some(metro) => body["metro"] = json!(metro),
            None => body["facility"] = json!([self.facility]),
        }
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_is_read_and_oddities_are_passed_over() {
        let device = Device::parse(&json!({
            "id": "abc-1", "state": "provisioning", "hostname": "n1", "provisioning_percentage": 33.3,
            "plan": {"slug": "c3.small.x86"}, "facility": {"code": "ewr1"}, "metro": {"code": "ny"},
            "project": {"href": "/metal/v1/projects/p-1"}, "tags": ["a", 7],
            "ip_addresses": [
                {"address": "10.0.0.5", "address_family": 4, "public": false},
                {"address": "2001:db8::1", "address_family": 6, "public": true},
                {"address": "198.51.100.7", "address_family": 4, "public": true},
            ],
            "network_ports": [
                {"type": "NetworkBondPort", "data": {"mac": "00:00:00:00:00:01"}},
                {"type": "NetworkPort", "data": {"mac": "0C:42:A1:00:00:02"}},
                {"type": "NetworkPort", "data": {"mac": null}},
                {"type": "NetworkPort"},
            ],
        }))
        .unwrap();
        assert_eq!(device.address.as_deref(), Some("198.51.100.7"));
        assert_eq!(device.macs, ["0c:42:a1:00:00:02"]);
        assert_eq!((device.percent, device.project.as_str(), device.tags.len()), (Some(33), "p-1", 1));
        assert_eq!(device.sos().unwrap(), "abc-1@sos.ewr1.packet.net");
        assert!(device.is_coming() && device.power() == Power::Unknown);
    }

    #[test]
    fn what_is_no_device_is_none() {
        for odd in [
            json!(null),
            json!([]),
            json!({}),
            json!({"id": "a/../b", "state": "active"}),
            json!({"id": "a"}),
            json!({"id": 7, "state": "active"}),
        ] {
            assert_eq!(Device::parse(&odd), None, "{odd}");
        }
        let odd = json!({"id": "a", "state": "active", "tags": 7, "ip_addresses": {}, "network_ports": [1, null],
            "provisioning_percentage": -1e300, "locked": "yes"});
        let device = Device::parse(&odd).unwrap();
        assert_eq!((device.percent, device.locked, device.power()), (Some(0), false, Power::On));
    }

    #[test]
    fn a_metro_takes_the_place_of_the_facility() {
        let mut new = NewDevice {
            hostname: "n".into(),
            plan: "p".into(),
            facility: "ewr1".into(),
            metro: None,
            always_pxe: true,
            ipxe_script_url: "http://x/".into(),
            tag: "t".into(),
        };
        assert_eq!(new.body()["facility"], json!(["ewr1"]));
        new.metro = Some("ny".into());
        assert_eq!((&new.body()["metro"], new.body().get("facility")), (&json!("ny"), None));
    }
}
