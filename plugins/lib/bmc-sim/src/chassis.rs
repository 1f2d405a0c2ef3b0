//! The simulated machine: power, boot options, identify light.

use crate::config::BmcConfig;
use crate::log::Counts;
use drp_ipmi::codec::boot;
use drp_ipmi::{
    BootDevice, BootFlags, ChassisControl, ChassisStatus, CompletionCode, Identify, RestorePolicy,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Something happened to the power.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PowerEvent {
    /// It went on.
    On,
    /// It went off.
    Off,
    /// Reset while on.
    Reset,
    /// Diagnostic interrupt.
    Interrupt,
}

#[derive(Debug)]
pub(crate) struct Chassis {
    power: bool,
    last_event: u8,
    /// Changes that are due, in the order of their time.
    pending: Vec<(Instant, PowerEvent)>,
    params: BTreeMap<u8, Vec<u8>>,
    identify: Option<(Identify, Instant)>,
    /// What the machine booted from, each time.
    boots: Vec<BootDevice>,
    events: Vec<PowerEvent>,
}

/// Last power event: power on via IPMI command (IPMI 2.0 Table 28-3).
const ON_BY_COMMAND: u8 = 0x10;
/// Longest value of a boot parameter.
const MAX_PARAM: usize = 32;

impl Chassis {
    pub(crate) fn new(powered: bool) -> Self {
        Self {
            power: powered,
            last_event: 0,
            pending: Vec::new(),
            params: BTreeMap::from([
                (0, vec![0]),
                (boot::PARAM_INFO_ACK, vec![0, 0]),
                (boot::PARAM_FLAGS, vec![0; 5]),
            ]),
            identify: None,
            boots: Vec::new(),
            events: Vec::new(),
        }
    }

    pub(crate) fn power(&self) -> bool {
        self.power
    }

    /// Whether power is on its way up or down: a change has that long to go, or less. The rest between off and on of a
    /// power cycle, and an operating system that shuts down, are no such way.
    pub(crate) fn heading(&self, now: Instant, delay: Duration) -> Option<bool> {
        let (_, next) = self.pending.iter().filter(|(at, _)| *at <= now + delay).min_by_key(|(at, _)| *at)?;
        match next {
            PowerEvent::On => Some(true),
            PowerEvent::Off => Some(false),
            PowerEvent::Reset | PowerEvent::Interrupt => None,
        }
    }

    pub(crate) fn boots(&self) -> &[BootDevice] {
        &self.boots
    }

    pub(crate) fn flags(&self) -> BootFlags {
        let stored = self.params.get(&boot::PARAM_FLAGS).map_or(&[0u8; 5][..], Vec::as_slice);
        BootFlags::decode(stored)
            .unwrap_or(BootFlags { valid: false, ..BootFlags::new(BootDevice::None, false, false) })
    }

    /// Whether the light blinks, and how it was asked to.
    pub(crate) fn identify(&self, now: Instant) -> Option<Identify> {
        let (asked, since) = self.identify?;
        match asked {
            Identify::Off => None,
            Identify::Forever => Some(asked),
            Identify::Seconds(n) => (now - since < Duration::from_secs(n.into())).then_some(asked),
        }
    }

    /// What happened since the last call.
    pub(crate) fn take_events(&mut self) -> Vec<PowerEvent> {
        std::mem::take(&mut self.events)
    }

    /// When the next pending change is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.pending.iter().map(|(at, _)| *at).min()
    }

    /// Carries out what is due.
    pub(crate) fn tick(&mut self, now: Instant) {
        self.pending.sort_by_key(|(at, _)| *at);
        let due = self.pending.iter().take_while(|(at, _)| *at <= now).count();
        for (_, event) in self.pending.drain(..due).collect::<Vec<_>>() {
            self.apply(event);
        }
    }

    /// Changes the power at once, as a hand on the button does.
    pub(crate) fn set_power(&mut self, on: bool) {
        self.pending.clear();
        self.apply(if on { PowerEvent::On } else { PowerEvent::Off });
    }

    fn apply(&mut self, event: PowerEvent) {
        let happened = match event {
            PowerEvent::On => !std::mem::replace(&mut self.power, true),
            PowerEvent::Off => std::mem::replace(&mut self.power, false),
            PowerEvent::Reset | PowerEvent::Interrupt => self.power,
        };
        if !happened {
            return;
        }
        self.events.push(event);
        if matches!(event, PowerEvent::On | PowerEvent::Reset) {
            self.boot();
        }
    }

    /// The BIOS looks at the boot flags; flags for one boot are used up (IPMI 2.0 Table 28-14, parameter 5).
    fn boot(&mut self) {
        let flags = self.flags();
        self.boots.push(if flags.valid { flags.device } else { BootDevice::None });
        if flags.valid && !flags.persistent {
            self.params.insert(boot::PARAM_FLAGS, vec![0; 5]);
        }
    }

    pub(crate) fn status(&self, now: Instant) -> ChassisStatus {
        let identify = match self.identify(now) {
            None => 0,
            Some(Identify::Forever) => 2,
            Some(_) => 1,
        };
        ChassisStatus {
            power_on: self.power,
            power_overload: false,
            interlock: false,
            power_fault: false,
            power_control_fault: false,
            restore_policy: RestorePolicy::StayOff,
            last_power_event: self.last_event,
            misc: 0x40 | identify << 4,
        }
    }

    /// Chassis Control (IPMI 2.0 §28.3).
    pub(crate) fn control(
        &mut self,
        data: &[u8],
        now: Instant,
        config: &BmcConfig,
        (counts, stuck): (&mut Counts, bool),
    ) -> CompletionCode {
        let Some(byte) = data.first() else { return CompletionCode::INVALID_LENGTH };
        let Some(control) = ChassisControl::from_id(byte & 0x0f) else {
            return CompletionCode::INVALID_DATA_FIELD;
        };
        let needs_power = matches!(control, ChassisControl::PowerCycle | ChassisControl::HardReset);
        if needs_power && !self.power && config.cycle_needs_power {
            return CompletionCode::NOT_IN_PRESENT_STATE;
        }
        if config.busy_in_transition && !self.pending.is_empty() {
            return CompletionCode(0xc0);
        }
        let at = now + config.power_delay;
        let planned: Vec<(Instant, PowerEvent)> = match control {
            ChassisControl::PowerUp => {
                counts.power_ups += 1;
                self.last_event = ON_BY_COMMAND;
                vec![(at, PowerEvent::On)]
            }
            ChassisControl::PowerDown => {
                counts.power_downs += 1;
                vec![(at, PowerEvent::Off)]
            }
            ChassisControl::PowerCycle => {
                counts.cycles += 1;
                vec![(at, PowerEvent::Off), (at + config.cycle_off, PowerEvent::On)]
            }
            ChassisControl::HardReset => {
                counts.resets += 1;
                vec![(at, if self.power { PowerEvent::Reset } else { PowerEvent::On })]
            }
            ChassisControl::DiagnosticInterrupt => {
                counts.interrupts += 1;
                vec![(now, PowerEvent::Interrupt)]
            }
            ChassisControl::SoftShutdown => {
                counts.softs += 1;
                config.soft_delay.map(|delay| (now + delay, PowerEvent::Off)).into_iter().collect()
            }
        };
        if !stuck {
            // A new command takes the place of what the last one has not finished.
            self.pending = planned;
            self.tick(now);
        }
        CompletionCode::OK
    }

    /// Chassis Identify (IPMI 2.0 §28.5).
    pub(crate) fn set_identify(&mut self, data: &[u8], now: Instant) {
        self.identify = Some((Identify::decode(data), now));
    }

    /// Switches the light on or off, until it is switched again.
    pub(crate) fn set_light(&mut self, on: bool, now: Instant) {
        self.identify = Some((if on { Identify::Forever } else { Identify::Off }, now));
    }

    /// Set System Boot Options (IPMI 2.0 §28.12).
    pub(crate) fn set_boot(&mut self, data: &[u8], counts: &mut Counts) -> CompletionCode {
        let &[selector, ref value @ ..] = data else { return CompletionCode::INVALID_LENGTH };
        let param = selector & 0x7f;
        if value.len() > MAX_PARAM {
            return CompletionCode::INVALID_LENGTH;
        }
        match (param, value) {
            // Bit 7 locks a parameter; without a value nothing else happens.
            (_, []) => return CompletionCode::OK,
            // Set in progress: 1 when it is already taken is refused, 2 (commit) and 0 end it.
            (0, [1, ..]) if self.params.get(&0).is_some_and(|v| v.first() == Some(&1)) => {
                return CompletionCode(0x81);
            }
            (0, [v, ..]) => {
                self.params.insert(0, vec![v & 1]);
            }
            // Only the bits of the write mask change; the mask reads as zero.
            (boot::PARAM_INFO_ACK, [mask, bits, ..]) => {
                let old = self.params.get(&param).and_then(|v| v.get(1)).copied().unwrap_or(0);
                self.params.insert(param, vec![0, (old & !mask) | (bits & mask)]);
            }
            (boot::PARAM_FLAGS, flags) => {
                if flags.len() != 5 {
                    return CompletionCode::INVALID_LENGTH;
                }
                counts.boot_sets += 1;
                self.params.insert(param, flags.to_vec());
            }
            (1..=3 | 6 | 7, value) => {
                self.params.insert(param, value.to_vec());
            }
            _ => return CompletionCode(0x80),
        }
        CompletionCode::OK
    }

    /// Get System Boot Options (IPMI 2.0 §28.13).
    pub(crate) fn get_boot(&self, data: &[u8]) -> Result<Vec<u8>, CompletionCode> {
        let param = data.first().ok_or(CompletionCode::INVALID_LENGTH)? & 0x7f;
        let value = match (param, self.params.get(&param)) {
            (_, Some(value)) => value.clone(),
            (1..=3 | 6 | 7, None) => vec![0],
            _ => return Err(CompletionCode(0x80)),
        };
        Ok([vec![0x01, param], value].concat())
    }
}
