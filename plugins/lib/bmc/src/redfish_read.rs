//! Sensors, event log, users and network settings over Redfish, in the form of [`crate::reading`]. Services leave out much and
//! get types wrong, so whatever is not as expected counts as absent.

use crate::reading::{
    Ipv4, Ipv6, Lan, LanInterface, Sel, SelEntry, Sensor, Sensors, Status, Thresholds, User, Users, clean,
};
use drp_redfish::{Members, SensorSource};
use serde_json::Value;

fn text(body: &Value, name: &str) -> String {
    body.get(name).and_then(Value::as_str).map(clean).unwrap_or_default()
}

fn number(body: &Value, name: &str) -> Option<f64> {
    body.get(name).and_then(Value::as_f64).filter(|n| n.is_finite())
}

fn list<'a>(body: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    body.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// What a resource is known by: its path, else the first of these names.
fn id(body: &Value, names: &[&str]) -> String {
    let path = text(body, "@odata.id");
    let named = || names.iter().map(|name| text(body, name)).find(|id| !id.is_empty());
    if path.is_empty() { named().unwrap_or_default() } else { path }
}

pub(crate) fn sensors(sources: &[SensorSource]) -> Sensors {
    let mut out = Sensors::default();
    for source in sources {
        match source {
            SensorSource::Sensors(members) => {
                out.sensors.extend(members.list.iter().map(sensor));
                out.missing = out.missing.take().or_else(|| members.missing.clone());
            }
            SensorSource::Thermal(body) => {
                out.sensors.extend(
                    list(body, "Temperatures").map(|one| old(one, "temperature", "ReadingCelsius", "C")),
                );
                out.sensors.extend(list(body, "Fans").map(|one| {
                    let unit = if text(one, "ReadingUnits") == "Percent" { "%" } else { "rpm" };
                    let field = if one.get("Reading").is_some() { "Reading" } else { "ReadingRPM" };
                    old(one, "fan", field, unit)
                }));
            }
            SensorSource::Power(body) => {
                out.sensors
                    .extend(list(body, "Voltages").map(|one| old(one, "voltage", "ReadingVolts", "V")));
                out.sensors.extend(
                    list(body, "PowerControl").map(|one| old(one, "power", "PowerConsumedWatts", "W")),
                );
                out.sensors.extend(list(body, "PowerSupplies").map(|one| {
                    let names = ["PowerOutputWatts", "LastPowerOutputWatts", "PowerInputWatts"];
                    let field =
                        names.into_iter().find(|name| number(one, name).is_some()).unwrap_or(names[0]);
                    old(one, "power supply", field, "W")
                }));
            }
        }
    }
    out
}

/// A member of a `Sensors` collection.
fn sensor(body: &Value) -> Sensor {
    let (kind, unit) = match (text(body, "ReadingType").as_str(), text(body, "ReadingUnits").as_str()) {
        ("Rotational", unit) => ("fan".to_owned(), unit.to_lowercase()),
        (kind, "Cel") => (kind.to_lowercase(), "C".to_owned()),
        (kind, "RPM") => (kind.to_lowercase(), "rpm".to_owned()),
        (kind, unit) => (kind.to_lowercase(), unit.to_owned()),
    };
    let limit = |name: &str| number(body.get("Thresholds")?.get(name)?, "Reading");
    judged(
        body,
        Sensor {
            id: id(body, &["Id"]),
            name: text(body, "Name"),
            kind,
            value: number(body, "Reading"),
            unit,
            thresholds: Thresholds {
                lower_warning: limit("LowerCaution"),
                lower_critical: limit("LowerCritical"),
                lower_unrecoverable: limit("LowerFatal"),
                upper_warning: limit("UpperCaution"),
                upper_critical: limit("UpperCritical"),
                upper_unrecoverable: limit("UpperFatal"),
            },
            ..Sensor::default()
        },
    )
}

/// An element of `Thermal` or `Power`.
fn old(body: &Value, kind: &str, field: &str, unit: &str) -> Sensor {
    let name = [text(body, "Name"), text(body, "FanName")].into_iter().find(|name| !name.is_empty());
    judged(
        body,
        Sensor {
            id: id(body, &["MemberId", "Name"]),
            name: name.unwrap_or_default(),
            kind: kind.to_owned(),
            value: number(body, field),
            unit: unit.to_owned(),
            thresholds: Thresholds {
                lower_warning: number(body, "LowerThresholdNonCritical"),
                lower_critical: number(body, "LowerThresholdCritical"),
                lower_unrecoverable: number(body, "LowerThresholdFatal"),
                upper_warning: number(body, "UpperThresholdNonCritical"),
                upper_critical: number(body, "UpperThresholdCritical"),
                upper_unrecoverable: number(body, "UpperThresholdFatal"),
            },
            ..Sensor::default()
        },
    )
}

fn health(word: &str) -> Status {
    match word {
        "OK" => Status::Ok,
        "Warning" => Status::Warning,
        "Critical" => Status::Critical,
        _ => Status::Unknown,
    }
}

/// With the status that the resource tells. A power supply without a reading is still well or not.
fn judged(body: &Value, sensor: Sensor) -> Sensor {
    let status = body.get("Status").unwrap_or(&Value::Null);
    let state = text(status, "State");
    if matches!(state.as_str(), "Absent" | "Disabled" | "UnavailableOffline" | "Deferring" | "Updating") {
        return sensor.unreadable(state.to_lowercase());
    }
    let status = health(&text(status, "Health"));
    if sensor.value.is_none() && (status == Status::Unknown || sensor.kind != "power supply") {
        return sensor.unreadable("no reading at the moment");
    }
    Sensor { status, states: if state.is_empty() { Vec::new() } else { vec![state] }, ..sensor }
}

pub(crate) fn sel(members: &Members) -> Sel {
    let mut entries: Vec<SelEntry> = members.list.iter().map(entry).collect();
    // Services give the newest first, or last. RFC 3339 in one zone sorts as text; without times the order is kept.
    if entries.iter().all(|entry| entry.time.is_some()) {
        entries.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| natural(&a.id).cmp(&natural(&b.id))));
    }
    let older = entries.len().saturating_sub(Sel::MOST);
    entries.drain(..older);
    let shown = u64::try_from(entries.len()).unwrap_or(u64::MAX);
    // Read up to the bound only: with the oldest first, the newest are not among them.
    let missing =
        members.missing.clone().filter(|_| members.total > u64::try_from(members.list.len()).unwrap_or(0));
    Sel { total: members.total, more: members.total > shown, entries, overflow: None, missing }
}

/// Ids as they are counted: 9 before 10.
fn natural(id: &str) -> (usize, &str) {
    (id.len(), id)
}

fn entry(body: &Value) -> SelEntry {
    let of = body.pointer("/Links/OriginOfCondition/@odata.id").and_then(Value::as_str).unwrap_or_default();
    let message = [text(body, "Message"), text(body, "MessageId"), text(body, "Name")];
    let key = text(body, "MessageId");
    SelEntry {
        id: text(body, "Id"),
        time: Some(text(body, "Created")).filter(|time| !time.is_empty()),
        sensor: clean(of.trim_end_matches('/').rsplit('/').next().unwrap_or_default()),
        kind: text(body, "SensorType").to_lowercase(),
        event: message.into_iter().find(|message| !message.is_empty()).unwrap_or_default(),
        asserted: match text(body, "EntryCode").as_str() {
            "Assert" => Some(true),
            "Deassert" => Some(false),
            _ => None,
        },
        severity: health(&text(body, "Severity")),
        clear_mark: key.ends_with("LogCleared") || key.ends_with("ClearLog"),
    }
}

pub(crate) fn users(members: &Members) -> Users {
    let users = members.list.iter().map(|body| User {
        id: text(body, "Id"),
        name: text(body, "UserName"),
        enabled: body.get("Enabled").and_then(Value::as_bool),
        privilege: match text(body, "RoleId").as_str() {
            "Administrator" => "administrator".to_owned(),
            "Operator" => "operator".to_owned(),
            "ReadOnly" => "user".to_owned(),
            "" | "None" | "NoAccess" => "none".to_owned(),
            other => other.to_lowercase(),
        },
        locked: body.get("Locked").and_then(Value::as_bool),
        access: Vec::new(),
    });
    // Services with a fixed number of slots show the empty ones, too.
    Users { users: users.filter(|user| !user.name.is_empty() || user.enabled == Some(true)).collect() }
}

fn origin(body: &Value) -> String {
    match text(body, "AddressOrigin").as_str() {
        "Static" => "static",
        "DHCP" | "DHCPv6" => "dhcp",
        "SLAAC" => "slaac",
        "LinkLocal" | "IPv4LinkLocal" => "linklocal",
        "BOOTP" => "bios",
        _ => "other",
    }
    .to_owned()
}

pub(crate) fn lan(members: &Members) -> Lan {
    let used = |address: &str| !matches!(address, "" | "0.0.0.0" | "::");
    let blank = |address: String| if used(&address) { address } else { String::new() };
    let interfaces = members.list.iter().map(|body| LanInterface {
        name: text(body, "Id"),
        mac: [text(body, "MACAddress"), text(body, "PermanentMACAddress")]
            .into_iter()
            .find(|mac| !mac.is_empty())
            .unwrap_or_default()
            .to_lowercase(),
        vlan: body.get("VLAN").filter(|vlan| vlan.get("VLANEnable") == Some(&Value::Bool(true))).and_then(
            |vlan| vlan.get("VLANId").and_then(Value::as_u64).and_then(|id| u16::try_from(id).ok()),
        ),
        ipv4: list(body, "IPv4Addresses").find(|ip| used(&text(ip, "Address"))).map(|ip| Ipv4 {
            address: text(ip, "Address"),
            netmask: blank(text(ip, "SubnetMask")),
            gateway: blank(text(ip, "Gateway")),
            source: origin(ip),
        }),
        ipv6: list(body, "IPv6Addresses")
            .filter(|ip| used(&text(ip, "Address")))
            .map(|ip| Ipv6 {
                address: text(ip, "Address"),
                prefix: ip.get("PrefixLength").and_then(Value::as_u64).and_then(|n| u8::try_from(n).ok()),
                source: origin(ip),
            })
            .collect(),
        hostname: [text(body, "FQDN"), text(body, "HostName")]
            .into_iter()
            .find(|n| !n.is_empty())
            .unwrap_or_default(),
    });
    Lan { interfaces: interfaces.collect() }
}

#[cfg(test)]
#[path = "redfish_read_tests.rs"]
mod tests;
