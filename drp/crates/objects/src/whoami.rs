//! Which machine somebody is (wire-protocol §3.9: POST `/whoami`): a machine that lost its name shows what it is made of.

use crate::{Objects, lifecycle::text};
use drp_protocol::JsonMap;
use serde_json::Value;

/// From this score on a machine is the one.
const ENOUGH: u64 = 100;

/// Scores: a cloud's own id or the id on the disk settle it, serial numbers nearly do, parts count by how many are
/// there still.
const DISK: u64 = 1000;
const CLOUD: u64 = 500;
const SYSTEM: u64 = 50;
const SERIAL: u64 = 25;
const PARTS: u64 = 100;

impl Objects {
    /// The machine that fits a description best, with its score. `OnDiskUUID`, `Fingerprint` and `MacAddrs` of the
    /// description count. None when no machine fits well, or two do equally.
    #[must_use]
    pub fn whoami(&self, description: &JsonMap) -> Option<(String, u64)> {
        let table = self.inner.state.table("machines")?;
        let mut scores: Vec<(u64, String)> = table
            .snapshot()
            .iter()
            .map(|row| (score(description, &row.map()), row.key.to_string()))
            .filter(|(score, _)| *score >= ENOUGH)
            .collect();
        scores.sort_unstable_by(|a, b| b.cmp(a));
        match scores.as_slice() {
            [(best, _), (next, _), ..] if best == next => None,
            [(best, key), ..] => Some((key.clone(), *best)),
            [] => None,
        }
    }
}

fn score(description: &JsonMap, machine: &JsonMap) -> u64 {
    let disk = text(description, "OnDiskUUID");
    let mut score =
        if !disk.is_empty() && disk.eq_ignore_ascii_case(text(machine, "Uuid")) { DISK } else { 0 };
    let none = JsonMap::new();
    let part = |object: &JsonMap| object.get("Fingerprint").and_then(Value::as_object).cloned();
    let (given, known) = (part(description).unwrap_or_default(), part(machine).unwrap_or(none));
    for (field, worth) in
        [("CloudInstanceID", CLOUD), ("SystemUUID", SYSTEM), ("SSNHash", SERIAL), ("CSNHash", SERIAL)]
    {
        let given = text(&given, field);
        if !given.is_empty() && given == text(&known, field) {
            score += worth;
        }
    }
    score += share(&list(&given, "MemoryIds"), &list(&known, "MemoryIds"));
    let addresses = |object: &JsonMap, field: &str| -> Vec<String> {
        list(object, field).iter().map(|address| address.to_ascii_lowercase()).collect()
    };
    score + share(&addresses(description, "MacAddrs"), &addresses(machine, "HardwareAddrs"))
}

fn list(object: &JsonMap, field: &str) -> Vec<String> {
    let list = object.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned).collect()
}

/// How many of the known parts are given, of [`PARTS`].
fn share(given: &[String], known: &[String]) -> u64 {
    let there = known.iter().filter(|part| given.contains(part)).count() as u64;
    (there * PARTS).checked_div(known.len() as u64).unwrap_or(0)
}
