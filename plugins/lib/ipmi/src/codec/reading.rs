//! Sensor readings (IPMI 2.0 §35.14), and how raw ones become values (§36).

use super::Invalid;
use super::command::{Command, NETFN_SENSOR};
use ipmi_rs_core::storage::sdr::{SensorType, Unit, decode_event};
use std::fmt;

/// How a raw reading becomes a value: `L[(M·x + B·10^K1)·10^K2]` (§36.3).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Factors {
    format: Format,
    linearisation: u8,
    m: i16,
    b: i16,
    /// K1, exponent of B.
    b_exponent: i8,
    /// K2, exponent of the result.
    exponent: i8,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Format {
    Unsigned,
    OnesComplement,
    TwosComplement,
}

/// A number of `bits` bits in two's complement.
fn signed(value: u16, bits: u32) -> i16 {
    let shift = 16 - bits;
    i16::from_le_bytes((value << shift).to_le_bytes()) >> shift
}

fn nibble(value: u8) -> i8 {
    i8::from_le_bytes([value << 4]) >> 4
}

impl Factors {
    /// From bytes 24 to 30 of a full record; `format` are bits 7 and 6 of its sensor units 1. `None` when it says that
    /// its readings are no numbers.
    #[must_use]
    pub fn decode(format: u8, bytes: &[u8; 7]) -> Option<Self> {
        let [linearisation, m0, m1, b0, b1, _, exponents] = *bytes;
        let format = match format & 0x03 {
            0 => Format::Unsigned,
            1 => Format::OnesComplement,
            2 => Format::TwosComplement,
            _ => return None,
        };
        let ten = |low: u8, high: u8| signed(u16::from(low) | u16::from(high >> 6) << 8, 10);
        Some(Self {
            format,
            linearisation: linearisation & 0x7f,
            m: ten(m0, m1),
            b: ten(b0, b1),
            b_exponent: nibble(exponents),
            exponent: nibble(exponents >> 4),
        })
    }

    /// Its readings have factors of their own, which [`Factors::command`] asks for (§36.2).
    #[must_use]
    pub fn vary(&self) -> bool {
        self.linearisation >= 0x70
    }

    /// Get Sensor Reading Factors (§35.5), for one raw reading.
    pub fn command(number: u8, raw: u8) -> Command {
        Command::idempotent("get sensor reading factors", NETFN_SENSOR, 0x23, [number, raw])
    }

    /// These with the factors of one reading, as the BMC answered.
    ///
    /// # Errors
    /// When the answer is shorter than seven bytes.
    pub fn with(&self, answer: &[u8]) -> Result<Self, Invalid> {
        let bytes = answer.first_chunk::<7>().ok_or(Invalid("reading factors shorter than 7 bytes"))?;
        let format = match self.format {
            Format::Unsigned => 0,
            Format::OnesComplement => 1,
            Format::TwosComplement => 2,
        };
        // Byte 1 is the next reading; the value at this one is linear.
        let linear = [&[0][..], bytes.get(1..).unwrap_or_default()].concat();
        let linear = linear.first_chunk::<7>().and_then(|bytes| Self::decode(format, bytes));
        linear.ok_or(Invalid("reading factors shorter than 7 bytes"))
    }

    /// The value of a raw reading; `None` when it has none, such as one divided by zero.
    #[must_use]
    pub fn value(&self, raw: u8) -> Option<f64> {
        let x = match self.format {
            Format::Unsigned => f64::from(raw),
            Format::OnesComplement if raw & 0x80 != 0 => -f64::from(!raw),
            Format::OnesComplement => f64::from(raw),
            Format::TwosComplement => f64::from(i8::from_le_bytes([raw])),
        };
        let ten = |exponent: i8| 10f64.powi(i32::from(exponent));
        let y = (f64::from(self.m) * x + f64::from(self.b) * ten(self.b_exponent)) * ten(self.exponent);
        let value = match self.linearisation {
            0 => y,
            1 => y.ln(),
            2 => y.log10(),
            3 => y.log2(),
            4 => y.exp(),
            5 => 10f64.powf(y),
            6 => y.exp2(),
            7 => y.recip(),
            8 => y.powi(2),
            9 => y.powi(3),
            10 => y.sqrt(),
            11 => y.cbrt(),
            _ => return None,
        };
        value.is_finite().then_some(value)
    }
}

/// The answer to Get Sensor Reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// The raw reading; without meaning for sensors that have states only.
    pub raw: u8,
    /// The sensor is scanned.
    pub scanned: bool,
    /// The reading, or the states, can be had at the moment.
    pub available: bool,
    /// States, or comparisons with thresholds, one bit each; bit 15 is none.
    pub states: u16,
}

impl Reading {
    /// Get Sensor Reading (§35.14).
    pub fn command(number: u8) -> Command {
        Command::idempotent("get sensor reading", NETFN_SENSOR, 0x2d, [number])
    }

    /// Reads the answer. The states may be absent.
    ///
    /// # Errors
    /// When it is shorter than two bytes.
    pub fn decode(data: &[u8]) -> Result<Self, Invalid> {
        let &[raw, flags, ref states @ ..] = data else {
            return Err(Invalid("sensor reading shorter than 2 bytes"));
        };
        let low = states.first().copied().unwrap_or(0);
        // Bit 7 of the second byte is reserved and reads as one.
        let high = states.get(1).copied().unwrap_or(0) & 0x7f;
        Ok(Self {
            raw,
            scanned: flags & 0x40 != 0,
            available: flags & 0x20 == 0,
            states: u16::from_le_bytes([low, high]),
        })
    }

    /// The numbers of the states that are set.
    pub fn offsets(self) -> impl Iterator<Item = u8> {
        (0..15).filter(move |n| self.states & (1 << n) != 0)
    }
}

/// What a sensor type is called (Table 42-3).
#[must_use]
pub fn type_words(sensor_type: u8) -> String {
    SensorType::from(sensor_type).to_string()
}

struct Event {
    reading: u8,
    sensor_type: u8,
    offset: u8,
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        decode_event(f, self.reading, SensorType::from(self.sensor_type), self.offset)
    }
}

/// What a state or an event is called: by its event/reading type (Table 42-2), or its sensor type when that is 0x6f
/// (Table 42-3). What has no name there is told by numbers.
#[must_use]
pub fn event_words(reading: u8, sensor_type: u8, offset: u8) -> String {
    let text = Event { reading, sensor_type, offset }.to_string();
    if text.is_empty() { format!("state {offset} of event type 0x{reading:02x}") } else { text }
}

/// The short name of a unit: `C`, `V`, `rpm`… The rest as Table 43-15 names it; empty for none. `units` is sensor units 1
/// of the record.
#[must_use]
pub fn unit_words(units: u8, base: u8) -> String {
    let base = match base {
        _ if units & 0x01 != 0 => "%".to_owned(),
        0 => String::new(),
        1 => "C".to_owned(),
        2 => "F".to_owned(),
        3 => "K".to_owned(),
        4 => "V".to_owned(),
        5 => "A".to_owned(),
        6 => "W".to_owned(),
        7 => "J".to_owned(),
        18 => "rpm".to_owned(),
        19 => "Hz".to_owned(),
        other => {
            let text = Unit::from(other).display(true, 1_u8);
            text.split_once(' ').map_or(String::new(), |(_, unit)| unit.to_lowercase())
        }
    };
    let per = match units >> 3 & 0x07 {
        1 => "/us",
        2 => "/ms",
        3 => "/s",
        4 => "/min",
        5 => "/h",
        6 => "/day",
        _ => "",
    };
    format!("{base}{per}")
}
