//! A virtual machine as `showvminfo --machinereadable` tells it.

use crate::text::Pairs;
use std::fmt;

/// Power, in the words of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Power {
    /// It runs, or is paused.
    On,
    /// It does not run: off, saved, or crashed.
    Off,
    /// It is on its way, or nobody can tell.
    #[default]
    Unknown,
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::On => "on",
            Self::Off => "off",
            Self::Unknown => "unknown",
        })
    }
}

/// What is known about a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Info {
    /// Its name.
    pub name: String,
    /// Its UUID, lower case.
    pub uuid: String,
    /// `VMState`, as printed.
    pub state: String,
    pairs: Pairs,
}

impl Info {
    /// Reads the output of `showvminfo --machinereadable`; `None` when UUID or state are not in it.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let pairs = Pairs::parse(bytes);
        let uuid = pairs.get("UUID").filter(|uuid| crate::is_uuid(uuid))?.to_ascii_lowercase();
        let (name, state) = (pairs.get("name")?.to_owned(), pairs.get("VMState")?.to_owned());
        Some(Self { name, uuid, state, pairs })
    }

    /// Power, from `VMState` (the names are those of `MachineState` in `VirtualBox.xidl`).
    #[must_use]
    pub fn power(&self) -> Power {
        match self.state.to_ascii_lowercase().as_str() {
            "running"
            | "paused"
            | "gurumeditation"
            | "livesnapshotting"
            | "onlinesnapshotting"
            | "deletingsnapshotlive"
            | "deletingsnapshotlivepaused"
            | "deletingsnapshotonline"
            | "deletingsnapshotpaused"
            | "teleportingpausedvm" => Power::On,
            "poweroff" | "powered off" | "saved" | "aborted" | "aborted-saved" | "abortedsaved"
            | "teleported" => Power::Off,
            _ => Power::Unknown,
        }
    }

    /// It has a processor that stands still.
    #[must_use]
    pub fn is_paused(&self) -> bool {
        self.state.eq_ignore_ascii_case("paused")
    }

    /// Devices in boot order, `none` left out: `net`, `disk`, `dvd`, `floppy`.
    #[must_use]
    pub fn boot_order(&self) -> Vec<&str> {
        let device = |n: u8| self.pairs.get(&format!("boot{n}")).filter(|device| *device != "none");
        (1..=4).filter_map(device).collect()
    }

    /// MAC addresses of its network cards, as `08:00:27:…`.
    #[must_use]
    pub fn macs(&self) -> Vec<String> {
        (1..=36)
            .filter_map(|n| self.pairs.get(&format!("macaddress{n}")))
            .filter(|mac| mac.len() == 12 && mac.bytes().all(|byte| byte.is_ascii_hexdigit()))
            .map(|mac| {
                let mac = mac.to_ascii_lowercase();
                let pairs: Vec<_> = (0..6).filter_map(|at| mac.get(at * 2..at * 2 + 2)).collect();
                pairs.join(":")
            })
            .collect()
    }

    /// Any other value.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        self.pairs.get(key)
    }

    /// Whether it has a storage controller of that name.
    #[must_use]
    pub fn has_controller(&self, name: &str) -> bool {
        self.pairs.iter().any(|(key, value)| key.starts_with("storagecontrollername") && value == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(more: &str) -> Info {
        let text = format!("name=\"a b\"\nUUID=\"00000000-0000-0000-0000-00000000000A\"\n{more}");
        Info::parse(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_not_known_is_never_off() {
        for (state, power) in [
            ("running", Power::On),
            ("paused", Power::On),
            ("poweroff", Power::Off),
            ("saved", Power::Off),
            ("aborted", Power::Off),
            ("starting", Power::Unknown),
            ("stopping", Power::Unknown),
            ("", Power::Unknown),
            ("warp", Power::Unknown),
        ] {
            assert_eq!(info(&format!("VMState=\"{state}\"\n")).power(), power, "{state}");
        }
        assert_eq!(Info::parse(b"name=\"a\"\nVMState=\"poweroff\"\n"), None);
        assert_eq!(Info::parse(b"<html>busy</html>"), None);
    }

    #[test]
    fn cards_and_boot_order() {
        let info = info(
            "VMState=\"poweroff\"\nboot1=\"net\"\nboot2=\"disk\"\nboot3=\"none\"\nboot4=\"none\"\n\
            macaddress1=\"080027AABBCC\"\nmacaddress2=\"odd\"\nstoragecontrollername0=\"SATA Controller\"\n",
        );
        assert_eq!(info.boot_order(), ["net", "disk"]);
        assert_eq!(info.macs(), ["08:00:27:aa:bb:cc"]);
        assert!(info.has_controller("SATA Controller") && !info.has_controller("IDE"));
        assert_eq!(info.uuid, "00000000-0000-0000-0000-00000000000a");
    }
}
