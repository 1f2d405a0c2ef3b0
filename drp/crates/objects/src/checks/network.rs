//! The rules of subnets, leases and reservations, which are kept as data (wire-protocol §2.4).

use super::{Report, Subject};
use crate::fields::network;
use serde_json::Value;
use std::net::Ipv4Addr;

/// Seconds that clients cannot go below.
const SHORTEST: i64 = 60;
/// Ways to pick an address, in the words of subnets.
const PICKERS: [&str; 4] = ["hint", "nextFree", "mostExpired", "none"];

/// First and last address of a network.
fn bounds(cidr: &str) -> Option<(u32, u32)> {
    let (ip, bits) = network(cidr)?;
    let hosts = u32::MAX.checked_shr(bits).unwrap_or(0);
    Some((u32::from(ip) & !hosts, u32::from(ip) | hosts))
}

impl Subject<'_> {
    fn number(&self, field: &str) -> i64 {
        self.object.get(field).and_then(Value::as_i64).unwrap_or(0)
    }

    pub(super) fn subnet(&self, report: &mut Report) {
        let key = self.key;
        let mut wrong = |text: String| report.fatal.push(format!("{key}: {text}"));
        let cidr = self.text("Subnet");
        match bounds(cidr) {
            None => wrong("Subnet must be a network such as 192.168.1.0/24".to_owned()),
            Some((first, last)) => {
                self.range(first, last, &mut wrong);
                if let Some((other, its)) = self.overlaps(first, last) {
                    wrong(format!("Subnet {cidr} overlaps {its} of subnet {other}"));
                }
            }
        }
        for field in ["ActiveLeaseTime", "ReservedLeaseTime"] {
            if self.number(field) < SHORTEST {
                wrong(format!("{field} must be {SHORTEST} s or more, not {}", self.number(field)));
            }
        }
        for picker in self.texts("Pickers").filter(|p| !PICKERS.contains(p)) {
            wrong(format!("Picker {picker} is not one of {}", PICKERS.join(", ")));
        }
        self.options(&mut wrong);
    }

    /// The addresses to lease: within the network, the first before the last.
    fn range(&self, first: u32, last: u32, wrong: &mut impl FnMut(String)) {
        let [start, end] = ["ActiveStart", "ActiveEnd"].map(|field| self.text(field));
        if start.is_empty() && end.is_empty() {
            return;
        }
        let mut within = |field: &str, text: &str| {
            let ip = text.parse::<Ipv4Addr>().ok().map(u32::from).filter(|ip| (first..=last).contains(ip));
            if ip.is_none() {
                wrong(format!("{field} {text:?} is not an address in {}", self.text("Subnet")));
            }
            ip
        };
        if let (Some(from), Some(to)) = (within("ActiveStart", start), within("ActiveEnd", end))
            && from > to
        {
            wrong(format!("ActiveStart {start} comes after ActiveEnd {end}"));
        }
    }

    /// Another subnet that has some of these addresses.
    fn overlaps(&self, first: u32, last: u32) -> Option<(String, String)> {
        let rows = self.state.table("subnets")?.snapshot();
        rows.into_iter().filter(|row| *row.key != *self.key).find_map(|row| {
            let its = row.map().remove("Subnet")?.as_str()?.to_owned();
            let (from, to) = bounds(&its)?;
            (from <= last && first <= to).then(|| (row.key.to_string(), its))
        })
    }

    /// Each DHCP option at most once.
    fn options(&self, wrong: &mut impl FnMut(String)) {
        let codes: Vec<i64> = (self.object.get("Options").and_then(Value::as_array).into_iter().flatten())
            .filter_map(|option| option.get("Code").and_then(Value::as_i64))
            .collect();
        for (at, code) in codes.iter().enumerate() {
            if codes[..at].contains(code) {
                wrong(format!("Option {code} is there twice"));
            }
        }
    }

    pub(super) fn lease(&self, report: &mut Report) {
        let key = self.key;
        let mut wrong = |text: String| report.fatal.push(format!("{key}: {text}"));
        if self.text("Addr").parse::<Ipv4Addr>().is_err() {
            wrong(format!("Addr {:?} is not an IPv4 address", self.text("Addr")));
        }
        if self.number("Duration") < 0 {
            wrong(format!("Duration must not be negative, but is {}", self.number("Duration")));
        }
        self.options(&mut wrong);
    }

    pub(super) fn reservation(&self, report: &mut Report) {
        self.lease(report);
        let subnet = self.text("Subnet");
        if !subnet.is_empty() && !self.state.exists("subnets", subnet) {
            report.dangling.push(format!("{}: Subnet {subnet} does not exist", self.key));
        }
    }
}
