//! What racadm tells, in the form of [`crate::reading`].

use crate::reading::{Ipv4, Lan, LanInterface, Sel, SelEntry, Sensor, Sensors, Status, clean};
use serde_json::{Map, Value};

fn text(row: &Value, name: &str) -> String {
    match row.get(name) {
        Some(Value::String(text)) => clean(text),
        Some(Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

fn status(word: &str) -> Status {
    match word.to_ascii_lowercase().as_str() {
        "ok" | "normal" => Status::Ok,
        "warning" | "non-critical" | "noncritical" => Status::Warning,
        "critical" | "failed" => Status::Critical,
        "non-recoverable" | "nonrecoverable" => Status::Unrecoverable,
        _ => Status::Unknown,
    }
}

/// `21C`, `5640RPM`, `224Watts`, `0.6V`: a number and its unit.
fn measured(reading: &str) -> Option<(f64, String)> {
    let end = reading.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-')).unwrap_or(reading.len());
    let (number, unit) = reading.split_at(end);
    let unit = match unit.trim().to_ascii_lowercase().as_str() {
        "watts" | "w" => "W".to_owned(),
        "amps" | "a" => "A".to_owned(),
        "volts" | "v" => "V".to_owned(),
        "c" => "C".to_owned(),
        other => other.to_owned(),
    };
    Some((number.parse().ok()?, unit))
}

/// Rows of `getsensorinfo`.
pub(super) fn sensors(rows: &Value) -> Sensors {
    let rows = rows.as_array().into_iter().flatten();
    let sensors = rows.map(|row| {
        let name = text(row, "name");
        let sensor = Sensor { id: name.clone(), name, kind: text(row, "type"), ..Sensor::default() };
        let word = text(row, "status");
        let reading = text(row, "reading");
        match measured(&reading) {
            Some((value, unit)) => Sensor { value: Some(value), unit, status: status(&word), ..sensor },
            None if matches!(reading.as_str(), "NA" | "N/A") => sensor.unreadable("no reading at the moment"),
            // States: every other column.
            None => {
                let fields = row.as_object().into_iter().flatten();
                let fields = fields.filter(|(name, _)| !matches!(name.as_str(), "name" | "type" | "status"));
                let mut states: Vec<_> = fields
                    .filter_map(|(_, value)| value.as_str())
                    .map(clean)
                    .filter(|s| !s.is_empty())
                    .collect();
                if states.is_empty() {
                    states.extend(Some(clean(&word)).filter(|word| !word.is_empty()));
                }
                Sensor { states, status: status(&word), ..sensor }
            }
        }
    });
    Sensors { sensors: sensors.collect(), missing: None }
}

/// `01/02/2026 03:04:05`, month first, as RFC 3339 without a zone.
fn time(text: &str) -> Option<String> {
    let (date, clock) = text.trim().split_once(' ')?;
    let [month, day, year] = date.split('/').collect::<Vec<_>>().try_into().ok()?;
    let whole = |text: &str, len| text.len() == len && text.bytes().all(|b| b.is_ascii_digit());
    let clock = clock.trim();
    let fits =
        whole(year, 4) && whole(month, 2) && whole(day, 2) && clock.split(':').all(|part| whole(part, 2));
    fits.then(|| format!("{year}-{month}-{day}T{clock}"))
}

/// Records of `getsel`.
pub(super) fn sel(records: &Value) -> Sel {
    let records = records.as_array().map(Vec::as_slice).unwrap_or_default();
    let all = records.iter().map(|record| SelEntry {
        id: text(record, "id"),
        time: time(&text(record, "time")),
        kind: text(record, "source").to_lowercase(),
        event: text(record, "event"),
        severity: status(&text(record, "severity")),
        ..SelEntry::default()
    });
    let older = records.len().saturating_sub(Sel::MOST);
    let total = u64::try_from(records.len()).unwrap_or(u64::MAX);
    Sel { total, entries: all.skip(older).collect(), more: older > 0, overflow: None, missing: None }
}

/// Settings of `getniccfg`.
pub(super) fn lan(pairs: &Map<String, Value>) -> Lan {
    let of = |name: &str| pairs.get(name).and_then(Value::as_str).map(clean).unwrap_or_default();
    let used = |text: String| if matches!(text.as_str(), "0.0.0.0" | "::") { String::new() } else { text };
    let address = used(of("IP Address"));
    let source = match of("DHCP Enabled").as_str() {
        "0" => "static",
        "1" => "dhcp",
        _ => "other",
    };
    let ipv4 = Ipv4 {
        netmask: used(of("Subnet Mask")),
        gateway: used(of("Gateway")),
        source: source.to_owned(),
        address: address.clone(),
    };
    let interface = LanInterface {
        name: "idrac".to_owned(),
        mac: of("MAC Address").to_lowercase(),
        ipv4: (!address.is_empty()).then_some(ipv4),
        ..LanInterface::default()
    };
    Lan { interfaces: vec![interface] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_have_units_and_states_are_words() {
        let all = sensors(&json!([
            {"type": "temperature", "name": "Inlet", "status": "Ok", "reading": "21C"},
            {"type": "current", "name": "Pwr", "status": "Critical", "reading": "224Watts"},
            {"type": "fan", "name": "Fan", "status": "N/A", "reading": "NA"},
            {"type": "intrusion", "name": "Lid", "intrusion": "Closed", "status": "Power ON"},
        ]));
        let told: Vec<_> = all.sensors.iter().map(|s| (s.value, s.unit.as_str(), s.status)).collect();
        assert_eq!(told[0], (Some(21.0), "C", Status::Ok));
        assert_eq!(told[1], (Some(224.0), "W", Status::Critical));
        assert_eq!(told[2], (None, "", Status::Unreadable));
        assert_eq!(all.sensors[3].states, ["Closed"]);
    }

    #[test]
    fn times_are_told_the_same_way_everywhere() {
        let log = sel(
            &json!([{"id": 1, "time": "01/02/2026 03:04:05", "severity": "Ok", "event": "Log cleared."}]),
        );
        assert_eq!((log.total, log.entries[0].time.as_deref()), (1, Some("2026-01-02T03:04:05")));
        assert_eq!((time("System Boot"), time("1/2/26 03:04:05")), (None, None));
    }
}
