//! The network interfaces of this host (wire-protocol §2.4).

use crate::http::{Answer, Call, Reply};
use drp_protocol::{Error, Interface};
use http::Method;
use std::collections::BTreeMap;

/// GET `/interfaces[/<name>]`.
pub(super) fn route(call: &Call, path: &[&str]) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    match path {
        [] => {
            call.claim("interfaces", "list", "")?;
            Ok(Reply::ok(&interfaces()))
        }
        [name] => {
            call.claim("interfaces", "get", name)?;
            match interfaces().into_iter().find(|i| i.name == *name) {
                Some(interface) => Ok(Reply::ok(&interface)),
                None => Err(Error::new(404, "GET", "No interface").on("interfaces", *name).into()),
            }
        }
        _ => call.no_route(),
    }
}

/// What the kernel has, by name.
fn interfaces() -> Vec<Interface> {
    let mut found: BTreeMap<String, Interface> = BTreeMap::new();
    let Ok(addresses) = nix::ifaddrs::getifaddrs() else { return Vec::new() };
    for entry in addresses {
        let name = entry.interface_name;
        let interface = found.entry(name.clone()).or_insert_with(|| Interface {
            read_only: true,
            index: index(&name),
            name: name.clone(),
            ..Interface::default()
        });
        let (Some(address), Some(mask)) = (entry.address, entry.netmask) else { continue };
        let text = if let (Some(ip), Some(mask)) = (address.as_sockaddr_in(), mask.as_sockaddr_in()) {
            format!("{}/{}", ip.ip(), u32::from(mask.ip()).count_ones())
        } else if let (Some(ip), Some(mask)) = (address.as_sockaddr_in6(), mask.as_sockaddr_in6()) {
            format!("{}/{}", ip.ip(), u128::from(mask.ip()).count_ones())
        } else {
            continue;
        };
        if interface.active_address.is_empty() {
            interface.active_address.clone_from(&text);
        }
        interface.addresses.push(text);
    }
    found.into_values().collect()
}

fn index(name: &str) -> i64 {
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}
