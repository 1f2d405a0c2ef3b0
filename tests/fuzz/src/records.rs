//! Sensor data records, readings, log entries, LAN parameters and users, as a BMC sends them (after the completion code).

use drp_ipmi::codec::lan::{Channel, Parameter};
use drp_ipmi::codec::reading::{Factors, Reading, event_words, type_words, unit_words};
use drp_ipmi::codec::sdr::{Piece, Sensor, Stamp, Thresholds, record_length, reservation};
use drp_ipmi::codec::sel::{SelEntry, SelInfo, erased};
use drp_ipmi::codec::user::{self, UserAccess};

const PARAMETERS: [Parameter; 10] = [
    Parameter::Address,
    Parameter::Source,
    Parameter::Mac,
    Parameter::Netmask,
    Parameter::Gateway,
    Parameter::Vlan,
    Parameter::Ipv6Enables,
    Parameter::Ipv6Status,
    Parameter::Ipv6Static,
    Parameter::Ipv6Dynamic,
];

/// One answer, read as each kind of answer.
pub fn answer(data: &[u8]) {
    for sensor in Sensor::decode(data).unwrap_or_default() {
        assert!(sensor.name.chars().count() <= 45, "{:?}", sensor.name);
        assert!(!sensor.name.chars().any(char::is_control), "{:?}", sensor.name);
        assert!(!type_words(sensor.kind).is_empty());
        for offset in 0..16 {
            assert!(!event_words(sensor.reading, sensor.kind, offset).is_empty());
        }
        let _ = unit_words(sensor.units, sensor.base_unit);
        for raw in 0..=u8::MAX {
            let value = sensor.factors.and_then(|factors: Factors| factors.value(raw));
            assert!(value.is_none_or(f64::is_finite), "{value:?}");
        }
        if let Some(Ok(varied)) = sensor.factors.map(|factors| factors.with(data)) {
            assert!(!varied.vary());
        }
    }
    if let Ok(reading) = Reading::decode(data) {
        assert!(reading.offsets().all(|offset| offset < 15));
    }
    if let Ok((_, entry)) = SelEntry::decode(data) {
        assert!(entry.time.is_none_or(|time| time >= 0x2000_0000));
        let _ = entry.is_clear_mark();
    }
    for parameter in PARAMETERS {
        let _ = parameter.decode(data);
    }
    if let Ok(channel) = Channel::decode(data) {
        assert!(channel.number < 16);
    }
    if let Ok(access) = UserAccess::decode(data) {
        assert!(access.slots < 64 && access.privilege < 16);
    }
    let name = user::name(data);
    // Each odd byte may become one character of three bytes.
    assert!(name.chars().count() <= 16 && !name.chars().any(char::is_control));
    let _ = (
        Stamp::decode(data),
        Piece::decode(data),
        record_length(data),
        reservation(data),
        Thresholds::decode(data),
    );
    let _ = (SelInfo::decode(data), erased(data));
}
