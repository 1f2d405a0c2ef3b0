//! Sensor data records (IPMI 2.0 §33 and §43): the commands that read them, and what describes a sensor in them.
//!
//! The records are read by our own code: that of `ipmi-rs-core` 0.6 panics on records that are cut short or name a
//! reserved kind of sharing, and gets a negative M, ones' complement and most linearisations wrong.

use super::command::{Command, NETFN_SENSOR, NETFN_STORAGE};
use super::reading::Factors;
use super::{Invalid, u16_at, u32_at};

/// The first record.
pub const FIRST: u16 = 0;
/// What follows the last record.
pub const LAST: u16 = 0xffff;
/// Bytes of a record's header: id, version, type, length.
pub const HEADER: u8 = 5;

/// Where records are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    /// The SDR repository of the system (§33).
    Repository,
    /// The device SDRs of this controller alone (§35), for BMCs without a repository.
    Device,
}

impl Store {
    /// Get SDR Repository Info (§33.9), or Get Device SDR Info (§35.2).
    pub fn info_command(self) -> Command {
        match self {
            Self::Repository => Command::idempotent("get SDR repository info", NETFN_STORAGE, 0x20, []),
            Self::Device => Command::idempotent("get device SDR info", NETFN_SENSOR, 0x20, []),
        }
    }

    /// Reserve SDR Repository (§33.11), or Reserve Device SDR Repository (§35.4).
    pub fn reserve_command(self) -> Command {
        match self {
            Self::Repository => Command::idempotent("reserve SDR repository", NETFN_STORAGE, 0x22, []),
            Self::Device => Command::idempotent("reserve device SDR repository", NETFN_SENSOR, 0x22, []),
        }
    }

    /// Get SDR (§33.12), or Get Device SDR (§35.3): `count` bytes of a record from `offset`.
    pub fn get_command(self, reservation: u16, record: u16, offset: u8, count: u8) -> Command {
        let [r0, r1] = reservation.to_le_bytes();
        let [i0, i1] = record.to_le_bytes();
        let data = [r0, r1, i0, i1, offset, count];
        match self {
            Self::Repository => Command::idempotent("get SDR", NETFN_STORAGE, 0x23, data),
            Self::Device => Command::idempotent("get device SDR", NETFN_SENSOR, 0x21, data),
        }
    }
}

/// When a repository changed last: equal stamps, equal records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Number of records.
    pub records: u16,
    /// Most recent addition.
    pub added: u32,
    /// Most recent erasure.
    pub erased: u32,
}

impl Stamp {
    /// Reads the answer to Get SDR Repository Info.
    ///
    /// # Errors
    /// When it is cut short.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let whole = Invalid("SDR repository info shorter than 13 bytes");
        Ok(Self {
            records: u16_at(data, 1).ok_or(whole)?,
            added: u32_at(data, 5).ok_or(whole)?,
            erased: u32_at(data, 9).ok_or(whole)?,
        })
    }
}

/// Reads the answer to a reservation.
///
/// # Errors
/// When it is shorter than two bytes.
pub fn reservation(data: &[u8]) -> Result<u16, Invalid> {
    u16_at(data, 0).ok_or(Invalid("reservation shorter than 2 bytes"))
}

/// A piece of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// The record after this one; [`LAST`] when there is none.
    pub next: u16,
    /// The bytes.
    pub data: &'a [u8],
}

impl<'a> Piece<'a> {
    /// Reads the answer to Get SDR.
    ///
    /// # Errors
    /// When it is shorter than two bytes.
    pub fn decode(data: &'a [u8]) -> Result<Self, Invalid> {
        let next = u16_at(data, 0).ok_or(Invalid("SDR answer shorter than 2 bytes"))?;
        Ok(Self { next, data: data.get(2..).unwrap_or_default() })
    }
}

/// The length of a whole record, by its header.
///
/// # Errors
/// When the header is cut short.
pub fn record_length(header: &[u8]) -> Result<usize, Invalid> {
    match header {
        [_, _, _, _, length, ..] => Ok(usize::from(HEADER) + usize::from(*length)),
        _ => Err(Invalid("SDR header shorter than 5 bytes")),
    }
}

/// Values of the six thresholds, in the order of the bits of their masks (Table 35-9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Thresholds {
    /// Lower non-critical, critical, non-recoverable; upper non-critical, critical, non-recoverable. Raw.
    pub raw: [Option<u8>; 6],
}

impl Thresholds {
    fn masked(mask: u8, values: [u8; 6]) -> Self {
        let mut raw = [None; 6];
        for (n, value) in values.into_iter().enumerate() {
            if mask & (1 << n) != 0 {
                raw[n] = Some(value);
            }
        }
        Self { raw }
    }

    /// Get Sensor Thresholds (§35.9).
    pub fn command(number: u8) -> Command {
        Command::idempotent("get sensor thresholds", NETFN_SENSOR, 0x27, [number])
    }

    /// Reads the answer.
    ///
    /// # Errors
    /// When it is shorter than seven bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        match data {
            [mask, values @ ..] => values
                .first_chunk::<6>()
                .map(|values| Self::masked(*mask, *values))
                .ok_or(Invalid("sensor thresholds shorter than 7 bytes")),
            [] => Err(Invalid("sensor thresholds shorter than 7 bytes")),
        }
    }
}

/// A sensor, by its full (§43.1), compact (§43.2) or event-only (§43.3) record.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Slave address (bit 0 clear) or software id (bit 0 set) of the controller that has it. The BMC is 0x20.
    pub owner: u8,
    /// Channel of that controller.
    pub channel: u8,
    /// Logical unit of the controller.
    pub lun: u8,
    /// Its number there.
    pub number: u8,
    /// What it belongs to (Table 43-13).
    pub entity: (u8, u8),
    /// Sensor type (Table 42-3).
    pub kind: u8,
    /// Event/reading type (Table 42-1): 1 is by thresholds.
    pub reading: u8,
    /// Sensor units 1 (Table 43-1 byte 21): format, rate, modifier, percentage.
    pub units: u8,
    /// Base unit (§43.17).
    pub base_unit: u8,
    /// How raw readings become values; `None` for records without: compact and event-only ones.
    pub factors: Option<Factors>,
    /// Thresholds as the record has them, those alone that can be read.
    pub thresholds: Thresholds,
    /// It can be read: not event-only.
    pub readable: bool,
    /// Name.
    pub name: String,
}

/// So many sensors may share one compact record: the count has four bits.
const SHARED: u8 = 15;

impl Sensor {
    /// Reads a whole record. One compact or event-only record may stand for several sensors. Records that describe no
    /// sensor give none.
    ///
    /// # Errors
    /// When the record is cut short.
    pub fn decode(record: &[u8]) -> Result<Vec<Self>, Invalid> {
        let cut = Invalid("sensor record cut short");
        let at = |n: usize| record.get(n).copied().ok_or(cut);
        let kind = at(3)?;
        if !matches!(kind, 0x01..=0x03) {
            return Ok(Vec::new());
        }
        let (sensor_type, reading, name_at) = match kind {
            0x01 => (at(12)?, at(13)?, 47),
            0x02 => (at(12)?, at(13)?, 31),
            _ => (at(10)?, at(11)?, 16),
        };
        let mut sensor = Self {
            owner: at(5)?,
            channel: at(6)? >> 4,
            lun: at(6)? & 0x03,
            number: at(7)?,
            entity: (at(8)?, at(9)?),
            kind: sensor_type,
            reading: reading & 0x7f,
            units: 0,
            base_unit: 0,
            factors: None,
            thresholds: Thresholds::default(),
            readable: kind != 0x03,
            name: name(record.get(name_at..).unwrap_or_default()),
        };
        // In a shared record a blank at the end stands before the number.
        let own = sensor.name.trim_end().len();
        if sensor.readable {
            (sensor.units, sensor.base_unit) = (at(20)?, at(21)?);
        }
        if kind == 0x01 {
            let factors = record.get(23..).and_then(<[u8]>::first_chunk::<7>).ok_or(cut)?;
            sensor.factors = Factors::decode(sensor.units >> 6, factors);
            let limits = record.get(36..).and_then(<[u8]>::first_chunk::<6>).ok_or(cut)?;
            let [unr, uc, unc, lnr, lc, lnc] = *limits;
            // Capabilities, bits 3 and 2: 0 is a sensor without thresholds, 3 one whose thresholds are not told.
            let told = matches!(at(11)? >> 2 & 0x03, 1 | 2) && sensor.reading == 0x01;
            let mask = if told { at(18)? } else { 0 };
            sensor.thresholds = Thresholds::masked(mask, [lnc, lc, lnr, unc, uc, unr]);
            sensor.name.truncate(own);
            return Ok(vec![sensor]);
        }
        let (sharing, offset) = match kind {
            0x02 => (at(23)?, at(24)?),
            _ => (at(12)?, at(13)?),
        };
        let count = (sharing & 0x0f).clamp(1, SHARED);
        if count == 1 {
            sensor.name.truncate(own);
            return Ok(vec![sensor]);
        }
        let letters = sharing >> 4 & 0x03 == 1;
        let entities = offset & 0x80 != 0;
        Ok((0..count)
            .map(|n| {
                let instance = u32::from(offset & 0x7f) + u32::from(n);
                let suffix = match char::from_u32(u32::from(b'A') + instance) {
                    Some(letter) if letters && letter.is_ascii_uppercase() => letter.to_string(),
                    _ => instance.to_string(),
                };
                let (entity, of) = sensor.entity;
                Self {
                    number: sensor.number.wrapping_add(n),
                    entity: (entity, if entities { of.wrapping_add(n) } else { of }),
                    name: format!("{}{suffix}", sensor.name),
                    ..sensor.clone()
                }
            })
            .collect())
    }
}

/// A text behind its type/length byte (§43.15), without control characters and blanks before it.
fn name(field: &[u8]) -> String {
    let [type_length, rest @ ..] = field else { return String::new() };
    let bytes = rest.get(..usize::from(type_length & 0x1f)).unwrap_or(rest);
    let text: String = match type_length >> 6 {
        0 => String::from_utf8_lossy(bytes).into_owned(),
        1 => bytes.iter().flat_map(|b| [b >> 4, b & 0x0f]).map(bcd_plus).collect(),
        2 => six_bit(bytes),
        _ => bytes.iter().map(|b| char::from(*b)).collect(),
    };
    text.chars().filter(|c| !c.is_control()).collect::<String>().trim_start().to_owned()
}

fn bcd_plus(digit: u8) -> char {
    match digit {
        0..=9 => char::from(b'0' + digit),
        0x0a => ' ',
        0x0b => '-',
        0x0c => '.',
        0x0d => ':',
        0x0e => ',',
        _ => '_',
    }
}

/// Packed 6-bit ASCII: four characters in three bytes, the first in the lowest bits (§43.15.1).
fn six_bit(bytes: &[u8]) -> String {
    let bits = |n: usize| bytes.get(n / 8).map_or(0, |b| b >> (n % 8) & 1);
    let character = |n: usize| (0..6).fold(0u8, |sum, bit| sum | bits(n * 6 + bit) << bit);
    (0..bytes.len() * 8 / 6).map(|n| char::from(0x20 + character(n))).collect()
}
