//! The system event log (IPMI 2.0 §31 and §32). Its entries are read by `ipmi-rs-core`, which bounds what it looks at.

use super::command::{Command, NETFN_STORAGE};
use super::{Invalid, u16_at, u32_at};
use ipmi_rs_core::storage::sdr::{EventData2Type, EventData3Type};
use ipmi_rs_core::storage::sel::{Entry, EventDirection, EventGenerator};

/// The first entry.
pub const FIRST: u16 = 0;
/// The last entry when asked for; no further entry when answered.
pub const LAST: u16 = 0xffff;

/// The answer to Get SEL Info (§31.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SelInfo {
    /// Number of entries.
    pub entries: u16,
    /// Most recent addition, as the BMC's clock had it.
    pub added: u32,
    /// Entries were lost because it was full.
    pub overflow: bool,
    /// It wants reservations.
    pub reserves: bool,
}

impl SelInfo {
    /// The request.
    pub fn command() -> Command {
        Command::idempotent("get SEL info", NETFN_STORAGE, 0x40, [])
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is shorter than 14 bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let cut = Invalid("SEL info shorter than 14 bytes");
        let support = data.get(13).copied().ok_or(cut)?;
        Ok(Self {
            entries: u16_at(data, 1).ok_or(cut)?,
            added: u32_at(data, 5).ok_or(cut)?,
            overflow: support & 0x80 != 0,
            reserves: support & 0x02 != 0,
        })
    }
}

/// Reserve SEL (§31.4).
pub fn reserve_command() -> Command {
    Command::idempotent("reserve SEL", NETFN_STORAGE, 0x42, [])
}

/// Get SEL Entry (§31.5), whole.
pub fn get_command(entry: u16) -> Command {
    let [low, high] = entry.to_le_bytes();
    Command::idempotent("get SEL entry", NETFN_STORAGE, 0x43, [0, 0, low, high, 0, 0xff])
}

fn clear(name: &'static str, reservation: u16, action: u8) -> Command {
    let [low, high] = reservation.to_le_bytes();
    Command::idempotent(name, NETFN_STORAGE, 0x47, [low, high, b'C', b'L', b'R', action])
}

/// Clear SEL (§31.9), beginning. What was logged in between is lost with the rest, so it is never sent twice.
pub fn clear_command(reservation: u16) -> Command {
    Command { idempotency: crate::Idempotency::Once, ..clear("clear SEL", reservation, 0xaa) }
}

/// Clear SEL, asking how far it is.
pub fn erasure_command(reservation: u16) -> Command {
    clear("get SEL erasure status", reservation, 0x00)
}

/// Whether the erasure is over, by the answer to either.
///
/// # Errors
/// When it is empty.
pub fn erased(data: &[u8]) -> Result<bool, Invalid> {
    data.first().map(|progress| progress & 0x0f == 1).ok_or(Invalid("erasure status is empty"))
}

/// What was logged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An event of a sensor (§32.1, record type 2).
    Sensor {
        /// Slave address or software id (bit 0 set) of who logged it.
        owner: u8,
        /// Sensor type.
        kind: u8,
        /// Sensor number.
        number: u8,
        /// Event/reading type.
        reading: u8,
        /// It came; else it went.
        asserted: bool,
        /// Which event.
        offset: u8,
        /// The raw reading that caused it.
        trigger: Option<u8>,
        /// The raw threshold that it crossed.
        threshold: Option<u8>,
        /// The three bytes of event data.
        data: [u8; 3],
    },
    /// Something of the manufacturer's (§32.2, §32.3), or of a type that this specification does not have.
    Other {
        /// Record type.
        kind: u8,
        /// IANA number of the manufacturer, in records that have one.
        manufacturer: Option<u32>,
        /// The bytes.
        data: Vec<u8>,
    },
}

/// An entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SelEntry {
    /// Its id.
    pub id: u16,
    /// Seconds since 1970 as the BMC's clock had it. `None` when it has no time, or one from before the clock was set.
    pub time: Option<u32>,
    /// What was logged.
    pub event: Event,
}

/// Times below are counted from the BMC's start, not from 1970 (§37.1).
const CLOCK_SET: u32 = 0x2000_0000;

impl SelEntry {
    /// Reads the answer to Get SEL Entry: the next entry's id, and the entry.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(answer: &[u8]) -> Result<(u16, Self), Invalid> {
        let cut = Invalid("SEL entry shorter than 16 bytes");
        let next = u16_at(answer, 0).ok_or(cut)?;
        let record = answer.get(2..).and_then(<[u8]>::first_chunk::<16>).ok_or(cut)?;
        let id = u16::from_le_bytes([record[0], record[1]]);
        let time = u32_at(record, 3).filter(|time| (CLOCK_SET..u32::MAX).contains(time));
        let rest = |from: usize| record.get(from..).unwrap_or_default().to_vec();
        let (time, event) = match Entry::parse(record) {
            Ok(Entry::System {
                generator_id,
                sensor_type,
                sensor_number,
                event_direction,
                event_type,
                event_data,
                ..
            }) => {
                let owner = match generator_id {
                    EventGenerator::RqSAAndLun { i2c_addr, .. } => i2c_addr << 1,
                    EventGenerator::SoftwareId { software_id, .. } => software_id << 1 | 1,
                };
                let event = Event::Sensor {
                    owner,
                    kind: sensor_type,
                    number: sensor_number,
                    reading: event_type,
                    asserted: event_direction == EventDirection::Assert,
                    offset: event_data.offset,
                    trigger: match event_data.data2_type {
                        EventData2Type::TriggerReading(raw) if event_type == 1 => Some(raw.get()),
                        _ => None,
                    },
                    threshold: match event_data.data3_type {
                        EventData3Type::TriggerThreshold(raw) if event_type == 1 => Some(raw.get()),
                        _ => None,
                    },
                    data: [record[13], record[14], record[15]],
                };
                (time, event)
            }
            Ok(Entry::OemTimestamped { ty, manufacturer_id, .. }) => {
                (time, Event::Other { kind: ty, manufacturer: Some(manufacturer_id), data: rest(10) })
            }
            Ok(Entry::OemNotTimestamped { ty, .. }) => {
                (None, Event::Other { kind: ty, manufacturer: None, data: rest(3) })
            }
            // A record type, or a channel, that the specification does not have.
            Err(_) => (None, Event::Other { kind: record[2], manufacturer: None, data: rest(3) }),
        };
        Ok((next, Self { id, time, event }))
    }

    /// The BMC's own note that the log was cleared (Table 42-3, type 0x10, offset 2).
    #[must_use]
    pub fn is_clear_mark(&self) -> bool {
        matches!(self.event, Event::Sensor { kind: 0x10, reading: 0x6f, offset: 2, .. })
    }
}
