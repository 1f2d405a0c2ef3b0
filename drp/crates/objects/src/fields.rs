//! Fields that have a form beyond their JSON type: IP addresses, UUIDs, and what a subnet has when it does not say
//! (wire-protocol §2.1, §2.4).
//!
//! They are part of decoding, so a document in which one is wrong does not decode, as with clients that have a type for
//! it; and every object shows them in one way of writing.

use drp_protocol::JsonMap;
use serde_json::{Value, json};
use std::net::{IpAddr, Ipv4Addr};

/// Fields of a type that hold one IP address each.
const ADDRESSES: &[(&str, &[&str])] = &[
    ("leases", &["Addr", "NextServer", "Via"]),
    ("machines", &["Address"]),
    ("reservations", &["Addr", "NextServer"]),
    ("subnets", &["NextServer", "ActiveStart", "ActiveEnd"]),
];

/// Fields of a type that hold one UUID each.
const UUIDS: &[(&str, &[&str])] = &[("machines", &["CurrentJob"]), ("jobs", &["Previous", "Machine"])];

/// Seconds of a lease, and of a reservation, when a subnet does not say.
const LEASE: i64 = 60;
const RESERVED_LEASE: i64 = 7200;

fn fields(table: &'static [(&str, &[&'static str])], prefix: &str) -> &'static [&'static str] {
    table.iter().find(|(of, _)| *of == prefix).map_or(&[], |(_, fields)| fields)
}

/// Brings the fields of a typed object into their one form and fills what has a default.
///
/// # Errors
/// The field and what is wrong with it.
pub(crate) fn settle(prefix: &str, object: &mut JsonMap) -> Result<(), String> {
    for field in fields(ADDRESSES, prefix) {
        each(object, field, |text| match canonical(text) {
            Some(ip) => Ok(ip.to_string()),
            None => Err(format!("{field}: {text:?} is not an IP address")),
        })?;
    }
    for field in fields(UUIDS, prefix) {
        each(object, field, |text| match uuid::Uuid::parse_str(text) {
            Ok(uuid) if uuid.is_nil() => Ok(String::new()),
            Ok(uuid) => Ok(uuid.to_string()),
            Err(_) => Err(format!("{field}: {text:?} is not a UUID")),
        })?;
    }
    match prefix {
        "subnets" => {
            each(object, "Subnet", |text| match network(text) {
                Some((ip, bits)) => Ok(format!("{ip}/{bits}")),
                None => Err(format!("Subnet: {text:?} is not an IPv4 network such as 192.168.1.0/24")),
            })?;
            default(object, "ActiveLeaseTime", &json!(0), json!(LEASE));
            default(object, "ReservedLeaseTime", &json!(0), json!(RESERVED_LEASE));
            default(object, "Pickers", &json!([]), json!(["hint", "nextFree", "mostExpired"]));
            default(object, "Strategy", &json!(""), json!("MAC"));
        }
        "leases" | "reservations" => default(object, "Strategy", &json!(""), json!("MAC")),
        _ => {}
    }
    Ok(())
}

fn each(
    object: &mut JsonMap,
    field: &str,
    form: impl Fn(&str) -> Result<String, String>,
) -> Result<(), String> {
    if let Some(Value::String(text)) = object.get_mut(field)
        && !text.is_empty()
    {
        *text = form(text)?;
    }
    Ok(())
}

fn default(object: &mut JsonMap, field: &str, empty: &Value, value: Value) {
    if object.get(field) == Some(empty) {
        object.insert(field.to_owned(), value);
    }
}

/// An IP address; an IPv4 address that is written as an IPv6 one is an IPv4 address.
fn canonical(text: &str) -> Option<IpAddr> {
    text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// The address and the prefix length of an IPv4 network in CIDR form. The address may be one within.
pub(crate) fn network(text: &str) -> Option<(Ipv4Addr, u32)> {
    let (ip, bits) = text.split_once('/')?;
    let bits = bits.parse::<u32>().ok().filter(|bits| *bits <= 32)?;
    Some((ip.parse().ok()?, bits))
}

#[cfg(test)]
mod tests {
    use super::settle;
    use serde_json::{Value, json};

    fn settled(prefix: &str, object: Value) -> Result<Value, String> {
        let mut map = object.as_object().unwrap().clone();
        settle(prefix, &mut map).map(|()| Value::from(map))
    }

    #[test]
    fn addresses_and_uuids_have_one_form() {
        for (prefix, given, want) in [
            ("machines", json!({"Address": ""}), json!({"Address": ""})),
            ("machines", json!({"Address": "::ffff:10.0.0.9"}), json!({"Address": "10.0.0.9"})),
            ("machines", json!({"Address": "2001:DB8:0::1"}), json!({"Address": "2001:db8::1"})),
            (
                "jobs",
                json!({"Machine": "3E7031FE-3062-45F1-835C-92541BC9CBD3", "Previous": "00000000-0000-0000-0000-000000000000"}),
                json!({"Machine": "3e7031fe-3062-45f1-835c-92541bc9cbd3", "Previous": ""}),
            ),
            ("leases", json!({"Strategy": ""}), json!({"Strategy": "MAC"})),
            ("profiles", json!({"Addr": "x"}), json!({"Addr": "x"})),
        ] {
            assert_eq!(settled(prefix, given).unwrap(), want);
        }
    }

    #[test]
    fn what_has_no_such_form_does_not_decode() {
        for (prefix, given, text) in [
            ("machines", json!({"Address": "10.0.0"}), "Address: \"10.0.0\" is not an IP address"),
            ("leases", json!({"Via": "x"}), "Via: \"x\" is not an IP address"),
            ("jobs", json!({"Machine": "x"}), "Machine: \"x\" is not a UUID"),
            ("subnets", json!({"Subnet": "10.0.0.0"}), "is not an IPv4 network"),
            ("subnets", json!({"Subnet": "10.0.0.0/33"}), "is not an IPv4 network"),
            ("subnets", json!({"Subnet": "fe80::/10"}), "is not an IPv4 network"),
        ] {
            assert!(settled(prefix, given).unwrap_err().contains(text), "{text}");
        }
    }
}
