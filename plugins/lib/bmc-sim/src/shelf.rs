//! What a BMC keeps beside power: sensor data records and readings, the event log, users, LAN settings (IPMI 2.0 §22, §23,
//! §31, §33, §35).

use crate::BmcConfig;
use crate::shelf_records as records;
use drp_ipmi::CompletionCode;
use drp_ipmi::codec::app::COLD_RESET;
use drp_ipmi::codec::command::{NETFN_APP, NETFN_SENSOR, NETFN_STORAGE, NETFN_TRANSPORT};
use drp_ipmi::codec::message::Request;
use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// The channel that the simulator is on.
const CHANNEL: u8 = 1;
/// User slots.
const USERS: u8 = 10;
/// A completion code and response data.
type Answer = (CompletionCode, Vec<u8>);

/// Sensors, log and settings of a simulated BMC. Tests change what they need.
#[derive(Debug, Clone)]
pub struct Shelf {
    /// Sensor data records by their ids.
    pub records: BTreeMap<u16, Vec<u8>>,
    /// Answers to Get Sensor Reading by sensor number; a number that is absent is answered with 0xCB.
    pub readings: BTreeMap<u8, Vec<u8>>,
    /// Answers to Get Sensor Thresholds.
    pub thresholds: BTreeMap<u8, [u8; 7]>,
    /// Most bytes of a record in one answer; more is refused with 0xCA.
    pub piece: u8,
    /// Entries of the event log, 16 bytes each, with their ids.
    pub log: Vec<[u8; 16]>,
    /// So often the erasing of the log is answered with "in progress".
    pub erasing: u32,
    /// The log gets an entry that it was cleared.
    pub marks_clearing: bool,
    /// How often the log was cleared.
    pub clears: u32,
    /// LAN parameters of channel 1 by number and set selector, without their revision byte.
    pub lan: BTreeMap<(u8, u8), Vec<u8>>,
    reserved: (u16, u16),
    left: u32,
}

impl Shelf {
    pub(crate) fn new(config: &BmcConfig) -> Self {
        let mut lan = BTreeMap::from([
            ((4, 0), vec![1]),
            ((5, 0), vec![0x02, 0x00, 0x5e, 0x10, 0x00, 0x01]),
            ((6, 0), vec![255, 255, 255, 0]),
            ((12, 0), vec![192, 0, 2, 1]),
            ((20, 0), vec![0, 0]),
            ((50, 0), vec![0x02]),
            ((51, 0), vec![2]),
            ((55, 0), vec![2, 1, 0]),
        ]);
        if let IpAddr::V4(address) = config.listen.ip() {
            lan.insert((3, 0), address.octets().to_vec());
        }
        let address = |set: u8, source: u8, last: u16| {
            let address = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last);
            [&[set, source][..], &address.octets(), &[64, 0]].concat()
        };
        lan.insert((56, 0), address(0, 0x80, 7));
        lan.insert((56, 1), address(1, 0, 0));
        lan.insert((59, 0), address(0, 1, 0x77));
        Self {
            records: records::sensors(),
            readings: records::readings(),
            thresholds: BTreeMap::from([(1, [0x3f, 10, 5, 0, 70, 80, 90])]),
            piece: 22,
            log: records::log(),
            erasing: 0,
            marks_clearing: true,
            clears: 0,
            lan,
            reserved: (0, 0),
            left: 0,
        }
    }

    /// The answer to a command that nothing else in the simulator knows.
    pub(crate) fn answer(&mut self, request: &Request, config: &BmcConfig) -> Answer {
        let result = match (request.netfn, request.cmd, request.data.as_slice()) {
            (NETFN_STORAGE, 0x20, _) => Ok(self.repository_info()),
            (NETFN_STORAGE, 0x22, _) => {
                self.reserved.0 = self.reserved.0.wrapping_add(1).max(1);
                Ok(self.reserved.0.to_le_bytes().to_vec())
            }
            (NETFN_STORAGE, 0x23, data) => self.record(data),
            (NETFN_STORAGE, 0x40, _) => Ok(self.log_info()),
            (NETFN_STORAGE, 0x42, _) => {
                self.reserved.1 = self.reserved.1.wrapping_add(1).max(1);
                Ok(self.reserved.1.to_le_bytes().to_vec())
            }
            (NETFN_STORAGE, 0x43, data) => self.entry(data),
            (NETFN_STORAGE, 0x47, data) => self.clear(data),
            (NETFN_SENSOR, 0x2d, [number, ..]) => found(self.readings.get(number).cloned()),
            (NETFN_SENSOR, 0x27, [number, ..]) => found(self.thresholds.get(number).map(|t| t.to_vec())),
            (NETFN_TRANSPORT, 0x02, [channel, parameter, set, _, ..]) => self.lan(*channel, *parameter, *set),
            // It is answered, and then the engine starts again.
            (NETFN_APP, COLD_RESET, _) => Ok(Vec::new()),
            (NETFN_APP, 0x42, [channel, ..]) => channel_info(*channel),
            (NETFN_APP, 0x44, [channel, user, ..]) => user_access(*channel, *user, config),
            (NETFN_APP, 0x46, [user, ..]) => user_name(*user, config),
            (NETFN_SENSOR, 0x2d | 0x27, _) | (NETFN_APP, 0x42 | 0x44 | 0x46, _) => {
                Err(CompletionCode::INVALID_LENGTH)
            }
            _ => Err(CompletionCode::INVALID_COMMAND),
        };
        match result {
            Ok(data) => (CompletionCode::OK, data),
            Err(code) => (code, Vec::new()),
        }
    }

    fn repository_info(&self) -> Vec<u8> {
        let count = u16::try_from(self.records.len()).unwrap_or(u16::MAX).to_le_bytes();
        // Version 1.5; room for more not told; times; reservations are possible.
        [&[0x51][..], &count, &[0xff, 0xff], &[1, 0, 0, 0x60], &[1, 0, 0, 0x60], &[0x02]].concat()
    }

    fn record(&self, data: &[u8]) -> Result<Vec<u8>, CompletionCode> {
        let &[r0, r1, i0, i1, offset, count, ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        // Only the beginning of a record may be read without a reservation (§33.12).
        if offset != 0 && u16::from_le_bytes([r0, r1]) != self.reserved.0 {
            return Err(LOST);
        }
        let id = u16::from_le_bytes([i0, i1]);
        let mut later = match id {
            0 => self.records.range(..),
            id => self.records.range(id..),
        };
        let (_, record) = later.next().filter(|(found, _)| id == 0 || **found == id).ok_or(ABSENT)?;
        let next = later.next().map_or(0xffff, |(next, _)| *next).to_le_bytes();
        if count > self.piece {
            return Err(CompletionCode::CANNOT_RETURN_BYTES);
        }
        let from = usize::from(offset);
        let piece = record.get(from..record.len().min(from + usize::from(count)));
        piece.map(|piece| [&next[..], piece].concat()).ok_or(CompletionCode::OUT_OF_RANGE)
    }

    fn log_info(&self) -> Vec<u8> {
        let count = u16::try_from(self.log.len()).unwrap_or(u16::MAX).to_le_bytes();
        [&[0x51][..], &count, &[0xff, 0x0f], &[1, 0, 0, 0x60], &[0, 0, 0, 0], &[0x0a]].concat()
    }

    fn entry(&self, data: &[u8]) -> Result<Vec<u8>, CompletionCode> {
        let &[_, _, i0, i1, ..] = data else { return Err(CompletionCode::INVALID_LENGTH) };
        if self.left > 0 {
            return Err(CompletionCode(0x81));
        }
        let id_of = |entry: &[u8; 16]| u16::from_le_bytes([entry[0], entry[1]]);
        let at = match u16::from_le_bytes([i0, i1]) {
            0 => (!self.log.is_empty()).then_some(0),
            0xffff => self.log.len().checked_sub(1),
            id => self.log.iter().position(|entry| id_of(entry) == id),
        };
        let entry = at.and_then(|at| self.log.get(at)).ok_or(ABSENT)?;
        let next = at.and_then(|at| self.log.get(at + 1)).map_or(0xffff, id_of).to_le_bytes();
        Ok([&next[..], entry].concat())
    }

    fn clear(&mut self, data: &[u8]) -> Result<Vec<u8>, CompletionCode> {
        let &[r0, r1, b'C', b'L', b'R', action, ..] = data else {
            return Err(CompletionCode::INVALID_DATA_FIELD);
        };
        if u16::from_le_bytes([r0, r1]) != self.reserved.1 {
            return Err(LOST);
        }
        match action {
            0xaa => {
                self.left = self.erasing;
                self.erase();
            }
            0 => self.left = self.left.saturating_sub(1),
            _ => return Err(CompletionCode::INVALID_DATA_FIELD),
        }
        Ok(vec![u8::from(self.left == 0)])
    }

    /// Empties the event log, whichever protocol it was asked through.
    pub(crate) fn erase(&mut self) {
        self.clears += 1;
        self.log.clear();
        if self.marks_clearing {
            self.log.push(records::cleared());
        }
    }

    fn lan(&self, channel: u8, parameter: u8, set: u8) -> Result<Vec<u8>, CompletionCode> {
        if !matches!(channel & 0x0f, CHANNEL | 0x0e) {
            return Err(CompletionCode::INVALID_DATA_FIELD);
        }
        let value = self.lan.get(&(parameter, set)).ok_or(CompletionCode(0x80))?;
        Ok([&[0x11][..], value].concat())
    }
}

/// Reservation cancelled.
const LOST: CompletionCode = CompletionCode(0xc5);
/// Requested sensor, data or record not present.
const ABSENT: CompletionCode = CompletionCode(0xcb);

fn found(data: Option<Vec<u8>>) -> Result<Vec<u8>, CompletionCode> {
    data.ok_or(ABSENT)
}

fn channel_info(channel: u8) -> Result<Vec<u8>, CompletionCode> {
    let (number, medium, protocol) = match channel & 0x0f {
        CHANNEL | 0x0e => (CHANNEL, 4, 1),
        0 => (0, 1, 1),
        0x0f => (0x0f, 0x0c, 5),
        _ => return Err(CompletionCode::INVALID_DATA_FIELD),
    };
    Ok(vec![number, medium, protocol, 0x80, 0xf2, 0x1b, 0, 0, 0])
}

/// The user of that number: 1 is the anonymous one, those of the settings follow.
fn user(number: u8, config: &BmcConfig) -> Option<&crate::User> {
    config.users.get(usize::from(number).checked_sub(2)?)
}

fn user_access(channel: u8, number: u8, config: &BmcConfig) -> Result<Vec<u8>, CompletionCode> {
    if !matches!(channel & 0x0f, CHANNEL | 0x0e) || !(1..=USERS).contains(&number) {
        return Err(CompletionCode::INVALID_DATA_FIELD);
    }
    let count = u8::try_from(config.users.len()).unwrap_or(USERS).min(0x3f);
    let (enabled, access) = match user(number, config) {
        Some(user) => (0x40, 0x10 | user.privilege.id()),
        None => (0x80, 0x0f),
    };
    Ok(vec![USERS, enabled | count, 1, access])
}

fn user_name(number: u8, config: &BmcConfig) -> Result<Vec<u8>, CompletionCode> {
    if !(1..=USERS).contains(&number) {
        return Err(CompletionCode::INVALID_DATA_FIELD);
    }
    let mut name = user(number, config).map_or(Vec::new(), |user| user.name.as_bytes().to_vec());
    name.resize(16, 0);
    Ok(name)
}
