//! The verbs: what people and programs ask of a machine's BMC.

use crate::{BootDevice, BootState, Command, Driver, Identify, Part, Power, PowerControl};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// A verb. Its name is the command of the action that runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// `poweron`: on, verified; nothing is sent to a machine that is on.
    PowerOn,
    /// `poweroff`: hard off, verified; nothing is sent to a machine that is off.
    PowerOff,
    /// `powercycle`: off and on again; a machine that is off is powered on.
    PowerCycle,
    /// `powerreset`: hard reset of a machine that is on.
    PowerReset,
    /// `powersoft`: asks the operating system, and powers off hard when that does not help in time.
    PowerSoft,
    /// `powerstatus`.
    PowerStatus,
    /// `nextboot…`, and `forceboot…` when persistent.
    Boot {
        /// From where.
        device: BootDevice,
        /// For all boots.
        persistent: bool,
    },
    /// `bootstatus`.
    BootStatus,
    /// `identify`.
    Identify,
    /// `identifyoff`.
    IdentifyOff,
    /// `bmcinfo`.
    BmcInfo,
    /// `nmi`: a diagnostic interrupt to a machine that is on.
    Nmi,
    /// `bmcreset`: restarts the BMC itself; the machine goes on.
    BmcReset,
    /// `status`, `get…`, `sensors` and so on: reads a part.
    Read(Part),
    /// `mountVirtualMedia`.
    MediaMount,
    /// `unmountVirtualMedia`.
    MediaUnmount,
    /// `selclear`.
    SelClear,
}

/// What a verb needs to know beside its target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerbOptions {
    /// Longest wait for a power change to be read back.
    pub verify_timeout: Duration,
    /// Longest wait for the operating system to shut down.
    pub soft_timeout: Duration,
    /// How long to identify.
    pub identify: Identify,
    /// Whether the machine boots the UEFI way; `None` when nobody knows.
    pub efi: Option<bool>,
    /// URL of the image to mount.
    pub media_url: Option<Arc<str>>,
    /// Boot from the image at the next start.
    pub media_boot: bool,
}

impl Default for VerbOptions {
    fn default() -> Self {
        Self {
            verify_timeout: Duration::from_secs(60),
            soft_timeout: Duration::from_secs(60),
            identify: Identify::Seconds(60),
            efi: None,
            media_url: None,
            media_boot: false,
        }
    }
}

/// One line of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlanStep {
    /// When it would be sent.
    pub when: String,
    /// What it is, in words.
    pub command: String,
    /// The request on the wire.
    pub request: String,
}

/// The command that mounts what the options name.
pub(crate) fn media(options: &VerbOptions) -> Command {
    let url = options.media_url.clone().unwrap_or_default();
    Command::MediaInsert { url, boot: options.media_boot, efi: options.efi }
}

const fn boot(device: BootDevice, persistent: bool) -> Verb {
    Verb::Boot { device, persistent }
}

const NAMES: [(Verb, &str); 39] = [
    (Verb::PowerOn, "poweron"),
    (Verb::PowerOff, "poweroff"),
    (Verb::PowerCycle, "powercycle"),
    (Verb::PowerReset, "powerreset"),
    (Verb::PowerSoft, "powersoft"),
    (Verb::PowerStatus, "powerstatus"),
    (boot(BootDevice::Pxe, false), "nextbootpxe"),
    (boot(BootDevice::Disk, false), "nextbootdisk"),
    (boot(BootDevice::Cd, false), "nextbootcd"),
    (boot(BootDevice::Bios, false), "nextbootbios"),
    (boot(BootDevice::Http, false), "nextboothttp"),
    (boot(BootDevice::Pxe, true), "forcebootpxe"),
    (boot(BootDevice::Disk, true), "forcebootdisk"),
    (boot(BootDevice::Cd, true), "forcebootcd"),
    (Verb::BootStatus, "bootstatus"),
    (Verb::Identify, "identify"),
    (Verb::IdentifyOff, "identifyoff"),
    (Verb::BmcInfo, "bmcinfo"),
    (Verb::Nmi, "nmi"),
    (Verb::BmcReset, "bmcreset"),
    (Verb::Read(Part::Health), "status"),
    (Verb::Read(Part::System), "getInfo"),
    (Verb::Read(Part::Boot), "getBoot"),
    (Verb::Read(Part::Bios), "getBios"),
    (Verb::Read(Part::Memory), "getMemory"),
    (Verb::Read(Part::Storage), "getStorage"),
    (Verb::Read(Part::SimpleStorage), "getSimpleStorage"),
    (Verb::Read(Part::Processors), "getProcessor"),
    (Verb::Read(Part::NetworkInterfaces), "getNetworkInterfaces"),
    (Verb::Read(Part::EthernetInterfaces), "getEthernetInterfaces"),
    (Verb::Read(Part::SecureBoot), "getSecureBoot"),
    (Verb::MediaMount, "mountVirtualMedia"),
    (Verb::MediaUnmount, "unmountVirtualMedia"),
    (Verb::Read(Part::Media), "statusVirtualMedia"),
    (Verb::Read(Part::Sensors), "sensors"),
    (Verb::Read(Part::Sel), "sel"),
    (Verb::SelClear, "selclear"),
    (Verb::Read(Part::Users), "users"),
    (Verb::Read(Part::Lan), "lan"),
];

impl Verb {
    /// All verbs, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        NAMES.iter().map(|(verb, _)| *verb)
    }

    /// The verb of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        NAMES.iter().find(|(_, n)| *n == name).map(|(verb, _)| *verb)
    }

    /// Its name.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(verb, _)| *verb == self).map_or("", |(_, name)| name)
    }

    /// It changes power, and so excludes other power changes of the same machine while it runs.
    #[must_use]
    pub fn changes_power(self) -> bool {
        matches!(self, Self::PowerOn | Self::PowerOff | Self::PowerCycle | Self::PowerReset | Self::PowerSoft)
    }

    /// It sets a boot device.
    #[must_use]
    pub fn sets_boot(self) -> bool {
        matches!(self, Self::Boot { .. })
    }

    /// It changes nothing.
    #[must_use]
    pub fn only_reads(self) -> bool {
        matches!(self, Self::PowerStatus | Self::BootStatus | Self::BmcInfo | Self::Read(_))
    }

    /// The power state it asks for.
    pub(crate) fn wanted(self) -> Option<Power> {
        match self {
            Self::PowerOn | Self::PowerCycle | Self::PowerReset => Some(Power::On),
            Self::PowerOff | Self::PowerSoft => Some(Power::Off),
            _ => None,
        }
    }

    /// Whether a driver has a request for all that the verb sends.
    #[must_use]
    pub fn possible(self, driver: &dyn Driver, options: &VerbOptions) -> bool {
        self.steps(options).iter().all(|(_, command)| driver.can(command))
    }

    /// What it would send, and when.
    #[must_use]
    pub fn plan(self, driver: &dyn Driver, options: &VerbOptions) -> Vec<PlanStep> {
        self.steps(options)
            .into_iter()
            .map(|(when, command)| PlanStep {
                when,
                command: command.to_string(),
                request: driver.describe(&command),
            })
            .collect()
    }

    fn steps(self, options: &VerbOptions) -> Vec<(String, Command)> {
        let efi = options.efi.unwrap_or(false);
        let soft = options.soft_timeout.as_secs();
        let verify = options.verify_timeout.as_secs();
        let read_back = format!("until it is read back, at most {verify} s");
        match self {
            Self::PowerOn => vec![
                ("first".into(), Command::Chassis),
                ("when it is off".into(), Command::Power(PowerControl::Up)),
                (read_back, Command::Chassis),
            ],
            Self::PowerOff => vec![
                ("first".into(), Command::Chassis),
                ("when it is on".into(), Command::Power(PowerControl::Down)),
                (read_back, Command::Chassis),
            ],
            Self::PowerCycle => vec![
                ("first".into(), Command::Chassis),
                ("when it is on".into(), Command::Power(PowerControl::Cycle)),
                ("when it is off".into(), Command::Power(PowerControl::Up)),
                (read_back, Command::Chassis),
            ],
            Self::PowerReset => vec![
                ("first".into(), Command::Chassis),
                ("when it is on".into(), Command::Power(PowerControl::Reset)),
                ("then".into(), Command::Chassis),
            ],
            Self::PowerSoft => vec![
                ("first".into(), Command::Chassis),
                ("when it is on".into(), Command::Power(PowerControl::Soft)),
                (format!("until it is off, at most {soft} s"), Command::Chassis),
                ("when it is still on".into(), Command::Power(PowerControl::Down)),
                (read_back, Command::Chassis),
            ],
            Self::PowerStatus => vec![("first".into(), Command::Chassis)],
            Self::Boot { device, persistent } => vec![
                ("first".into(), Command::BootSet(BootState::new(device, persistent, efi))),
                ("then".into(), Command::BootGet),
            ],
            Self::BootStatus => vec![("first".into(), Command::BootGet)],
            Self::Identify => vec![("first".into(), Command::Identify(options.identify))],
            Self::IdentifyOff => vec![("first".into(), Command::Identify(Identify::Off))],
            Self::BmcInfo => vec![("first".into(), Command::Info)],
            Self::Nmi => vec![
                ("first".into(), Command::Chassis),
                ("when it is on".into(), Command::Power(PowerControl::Interrupt)),
            ],
            Self::BmcReset => vec![("first".into(), Command::BmcReset)],
            Self::Read(part) => vec![("first".into(), Command::Read(part))],
            Self::MediaMount => {
                vec![("first".into(), media(options)), ("then".into(), Command::Read(Part::Media))]
            }
            Self::MediaUnmount => {
                vec![("first".into(), Command::MediaEject), ("then".into(), Command::Read(Part::Media))]
            }
            Self::SelClear => vec![
                ("first".into(), Command::Read(Part::Sel)),
                ("when it has entries".into(), Command::SelClear),
                (read_back, Command::Read(Part::Sel)),
            ],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_complete() {
        for verb in Verb::all() {
            assert_eq!(Verb::parse(verb.name()), Some(verb));
        }
        assert_eq!(Verb::parse("nextbootpxe"), Some(boot(BootDevice::Pxe, false)));
        assert_eq!(Verb::parse("status"), Some(Verb::Read(Part::Health)));
        assert_eq!(Verb::parse("reboot"), None);
    }
}
