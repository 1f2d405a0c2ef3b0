//! The network interfaces of this host (wire-protocol §2.4).

use crate::http::{Answer, Call, Reply};
use drp_protocol::{Error, Interface};
use http::Method;
use std::collections::BTreeMap;
use std::net::Ipv4Addr;

/// GET `/interfaces[/<name>]`.
pub(super) fn route(call: &Call, path: &[&str]) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    match path {
        [] => {
            let mut all = interfaces();
            all.retain(|interface| call.sees("interfaces", &interface.name));
            Ok(Reply::ok(&all))
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
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    for (name, gateway) in gateways(&read("/proc/net/route")) {
        if let Some(interface) = found.get_mut(&name) {
            interface.gateway = gateway.to_string();
        }
    }
    let (servers, domain) = resolver(&read("/etc/resolv.conf"));
    for interface in found.values_mut().filter(|i| !i.gateway.is_empty()) {
        interface.dns_servers.clone_from(&servers);
        interface.dns_domain.clone_from(&domain);
    }
    found.into_values().collect()
}

/// The default gateway of each interface that has one, out of the kernel's table: addresses are hexadecimal, in the
/// byte order of the machine.
fn gateways(table: &str) -> Vec<(String, Ipv4Addr)> {
    let mut found = Vec::new();
    for line in table.lines().skip(1) {
        let mut words = line.split_whitespace();
        let (Some(name), Some("00000000"), Some(gateway)) = (words.next(), words.next(), words.next()) else {
            continue;
        };
        match u32::from_str_radix(gateway, 16) {
            Ok(bits) if bits != 0 => found.push((name.to_owned(), Ipv4Addr::from(bits.to_ne_bytes()))),
            _ => {}
        }
    }
    found
}

/// Name servers and the first search domain (resolv.conf(5)).
fn resolver(text: &str) -> (Vec<String>, String) {
    let (mut servers, mut domain) = (Vec::new(), String::new());
    for line in text.lines() {
        let mut words = line.split_whitespace();
        match (words.next(), words.next()) {
            (Some("nameserver"), Some(server)) => servers.push(server.to_owned()),
            (Some("domain" | "search"), Some(first)) if domain.is_empty() => first.clone_into(&mut domain),
            _ => {}
        }
    }
    (servers, domain)
}

fn index(name: &str) -> i64 {
    let text = std::fs::read_to_string(format!("/sys/class/net/{name}/ifindex"));
    text.ok().and_then(|text| text.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_host_says_of_its_network() {
        let gateway = u32::from_ne_bytes([10, 0, 2, 2]);
        let table = format!(
            "Iface\tDestination\tGateway\tFlags\neth0\t00000000\t{gateway:08X}\t0003\neth0\t0002000A\t00000000\t0001\n"
        );
        assert_eq!(gateways(&table), [("eth0".to_owned(), Ipv4Addr::new(10, 0, 2, 2))]);
        let text =
            "# by hand\nnameserver 10.0.2.3\nsearch lab.example example\nnameserver fe80::1\noptions edns0\n";
        let want = (vec!["10.0.2.3".to_owned(), "fe80::1".to_owned()], "lab.example".to_owned());
        assert_eq!(resolver(text), want);
    }
}
