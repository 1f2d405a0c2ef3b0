//! The sensors and the log that a simulated BMC comes with: one of each kind that IPMI has (IPMI 2.0 §43, §32).

use std::collections::BTreeMap;

/// What tells one full sensor record from another.
struct Full {
    id: u16,
    number: u8,
    entity: u8,
    kind: u8,
    reading: u8,
    /// Sensor units 1 and base unit.
    units: (u8, u8),
    /// Linearisation, M, B, exponents.
    factors: (u8, u8, u8, u8),
    /// Readable thresholds, and their values from the upper non-recoverable to the lower non-critical.
    limits: (u8, [u8; 6]),
    name: &'static str,
}

fn full(f: &Full) -> (u16, Vec<u8>) {
    let (linearisation, m, b, exponents) = f.factors;
    let (mask, [unr, uc, unc, lnr, lc, lnc]) = f.limits;
    let body = vec![
        0x20,
        0,
        f.number,
        f.entity,
        1,
        0x7f,
        if mask == 0 { 0x40 } else { 0x44 },
        f.kind,
        f.reading,
        0,
        0,
        0,
        0,
        mask,
        0,
        f.units.0,
        f.units.1,
        0,
        linearisation,
        m,
        0,
        b,
        0,
        0,
        exponents,
        0,
        0,
        0,
        0,
        0xff,
        0,
        unr,
        uc,
        unc,
        lnr,
        lc,
        lnc,
        1,
        1,
        0,
        0,
        0,
    ];
    record(f.id, 0x01, body, f.name)
}

fn record(id: u16, kind: u8, mut body: Vec<u8>, name: &str) -> (u16, Vec<u8>) {
    let length = u8::try_from(name.len().min(16)).unwrap_or(16);
    body.push(0xc0 | length);
    body.extend(name.bytes().take(16));
    let [i0, i1] = id.to_le_bytes();
    let size = u8::try_from(body.len()).unwrap_or(u8::MAX);
    (id, [&[i0, i1, 0x51, kind, size][..], &body].concat())
}

/// Sensor data records.
pub(crate) fn sensors() -> BTreeMap<u16, Vec<u8>> {
    let plain = |id, number, entity, kind, units, factors, name| {
        full(&Full { id, number, entity, kind, reading: 1, units, factors, limits: (0, [0; 6]), name })
    };
    BTreeMap::from([
        full(&Full {
            id: 1,
            number: 1,
            entity: 3,
            kind: 1,
            reading: 1,
            units: (0, 1),
            factors: (0, 1, 0, 0),
            limits: (0x3f, [90, 80, 70, 0, 5, 10]),
            name: "CPU1 Temp",
        }),
        // Two's complement: below zero.
        plain(2, 2, 0x37, 1, (0x80, 1), (0, 1, 0, 0), "Inlet Temp"),
        // 0.063 V a step.
        plain(3, 3, 7, 2, (0, 4), (0, 63, 0, 0xd0), "12V"),
        // 100 rpm a step.
        plain(4, 4, 0x1d, 4, (0, 18), (0, 100, 0, 0), "FAN1"),
        plain(5, 5, 0x1d, 4, (0, 18), (0, 100, 0, 0), "FAN2"),
        // Sensor-specific states.
        full(&Full {
            id: 6,
            number: 6,
            entity: 10,
            kind: 8,
            reading: 0x6f,
            units: (0xc0, 0),
            factors: (0, 0, 0, 0),
            limits: (0, [0; 6]),
            name: "PS1 Status",
        }),
        // A compact record that stands for two sensors, 7 and 8, with letters behind the name.
        record(
            7,
            0x02,
            vec![
                0x20, 0, 7, 4, 1, 0x7f, 0x40, 0x0d, 0x6f, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0x12, 0, 0, 0, 0, 0,
                0, 0,
            ],
            "Drive ",
        ),
        // An event-only record, and a controller that has no sensor.
        record(8, 0x03, vec![0x20, 0, 9, 6, 1, 0x12, 0x6f, 0, 0, 0, 0], "System Event"),
        record(9, 0x12, vec![0x20, 0, 0, 0xbf, 0, 0, 0, 7, 1, 0, 0], "BMC"),
        // A sensor of another controller.
        record(
            10,
            0x02,
            vec![
                0x2c, 0, 1, 4, 1, 0x7f, 0x40, 0x0d, 0x6f, 0, 0, 0, 0, 0, 0, 0xc0, 0, 0, 0x01, 0, 0, 0, 0, 0,
                0, 0,
            ],
            "ME Power",
        ),
    ])
}

/// Answers to Get Sensor Reading.
pub(crate) fn readings() -> BTreeMap<u8, Vec<u8>> {
    BTreeMap::from([
        (1, vec![42, 0xc0, 0xc0]),
        (2, vec![0xfb, 0xc0, 0xc0]),
        (3, vec![191, 0xc0, 0xc0]),
        (4, vec![54, 0xc0, 0xc0]),
        // Not scanned.
        (5, vec![0, 0x80, 0xc0]),
        (6, vec![0, 0xc0, 0x01, 0x80]),
        (7, vec![0, 0xc0, 0x01, 0x80]),
        // Not available.
        (8, vec![0, 0xe0, 0x00, 0x80]),
    ])
}

/// One entry: id, time, sensor type and number, event type with direction, event data.
fn entry(id: u16, time: u32, (kind, number): (u8, u8), direction: u8, data: [u8; 3]) -> [u8; 16] {
    let ([i0, i1], [t0, t1, t2, t3], [d0, d1, d2]) = (id.to_le_bytes(), time.to_le_bytes(), data);
    [i0, i1, 0x02, t0, t1, t2, t3, 0x20, 0x00, 0x04, kind, number, direction, d0, d1, d2]
}

/// 2026-01-02T03:04:05 as a BMC's clock has it.
const TIME: u32 = 1_767_323_045;

/// The event log.
pub(crate) fn log() -> Vec<[u8; 16]> {
    vec![
        // Before the clock was set.
        entry(1, 12, (8, 6), 0x6f, [0x00, 0xff, 0xff]),
        // Upper critical going high, with reading and threshold.
        entry(2, TIME, (1, 1), 0x01, [0x59, 85, 80]),
        // It went.
        entry(3, TIME + 60, (1, 1), 0x81, [0x59, 60, 80]),
        // A manufacturer's own record.
        [4, 0, 0xc1, 0x69, 0x35, 0x57, 0x69, 0xa2, 0x02, 0x00, 1, 2, 3, 4, 5, 6],
    ]
}

/// That the log was cleared.
pub(crate) fn cleared() -> [u8; 16] {
    entry(1, TIME + 3600, (0x10, 0x71), 0x6f, [0x42, 0xff, 0xff])
}
