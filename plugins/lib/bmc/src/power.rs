//! Power states and what can be asked of a chassis.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Power as a BMC reports it. What is not known is its own value and is never shown as off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Power {
    /// The BMC says that the machine is on.
    On,
    /// The BMC says that the machine is off (S4/S5).
    Off,
    /// The BMC did not say, or says that it is on its way.
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

/// A change of power (IPMI 2.0 §28.3, Chassis Control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PowerControl {
    /// Power up.
    Up,
    /// Power down at once, without asking the operating system.
    Down,
    /// Down, at least one second of rest, up.
    Cycle,
    /// Hard reset without power down.
    Reset,
    /// Ask the operating system to shut down (ACPI over-temperature emulation).
    Soft,
    /// Pulse the diagnostic interrupt (NMI).
    Interrupt,
}

impl PowerControl {
    /// In words, for texts and plans.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Up => "power up",
            Self::Down => "power down",
            Self::Cycle => "power cycle",
            Self::Reset => "hard reset",
            Self::Soft => "soft shutdown",
            Self::Interrupt => "diagnostic interrupt",
        }
    }
}
