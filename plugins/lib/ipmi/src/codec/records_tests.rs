//! Records, readings, log entries and LAN parameters: what the specification says, and bytes that nobody should send.

use super::lan::{Channel, Ipv6, Parameter, Source, Value};
use super::reading::{Factors, Reading, event_words, type_words, unit_words};
use super::sdr::{Piece, Sensor, Stamp, Thresholds, record_length, reservation};
use super::sel::{Event, SelEntry, SelInfo, erased};
use super::user::{self, UserAccess};
use proptest::prelude::*;

/// The record of OpenIPMI's `ipmi_sim` in `tests/peers/bmc.emu`: a full one, "CPU Temp".
const CPU_TEMP: &[u8] = &[
    0x01, 0x00, 0x51, 0x01, 0x33, 0x20, 0x00, 0x01, 0x03, 0x01, 0x67, 0x44, 0x01, 0x01, 0, 0, 0, 0, 0x3f, 0,
    0x00, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 90, 80,
    70, 1, 5, 10, 1, 1, 0, 0, 0, 0xc8, b'C', b'P', b'U', b' ', b'T', b'e', b'm', b'p',
];

#[test]
fn a_full_record_is_read() {
    let sensors = Sensor::decode(CPU_TEMP).unwrap();
    let [sensor] = sensors.as_slice() else { panic!("{sensors:?}") };
    assert_eq!((sensor.name.as_str(), sensor.number, sensor.owner, sensor.kind), ("CPU Temp", 1, 0x20, 1));
    assert_eq!(sensor.thresholds.raw, [Some(10), Some(5), Some(1), Some(70), Some(80), Some(90)]);
    assert_eq!(sensor.factors.unwrap().value(42), Some(42.0));
    assert_eq!(
        (unit_words(sensor.units, sensor.base_unit), type_words(1)),
        ("C".to_owned(), "Temperature".to_owned())
    );
    for cut in 0..42 {
        assert!(Sensor::decode(&CPU_TEMP[..cut]).is_err(), "cut at {cut}");
    }
    // Without its name it is a sensor still.
    assert_eq!(Sensor::decode(&CPU_TEMP[..47]).unwrap()[0].name, "");
    // Whose thresholds are fixed and not told has none.
    let mut fixed = CPU_TEMP.to_vec();
    fixed[11] |= 0x0c;
    assert_eq!(Sensor::decode(&fixed).unwrap()[0].thresholds, Thresholds::default());
}

#[test]
fn a_shared_record_is_all_its_sensors() {
    let mut record = vec![7, 0, 0x51, 2, 0];
    record.extend([0x20, 0x11, 7, 4, 3, 0x7f, 0x40, 0x0d, 0x6f, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0x13, 0x81]);
    record.extend([0, 0, 0, 0, 0, 0, 0xc4]);
    record.extend(b"Bay ");
    let bays = Sensor::decode(&record).unwrap();
    let told: Vec<_> =
        bays.iter().map(|s| (s.name.as_str(), s.number, s.entity.1, s.channel, s.lun)).collect();
    assert_eq!(told, [("Bay B", 7, 3, 1, 1), ("Bay C", 8, 4, 1, 1), ("Bay D", 9, 5, 1, 1)]);
    // A reserved kind of numbering is counted in digits.
    record[23] = 0x32;
    assert_eq!(Sensor::decode(&record).unwrap()[1].name, "Bay 2");
}

#[test]
fn names_come_in_four_spellings() {
    let of = |field: &[u8]| {
        let record = [&[1, 0, 0x51, 3, 0, 0x20, 0, 9, 6, 1, 0x12, 0x6f, 0, 0, 0, 0][..], field].concat();
        Sensor::decode(&record).unwrap()[0].name.clone()
    };
    assert_eq!(of(&[0xc3, b'a', 0x07, 0xe9]), "aé");
    assert_eq!(of(&[0x03, 0xc3, 0xa9, b'b']), "éb");
    assert_eq!(of(&[0x42, 0x12, 0x3b]), "123-");
    // "IPMI" packed, as the specification shows it (§43.15.1).
    assert_eq!(of(&[0x83, 0x29, 0xdc, 0xa6]), "IPMI");
    assert_eq!(of(&[0xdf, b'x']), "x");
    assert_eq!(of(&[]), "");
}

#[test]
fn readings_become_values_by_their_factors() {
    let of = |format, bytes: [u8; 7], raw| Factors::decode(format, &bytes).unwrap().value(raw);
    // 63 · x · 10^-3.
    assert_eq!(of(0, [0, 63, 0, 0, 0, 0, 0xd0], 191).map(|v| (v * 1e6).round()), Some(12_033_000.0));
    // M = -1, B = 100: two's complement of ten bits.
    assert_eq!(of(0, [0, 0xff, 0xc0, 100, 0, 0, 0], 30), Some(70.0));
    // B = -2 with exponent 1.
    assert_eq!(of(0, [0, 1, 0, 0xfe, 0xc0, 0, 0x01], 50), Some(30.0));
    assert_eq!(of(2, [0, 1, 0, 0, 0, 0, 0], 0xfb), Some(-5.0));
    assert_eq!(of(1, [0, 1, 0, 0, 0, 0, 0], 0xfa), Some(-5.0));
    let lines = [(1, 0.0), (2, 0.0), (3, 0.0), (6, 2.0), (7, 1.0), (8, 1.0), (9, 1.0), (10, 1.0), (11, 1.0)];
    for (linearisation, value) in lines {
        assert_eq!(of(0, [linearisation, 1, 0, 0, 0, 0, 0], 1), Some(value), "{linearisation}");
    }
    assert_eq!(of(0, [8, 1, 0, 0, 0, 0, 0], 3), Some(9.0));
    assert_eq!(of(0, [9, 1, 0, 0, 0, 0, 0], 3), Some(27.0));
    // No value: one by zero, a logarithm of zero, factors of its own.
    assert_eq!(of(0, [7, 1, 0, 0, 0, 0, 0], 0), None);
    assert_eq!(of(0, [1, 1, 0, 0, 0, 0, 0], 0), None);
    let varying = Factors::decode(0, &[0x70, 1, 0, 0, 0, 0, 0]).unwrap();
    assert!(varying.vary() && varying.value(1).is_none());
    assert_eq!(varying.with(&[9, 2, 0, 0, 0, 0, 0]).unwrap().value(21), Some(42.0));
    assert!(Factors::decode(3, &[0; 7]).is_none());
}

#[test]
fn a_reading_may_be_short_and_its_reserved_bit_is_no_state() {
    let whole = Reading::decode(&[42, 0xc0, 0x05, 0x81]).unwrap();
    assert_eq!(whole.offsets().collect::<Vec<_>>(), [0, 2, 8]);
    let short = Reading::decode(&[42, 0xe0]).unwrap();
    assert_eq!((short.scanned, short.available, short.states), (true, false, 0));
    assert!(Reading::decode(&[42]).is_err());
    assert_eq!(event_words(0x6f, 8, 0), "Presence detected");
    assert_eq!(event_words(0x6f, 0xc0, 3), "state 3 of event type 0x6f");
}

#[test]
fn entries_of_every_type_are_read() {
    let threshold = [
        0x09, 0, 0x01, 0, 0x02, 0xa5, 0x2f, 0x57, 0x69, 0x20, 0x00, 0x04, 0x01, 0x01, 0x01, 0x57, 42, 47,
        0xaa, 0xaa,
    ];
    let (next, entry) = SelEntry::decode(&threshold).unwrap();
    assert_eq!((next, entry.id, entry.time), (9, 1, Some(0x6957_2fa5)));
    let Event::Sensor { owner, offset, trigger, threshold: limit, asserted, .. } = entry.event else {
        panic!()
    };
    assert_eq!((owner, offset, trigger, limit, asserted), (0x20, 7, Some(42), Some(47), true));
    // A type whose layout nobody knows, one without a time, and one from before the clock was set: none has a time.
    for (kind, time) in [(0x10, 0x60), (0xe0, 0x60), (0x02, 0x00)] {
        let mut other = threshold;
        (other[4], other[8]) = (kind, time);
        assert_eq!(SelEntry::decode(&other).unwrap().1.time, None, "{kind:#x}");
    }
    let cleared = [0, 0, 1, 0, 2, 0, 0, 0, 0x60, 0x20, 0, 4, 0x10, 0x71, 0x6f, 0x42, 0xff, 0xff];
    assert!(SelEntry::decode(&cleared).unwrap().1.is_clear_mark());
    assert_eq!((erased(&[0xf1]), erased(&[0x00]), erased(&[]).is_err()), (Ok(true), Ok(false), true));
}

#[test]
fn lan_parameters_are_read() {
    assert_eq!(
        Parameter::Address.decode(&[0x11, 192, 0, 2, 7, 9, 9]),
        Ok(Value::Ipv4([192, 0, 2, 7].into()))
    );
    assert_eq!(Parameter::Source.decode(&[0x11, 0xf2]), Ok(Value::Source(Source::Dhcp)));
    assert_eq!(Parameter::Vlan.decode(&[0x11, 0x2a, 0x80]), Ok(Value::Vlan(Some(42))));
    assert_eq!(Parameter::Vlan.decode(&[0x11, 0x2a, 0x00]), Ok(Value::Vlan(None)));
    let address: std::net::Ipv6Addr = "2001:db8::7".parse().unwrap();
    let of = |parameter: Parameter, source: u8| {
        parameter.decode(&[&[0x11, 0, source][..], &address.octets(), &[64, 0]].concat()).unwrap()
    };
    let ipv6 = |source| Value::Ipv6(Some(Ipv6 { address, prefix: 64, source }));
    assert_eq!(of(Parameter::Ipv6Static, 0x80), ipv6(Source::Static));
    assert_eq!(of(Parameter::Ipv6Static, 0x00), Value::Ipv6(None));
    assert_eq!(of(Parameter::Ipv6Dynamic, 1), ipv6(Source::Slaac));
    for short in [&[][..], &[0x11], &[0x11, 1, 2]] {
        assert!(Parameter::Address.decode(short).is_err());
    }
    let channel = Channel::decode(&[1, 4, 1, 0x80, 0xf2, 0x1b, 0, 0, 0]).unwrap();
    assert_eq!((channel.number, channel.lan), (1, true));
    assert!(Channel::decode(&[1, 4, 1]).is_err());
}

#[test]
fn users_are_read() {
    let access = UserAccess::decode(&[10, 0x42, 1, 0x34]).unwrap();
    assert_eq!((access.slots, access.enabled, access.login, access.privilege), (10, Some(true), true, 4));
    assert_eq!(UserAccess::decode(&[10, 0x02, 1, 0x0f]).unwrap().enabled, None);
    assert_eq!(user::name(b"admin\0\0\0\0\0\0\0\0\0\0\0trailing"), "admin");
    assert_eq!(user::name(b"sixteen-bytes-ok!"), "sixteen-bytes-ok");
    assert_eq!(user::name(b"a\x1b[2Jb"), "a[2Jb");
}

fn read_everything(data: &[u8]) {
    let _ = (
        Stamp::decode(data),
        reservation(data),
        Piece::decode(data),
        record_length(data),
        Thresholds::decode(data),
    );
    let _ = (
        SelInfo::decode(data),
        SelEntry::decode(data),
        erased(data),
        Reading::decode(data),
        Channel::decode(data),
    );
    let _ = (UserAccess::decode(data), user::name(data));
    for sensor in Sensor::decode(data).unwrap_or_default() {
        assert!(!sensor.name.chars().any(char::is_control), "{:?}", sensor.name);
        let value = sensor.factors.and_then(|factors| factors.value(data[0]));
        assert!(value.is_none_or(f64::is_finite));
        let _ = (unit_words(sensor.units, sensor.base_unit), type_words(sensor.kind));
        (0..16).for_each(|n| drop(event_words(sensor.reading, sensor.kind, n)));
    }
    use Parameter as P;
    for parameter in [
        P::Address,
        P::Source,
        P::Mac,
        P::Netmask,
        P::Gateway,
        P::Vlan,
        P::Ipv6Enables,
        P::Ipv6Status,
        P::Ipv6Static,
        P::Ipv6Dynamic,
    ] {
        let _ = parameter.decode(data);
    }
}

#[test]
fn what_is_cut_short_or_bent_never_panics() {
    for at in 0..CPU_TEMP.len() {
        read_everything(&CPU_TEMP[..at]);
        for value in 0..=255 {
            let mut bent = CPU_TEMP.to_vec();
            bent[at] = value;
            read_everything(&bent);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]

    #[test]
    fn any_bytes_never_panic(data in prop::collection::vec(any::<u8>(), 0..80), kind in 1u8..4) {
        read_everything(&data);
        let mut record = data;
        if record.len() > 5 {
            record[3] = kind;
            read_everything(&record);
        }
    }
}
