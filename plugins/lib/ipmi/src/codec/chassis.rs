//! Chassis commands (IPMI 2.0 §28).

use super::Invalid;
use super::command::{Command, NETFN_CHASSIS};

/// Get Chassis Status.
pub const GET_STATUS: u8 = 0x01;
/// Chassis Control.
pub const CONTROL: u8 = 0x02;
/// Chassis Identify.
pub const IDENTIFY: u8 = 0x04;

/// What to do with the power (IPMI 2.0 §28.3, Table 28-4).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChassisControl {
    /// Off at once, without asking the operating system.
    PowerDown,
    /// On.
    PowerUp,
    /// Off, then on after a moment. What it does to a machine that is off differs between BMCs.
    PowerCycle,
    /// Reset without power down.
    HardReset,
    /// Pulse a diagnostic interrupt (NMI).
    DiagnosticInterrupt,
    /// Ask the operating system to shut down (ACPI), as a short press of the power button.
    SoftShutdown,
}

impl ChassisControl {
    /// The action's number on the wire.
    pub const fn id(self) -> u8 {
        match self {
            Self::PowerDown => 0,
            Self::PowerUp => 1,
            Self::PowerCycle => 2,
            Self::HardReset => 3,
            Self::DiagnosticInterrupt => 4,
            Self::SoftShutdown => 5,
        }
    }

    /// The action with this number.
    pub const fn from_id(id: u8) -> Option<Self> {
        Some(match id {
            0 => Self::PowerDown,
            1 => Self::PowerUp,
            2 => Self::PowerCycle,
            3 => Self::HardReset,
            4 => Self::DiagnosticInterrupt,
            5 => Self::SoftShutdown,
            _ => return None,
        })
    }

    /// The action's name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::PowerDown => "power down",
            Self::PowerUp => "power up",
            Self::PowerCycle => "power cycle",
            Self::HardReset => "hard reset",
            Self::DiagnosticInterrupt => "diagnostic interrupt",
            Self::SoftShutdown => "soft shutdown",
        }
    }

    /// The request. Only power up may be repeated: a second reset, cycle or NMI does more than the first, and a late
    /// second power down may hit a machine that someone has switched on since.
    pub fn command(self) -> Command {
        match self {
            Self::PowerUp => Command::idempotent(self.name(), NETFN_CHASSIS, CONTROL, [self.id()]),
            _ => Command::once(self.name(), NETFN_CHASSIS, CONTROL, [self.id()]),
        }
    }
}

/// How long the identify light shall blink (IPMI 2.0 §28.5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identify {
    /// Off now.
    Off,
    /// For so many seconds; `Seconds(0)` is off.
    Seconds(u8),
    /// Until it is switched off. Optional for a BMC.
    Forever,
}

impl Identify {
    /// The request.
    pub fn command(self) -> Command {
        let data = match self {
            Self::Off => vec![0],
            Self::Seconds(n) => vec![n],
            Self::Forever => vec![0, 1],
        };
        Command::idempotent("chassis identify", NETFN_CHASSIS, IDENTIFY, data)
    }

    /// Reads the request data. Without data the interval is 15 s.
    pub fn decode(data: &[u8]) -> Self {
        match data {
            [] => Self::Seconds(15),
            [_, force, ..] if force & 1 == 1 => Self::Forever,
            [0, ..] => Self::Off,
            [n, ..] => Self::Seconds(*n),
        }
    }
}

/// What the machine does when mains power comes back (IPMI 2.0 §28.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RestorePolicy {
    /// Stays off.
    StayOff,
    /// Returns to the state before.
    Previous,
    /// Switches on.
    PowerUp,
    /// The BMC does not say.
    Unknown,
}

/// The answer to Get Chassis Status (IPMI 2.0 §28.2, Table 28-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChassisStatus {
    /// System power is on.
    pub power_on: bool,
    /// Shut down because of a power overload.
    pub power_overload: bool,
    /// An interlock (a panel that is open) holds the power off.
    pub interlock: bool,
    /// Fault in the main power subsystem.
    pub power_fault: bool,
    /// The last attempt to change the power failed.
    pub power_control_fault: bool,
    /// What happens when mains power comes back.
    pub restore_policy: RestorePolicy,
    /// Why the power changed last, as bits 4..0: on by IPMI command, fault, interlock, overload, AC failed.
    pub last_power_event: u8,
    /// Misc. state bits: fan fault 3, drive fault 2, lockout 1, intrusion 0; bits 6..4 identify.
    pub misc: u8,
}

impl ChassisStatus {
    /// The request.
    pub fn command() -> Command {
        Command::idempotent("get chassis status", NETFN_CHASSIS, GET_STATUS, [])
    }

    /// Reads the response data (after the completion code). Bytes after the third are optional and ignored.
    ///
    /// # Errors
    /// When it is shorter than three bytes: then nothing is known, which is not the same as off.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[power, last, misc, ..] = data else {
            return Err(Invalid("chassis status shorter than 3 bytes"));
        };
        Ok(Self {
            power_on: power & 0x01 != 0,
            power_overload: power & 0x02 != 0,
            interlock: power & 0x04 != 0,
            power_fault: power & 0x08 != 0,
            power_control_fault: power & 0x10 != 0,
            restore_policy: match (power >> 5) & 3 {
                0 => RestorePolicy::StayOff,
                1 => RestorePolicy::Previous,
                2 => RestorePolicy::PowerUp,
                _ => RestorePolicy::Unknown,
            },
            last_power_event: last & 0x1f,
            misc,
        })
    }

    /// Writes the response data.
    pub fn encode(&self) -> [u8; 3] {
        let policy = match self.restore_policy {
            RestorePolicy::StayOff => 0,
            RestorePolicy::Previous => 1,
            RestorePolicy::PowerUp => 2,
            RestorePolicy::Unknown => 3,
        };
        let power = u8::from(self.power_on)
            | u8::from(self.power_overload) << 1
            | u8::from(self.interlock) << 2
            | u8::from(self.power_fault) << 3
            | u8::from(self.power_control_fault) << 4
            | policy << 5;
        [power, self.last_power_event & 0x1f, self.misc]
    }

    /// Whether the identify light blinks, when the BMC can tell.
    pub const fn identifying(&self) -> Option<bool> {
        if self.misc & 0x40 == 0 { None } else { Some(self.misc & 0x30 != 0) }
    }
}
