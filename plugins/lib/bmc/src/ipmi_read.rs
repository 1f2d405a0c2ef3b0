//! Sensors, event log, users and LAN settings over IPMI, in the form of [`crate::reading`].

use crate::reading::{
    Access, Ipv4, Ipv6, Lan, LanInterface, Sel, SelEntry, Sensor, Sensors, Status, Thresholds, User, Users,
};
use drp_ipmi::codec::lan::{Parameter, Source, Value};
use drp_ipmi::codec::reading::{self, Factors, Reading};
use drp_ipmi::codec::sdr;
use drp_ipmi::codec::sel::{Event, SelEntry as Entry};
use drp_ipmi::{Error, Repository, Session};
use time::OffsetDateTime;
use time::macros::format_description;
use tokio::time::Instant;

/// The BMC's own address as the owner of sensors.
const BMC: u8 = 0x20;

/// Reads sensors and remembers their records while they do not change.
#[derive(Debug, Default)]
pub(crate) struct Records(Option<Repository>);

impl Records {
    /// The records, read anew only when the BMC says that they changed.
    async fn get(&mut self, session: &mut Session, until: Instant) -> Result<&Repository, Error> {
        let fresh = match &self.0 {
            Some(known) if known.missing.is_none() && known.stamp.added != 0 => {
                session.sdr_stamp().await?.1 == known.stamp
            }
            _ => false,
        };
        if !fresh {
            self.0 = Some(session.sdr_repository(until).await?);
        }
        // It was put there just now.
        match &self.0 {
            Some(known) => Ok(known),
            None => Err(Error::BadTarget { what: "no records".to_owned() }),
        }
    }
}

/// The session is over, or nobody knows what its answers mean. An answer that is cut short says nothing about others.
fn fatal(error: &Error) -> bool {
    error.ends_session() && !matches!(error, Error::Malformed { .. })
}

pub(crate) async fn sensors(
    session: &mut Session,
    records: &mut Records,
    until: Instant,
) -> Result<Sensors, Error> {
    let repository = records.get(session, until).await?;
    let mut out = Sensors { sensors: Vec::new(), missing: repository.missing.clone() };
    for sensor in repository.sensors.iter().filter(|sensor| sensor.readable) {
        if Instant::now() >= until {
            let left = repository.sensors.len() - out.sensors.len();
            out.missing = Some(format!("no time to read the last {left} sensors"));
            break;
        }
        out.sensors.push(read(session, sensor).await?);
    }
    Ok(out)
}

fn named(sensor: &sdr::Sensor) -> Sensor {
    Sensor {
        id: format!("0x{:02x}", sensor.number),
        name: sensor.name.clone(),
        kind: reading::type_words(sensor.kind).to_lowercase(),
        ..Sensor::default()
    }
}

async fn read(session: &mut Session, sensor: &sdr::Sensor) -> Result<Sensor, Error> {
    let out = named(sensor);
    if sensor.owner != BMC {
        return Ok(out.unreadable(format!("it belongs to controller 0x{:02x}, not to the BMC", sensor.owner)));
    }
    if sensor.lun != 0 {
        return Ok(out.unreadable(format!("it is on logical unit {} of the BMC", sensor.lun)));
    }
    let raw = match session.sensor_reading(sensor).await {
        Ok(raw) => raw,
        Err(error) if fatal(&error) => return Err(error),
        Err(Error::Completion { code, .. }) => return Ok(out.unreadable(format!("the BMC says: {code}"))),
        Err(Error::Busy { .. }) => return Ok(out.unreadable("the BMC is busy")),
        Err(_) => return Ok(out.unreadable("the BMC gave half an answer")),
    };
    if !raw.scanned {
        return Ok(out.unreadable("scanning is off"));
    }
    if !raw.available {
        return Ok(out.unreadable("no reading at the moment"));
    }
    if sensor.reading != 0x01 {
        return Ok(by_states(out, sensor, raw));
    }
    let factors = match session.sensor_factors(sensor, raw.raw).await {
        Ok(factors) => factors,
        Err(error) if fatal(&error) => return Err(error),
        Err(_) => None,
    };
    let limits = match session.sensor_thresholds(sensor).await {
        Ok(limits) => limits,
        Err(error) if fatal(&error) => return Err(error),
        Err(_) => sensor.thresholds,
    };
    Ok(by_thresholds(out, sensor, raw, factors, limits))
}

/// A sensor that is in states.
fn by_states(out: Sensor, sensor: &sdr::Sensor, raw: Reading) -> Sensor {
    let worst = raw.offsets().map(|offset| severity(sensor.reading, offset)).max_by_key(|s| rank(*s));
    let states = raw.offsets().map(|offset| reading::event_words(sensor.reading, sensor.kind, offset));
    Sensor { states: states.collect(), status: worst.unwrap_or_default(), ..out }
}

fn rank(status: Status) -> u8 {
    match status {
        Status::Unknown | Status::Unreadable => 0,
        Status::Ok => 1,
        Status::Warning => 2,
        Status::Critical => 3,
        Status::Unrecoverable => 4,
    }
}

/// What the generic event types say about health (Table 42-2). Most states say nothing: a device that is present is
/// neither good nor bad.
fn severity(reading: u8, offset: u8) -> Status {
    match (reading, offset) {
        (0x01, 0..=1 | 6..=7) => Status::Warning,
        (0x01, 2..=3 | 8..=9) => Status::Critical,
        (0x01, 4..=5 | 10..=11) => Status::Unrecoverable,
        (0x04..=0x06, 0) | (0x07, 0) | (0x0b, 0) => Status::Ok,
        (0x04..=0x06, 1) | (0x07, 1 | 4) | (0x0b, 1..=4 | 6..=7) => Status::Warning,
        (0x07, 2 | 5) | (0x0b, 5) => Status::Critical,
        (0x07, 3 | 6) => Status::Unrecoverable,
        _ => Status::Unknown,
    }
}

/// A sensor with a value.
fn by_thresholds(
    out: Sensor,
    sensor: &sdr::Sensor,
    raw: Reading,
    factors: Option<Factors>,
    limits: sdr::Thresholds,
) -> Sensor {
    // Bits 0 to 5: at or below the lower, at or above the upper thresholds (§35.14).
    let status = match raw.states & 0x3f {
        states if states & 0x24 != 0 => Status::Unrecoverable,
        states if states & 0x12 != 0 => Status::Critical,
        states if states & 0x09 != 0 => Status::Warning,
        // Without thresholds nothing is compared.
        _ if limits == sdr::Thresholds::default() => Status::Unknown,
        _ => Status::Ok,
    };
    let Some(factors) = factors else {
        let sensor = Sensor { status, ..out };
        // A compact record has no factors; its sensor has comparisons only.
        return if sensor.status == Status::Unknown {
            sensor.unreadable("its record tells no unit")
        } else {
            sensor
        };
    };
    let value = |raw: u8| factors.value(raw).map(round);
    let limit = |n: usize| limits.raw.get(n).copied().flatten().and_then(value);
    Sensor {
        value: value(raw.raw),
        unit: reading::unit_words(sensor.units, sensor.base_unit),
        status,
        thresholds: Thresholds {
            lower_warning: limit(0),
            lower_critical: limit(1),
            lower_unrecoverable: limit(2),
            upper_warning: limit(3),
            upper_critical: limit(4),
            upper_unrecoverable: limit(5),
        },
        ..out
    }
}

/// To six digits behind the point: the sum of powers of ten is not exact.
fn round(value: f64) -> f64 {
    if value.abs() < 1e9 { (value * 1e6).round() / 1e6 } else { value }
}

pub(crate) async fn sel(session: &mut Session, records: &mut Records, until: Instant) -> Result<Sel, Error> {
    let log = session.sel(Sel::MOST, until).await?;
    let sensors: &[sdr::Sensor] = if log.entries.is_empty() {
        &[]
    } else {
        // Names make it readable; without them it is still the log.
        match records.get(session, until).await {
            Ok(repository) => &repository.sensors,
            Err(error) if fatal(&error) => return Err(error),
            Err(_) => &[],
        }
    };
    Ok(Sel {
        total: u64::from(log.info.entries),
        more: usize::from(log.info.entries) > log.entries.len(),
        entries: log.entries.iter().map(|entry| logged(entry, sensors)).collect(),
        overflow: Some(log.info.overflow),
        missing: log.missing,
    })
}

fn logged(entry: &Entry, sensors: &[sdr::Sensor]) -> SelEntry {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]");
    let time = entry.time.and_then(|time| OffsetDateTime::from_unix_timestamp(i64::from(time)).ok());
    let out = SelEntry {
        id: entry.id.to_string(),
        time: time.and_then(|time| time.format(format).ok()),
        clear_mark: entry.is_clear_mark(),
        ..SelEntry::default()
    };
    match &entry.event {
        Event::Sensor { owner, kind, number, reading, asserted, offset, trigger, threshold, .. } => {
            let known = sensors.iter().find(|s| (s.owner, s.number, s.kind) == (*owner, *number, *kind));
            let words = reading::type_words(*kind).to_lowercase();
            let value = |raw: Option<u8>| {
                let (sensor, raw) = (known?, raw?);
                let factors = sensor.factors.filter(|factors| !factors.vary())?;
                let unit = reading::unit_words(sensor.units, sensor.base_unit);
                Some(format!("{} {unit}", round(factors.value(raw)?)).trim().to_owned())
            };
            let mut event = reading::event_words(*reading, *kind, *offset);
            match (value(*trigger), value(*threshold)) {
                (Some(trigger), Some(threshold)) => {
                    event += &format!(" (reading {trigger}, threshold {threshold})");
                }
                (Some(trigger), None) => event += &format!(" (reading {trigger})"),
                _ => {}
            }
            SelEntry {
                sensor: match known {
                    Some(sensor) if !sensor.name.is_empty() => sensor.name.clone(),
                    _ => format!("{words} 0x{number:02x}"),
                },
                kind: words,
                event,
                asserted: Some(*asserted),
                severity: if *asserted { severity(*reading, *offset) } else { Status::Ok },
                ..out
            }
        }
        Event::Other { kind, manufacturer, data } => {
            let bytes: Vec<_> = data.iter().map(|byte| format!("{byte:02x}")).collect();
            let of = manufacturer.map_or(String::new(), |id| format!(" of manufacturer {id}"));
            SelEntry { event: format!("record of type 0x{kind:02x}{of}: {}", bytes.join(" ")), ..out }
        }
    }
}

pub(crate) async fn users(session: &mut Session) -> Result<Users, Error> {
    let channels = session.lan_channels().await?;
    let found = session.users(&channels).await?;
    let users = found.into_iter().map(|user| {
        let first = user.access.first().map(|(_, access)| *access);
        User {
            id: user.id.to_string(),
            name: user.name,
            enabled: first.and_then(|access| access.enabled),
            privilege: first.map_or("none", |access| privilege(access.privilege)).to_owned(),
            locked: None,
            access: user
                .access
                .iter()
                .map(|(channel, access)| Access {
                    channel: *channel,
                    privilege: privilege(access.privilege).to_owned(),
                    login: access.login,
                })
                .collect(),
        }
    });
    Ok(Users { users: users.collect() })
}

/// Privilege limits in words (§22.27).
fn privilege(limit: u8) -> &'static str {
    match limit {
        1 => "callback",
        2 => "user",
        3 => "operator",
        4 => "administrator",
        5 => "oem",
        _ => "none",
    }
}

fn source(source: Source) -> &'static str {
    match source {
        Source::Static => "static",
        Source::Dhcp => "dhcp",
        Source::Slaac => "slaac",
        Source::Bios => "bios",
        Source::Other => "other",
    }
}

pub(crate) async fn lan(session: &mut Session) -> Result<Lan, Error> {
    let mut out = Lan::default();
    for channel in session.lan_channels().await? {
        let mut interface = LanInterface { name: format!("channel {channel}"), ..LanInterface::default() };
        let mut told = false;
        let mut ipv4 = Ipv4 { source: "other".to_owned(), ..Ipv4::default() };
        for parameter in [
            Parameter::Address,
            Parameter::Source,
            Parameter::Mac,
            Parameter::Netmask,
            Parameter::Gateway,
            Parameter::Vlan,
        ] {
            let text = |address: std::net::Ipv4Addr| {
                if address.is_unspecified() { String::new() } else { address.to_string() }
            };
            let value = session.lan_parameter(channel, parameter, 0).await?;
            told |= value.is_some();
            match (parameter, value) {
                (Parameter::Address, Some(Value::Ipv4(address))) => ipv4.address = text(address),
                (Parameter::Netmask, Some(Value::Ipv4(address))) => ipv4.netmask = text(address),
                (Parameter::Gateway, Some(Value::Ipv4(address))) => ipv4.gateway = text(address),
                (_, Some(Value::Source(from))) => ipv4.source = source(from).to_owned(),
                (_, Some(Value::Mac(mac))) if mac != [0; 6] => {
                    let bytes: Vec<_> = mac.iter().map(|byte| format!("{byte:02x}")).collect();
                    interface.mac = bytes.join(":");
                }
                (_, Some(Value::Vlan(vlan))) => interface.vlan = vlan,
                _ => {}
            }
        }
        interface.ipv4 = (!ipv4.address.is_empty()).then_some(ipv4);
        let ipv6 = session.lan_ipv6(channel).await?;
        interface.ipv6 = ipv6
            .into_iter()
            .map(|found| Ipv6 {
                address: found.address.to_string(),
                prefix: Some(found.prefix),
                source: source(found.source).to_owned(),
            })
            .collect();
        if told {
            out.interfaces.push(interface);
        }
    }
    Ok(out)
}
