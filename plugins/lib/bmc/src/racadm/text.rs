//! What racadm says, read. Texts are those of the iDRAC RACADM CLI Guide and of the tool itself.

use crate::{BmcError, BootDevice, BootState, Kind, Power};
use serde_json::{Map, Value, json};

/// What goes wrong in words, and what kind it is. The first that occurs counts.
const REFUSALS: [(&str, Kind); 19] = [
    ("login failed", Kind::Credentials),
    ("invalid username or password", Kind::Credentials),
    ("unable to login to rac", Kind::Credentials),
    ("unable to connect to rac", Kind::Unreachable),
    ("maximum number of user sessions", Kind::Exhausted),
    ("session limit", Kind::Exhausted),
    ("insufficient user privilege", Kind::Refused),
    ("insufficient privilege", Kind::Refused),
    ("lifecycle controller is currently in use", Kind::NodeBusy),
    ("operation is in progress", Kind::NodeBusy),
    ("is currently busy", Kind::NodeBusy),
    ("invalid subcommand", Kind::Unsupported),
    ("invalid object", Kind::Unsupported),
    ("object value is invalid", Kind::Unsupported),
    ("not supported", Kind::Unsupported),
    ("unsupported", Kind::Unsupported),
    ("license is", Kind::Unsupported),
    ("invalid serveraction", Kind::Unsupported),
    ("usage:", Kind::Unsupported),
];

/// The failure that the lines tell of, if they do. `strict`: it was told to stop at certificates.
pub(super) fn failure(bmc: &str, success: bool, lines: &[String], strict: bool) -> Option<BmcError> {
    let lower: Vec<String> = lines.iter().map(|line| line.to_ascii_lowercase()).collect();
    let complains = lower.iter().position(|line| line.trim_start().starts_with("error"));
    if success && complains.is_none() {
        return None;
    }
    let certificate = lower.iter().position(|line| line.contains("certificate is invalid"));
    let told =
        lower.iter().enumerate().filter(|(_, line)| !line.contains("certificate")).find_map(|(at, line)| {
            REFUSALS.iter().find(|(text, _)| line.contains(text)).map(|(_, kind)| (at, *kind))
        });
    let (at, kind) = match (told, certificate) {
        (Some((at, kind)), _) => (Some(at), kind),
        (None, Some(at)) if strict => (Some(at), Kind::Certificate),
        (None, _) => {
            let first = complains.or_else(|| lower.iter().position(|line| !line.contains("certificate")));
            (first, Kind::Refused)
        }
    };
    let said = at.and_then(|at| lines.get(at)).map_or("nothing", |line| line.trim());
    let said: String = said.chars().take(300).collect();
    let error = BmcError::new(kind, bmc, format!("racadm says: {said}"));
    Some(match kind {
        Kind::Unreachable => error
            .not_sent()
            .advise("check ipmi/address and ipmi/port-racadm, that remote RACADM is enabled on the iDRAC, and firewalls"),
        Kind::Exhausted => error.not_sent(),
        Kind::Certificate => error.not_sent().advise(
            "racadm believes the certificate authorities of the host it runs on, and cannot pin: add the iDRAC's \
             authority there, or set ipmi/tls-verify to off, or use mode redfish, which can pin",
        ),
        Kind::Refused => error.advise("see the iDRAC's own log, and that the user of ipmi/username may do this"),
        _ => error,
    })
}

/// `Server power status: ON`; `None` when there is no such line.
pub(super) fn power(lines: &[String]) -> Option<Power> {
    let status = lines.iter().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.to_ascii_lowercase().contains("power status").then(|| value.trim().to_ascii_uppercase())
    })?;
    Some(match status.as_str() {
        "ON" => Power::On,
        "OFF" => Power::Off,
        _ => Power::Unknown,
    })
}

/// `LED State: Blinking`; `None` when it does not say.
pub(super) fn led(lines: &[String]) -> Option<bool> {
    let state = lines.iter().find_map(|line| {
        let (name, value) = line.split_once([':', '='])?;
        name.to_ascii_lowercase().contains("led").then(|| value.trim().to_ascii_lowercase())
    })?;
    match state.as_str() {
        "blinking" => Some(true),
        "not-blinking" | "not blinking" | "off" => Some(false),
        _ => None,
    }
}

/// Lines of the form `name = value`, under the name.
pub(super) fn pairs(lines: &[String]) -> Map<String, Value> {
    let mut pairs = Map::new();
    for line in lines.iter().filter(|line| !line.trim_start().starts_with('[')) {
        if let Some((name, value)) = line.split_once('=') {
            let name = name.trim().trim_start_matches(['#', '!']).to_owned();
            pairs.entry(name).or_insert_with(|| json!(value.trim()));
        }
    }
    pairs
}

/// The same below headings such as `RAC Information:`.
pub(super) fn sections(lines: &[String]) -> Map<String, Value> {
    let mut sections = Map::new();
    let heading = |line: &str| line.trim_end().ends_with(':') && !line.contains('=');
    let mut rest = lines;
    while let Some(at) = rest.iter().position(|line| heading(line)) {
        let name = rest[at].trim().trim_end_matches(':').to_owned();
        let end = rest[at + 1..].iter().position(|line| heading(line)).map_or(rest.len(), |n| at + 1 + n);
        let body = pairs(&rest[at + 1..end]);
        if !body.is_empty() {
            sections.insert(name, Value::Object(body));
        }
        rest = &rest[end..];
    }
    sections
}

/// What FirstBootDevice is called for a device; `None` for those it has no name for.
pub(super) fn boot_name(device: BootDevice) -> Option<&'static str> {
    Some(match device {
        BootDevice::None => "Normal",
        BootDevice::Pxe => "PXE",
        BootDevice::Disk => "HDD",
        BootDevice::Cd => "VCD-DVD",
        BootDevice::Bios => "BIOS",
        BootDevice::Http | BootDevice::Other => return None,
    })
}

/// `BootOnce` and `FirstBootDevice` of iDRAC.ServerBoot; `None` when the device is missing.
pub(super) fn boot(lines: &[String]) -> Option<BootState> {
    let pairs = pairs(lines);
    let field = |name: &str| pairs.get(name).and_then(Value::as_str);
    let name = field("FirstBootDevice")?;
    let known = [BootDevice::None, BootDevice::Pxe, BootDevice::Disk, BootDevice::Cd, BootDevice::Bios];
    let is = |device: &BootDevice| boot_name(*device).is_some_and(|known| known.eq_ignore_ascii_case(name));
    let device = known.into_iter().find(is).unwrap_or(BootDevice::Other);
    let once = field("BootOnce").is_some_and(|once| once.eq_ignore_ascii_case("enabled"));
    let valid = device != BootDevice::None;
    Some(BootState { device, valid, persistent: valid && !once, efi: false })
}

/// Records of `getsel`.
pub(super) fn event_log(lines: &[String]) -> Value {
    let mut records: Vec<Map<String, Value>> = Vec::new();
    for line in lines {
        let Some((name, value)) = line.split_once(':') else { continue };
        let field = match name.trim().to_ascii_lowercase().as_str() {
            "record" => {
                records.push(Map::new());
                "id"
            }
            "date/time" => "time",
            "source" => "source",
            "severity" => "severity",
            "description" => "event",
            _ => continue,
        };
        if let Some(record) = records.last_mut() {
            let value = value.trim();
            let value = if field == "id" {
                value.parse::<u64>().map_or(json!(value), |n| json!(n))
            } else {
                json!(value)
            };
            record.insert(field.to_owned(), value);
        }
    }
    json!(records)
}

/// Rows of the tables of `getsensorinfo`.
pub(super) fn sensors(lines: &[String]) -> Value {
    let mut sensors = Vec::new();
    let (mut kind, mut columns) = (String::new(), Vec::new());
    for line in lines {
        if let Some(name) = line.trim().strip_prefix("Sensor Type") {
            (kind, columns) = (name.trim_matches([' ', ':']).to_ascii_lowercase(), Vec::new());
        } else if line.trim_start().starts_with('<') {
            let names = line.split('<').skip(1).filter_map(|part| part.split_once('>'));
            columns = names.map(|(name, _)| name.trim().to_ascii_lowercase()).collect();
        } else if !columns.is_empty() && !line.trim_start().starts_with('[') {
            let fields: Vec<&str> =
                line.split("  ").map(str::trim).filter(|field| !field.is_empty()).collect();
            if fields.len() < 2 {
                continue;
            }
            let mut sensor =
                Map::from_iter([("type".to_owned(), json!(kind)), ("name".to_owned(), json!(fields[0]))]);
            // Beyond the third column columns are too narrow to be told apart.
            for (column, value) in columns.iter().zip(&fields).skip(1).take(2) {
                let value =
                    if column == "reading" { value.split(' ').next().unwrap_or(value) } else { value };
                sensor.insert(column.clone(), json!(value));
            }
            sensors.push(Value::Object(sensor));
        }
    }
    json!(sensors)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn power_is_on_off_or_unknown_and_never_guessed() {
        assert_eq!(
            power(&lines("Security Alert: Certificate is invalid\nServer power status: ON")),
            Some(Power::On)
        );
        assert_eq!(power(&lines("Server Power Status: OFF")), Some(Power::Off));
        assert_eq!(power(&lines("Server power status: POWERING OFF")), Some(Power::Unknown));
        assert_eq!(power(&lines("OFF")), None);
    }

    #[test]
    fn failures_have_a_kind_and_the_words() {
        let of = |text: &str, strict| failure("b", false, &lines(text), strict).map(|e| (e.kind, e.what));
        let warned = "Security Alert: Certificate is invalid - self signed certificate\n";
        let login = format!("{warned}ERROR: Login failed - invalid username or password");
        assert_eq!(of(&login, false).unwrap().0, Kind::Credentials);
        assert_eq!(of(warned, true).unwrap().0, Kind::Certificate);
        let connect = of("ERROR: Unable to connect to RAC at specified IP address.", true).unwrap();
        assert_eq!(connect.0, Kind::Unreachable);
        assert!(connect.1.contains("specified IP address"));
        assert_eq!(of("ERROR: Something else", true).unwrap().0, Kind::Refused);
        assert_eq!(of("", true).unwrap(), (Kind::Refused, "racadm says: nothing".to_owned()));
        assert!(failure("b", true, &lines("Server power operation successful"), true).is_none());
        assert!(failure("b", true, &lines("ERROR: Invalid subcommand specified."), true).is_some());
    }

    #[test]
    fn boot_settings_are_read_as_they_are_set() {
        let text = "[Key=iDRAC.Embedded.1#ServerBoot.1]\nBootOnce=Enabled\nFirstBootDevice=PXE";
        assert_eq!(boot(&lines(text)), Some(BootState::new(BootDevice::Pxe, false, false)));
        let normal = boot(&lines("BootOnce=Disabled\nFirstBootDevice=Normal")).unwrap();
        assert!(normal.device == BootDevice::None && !normal.valid && !normal.persistent);
        assert_eq!(boot(&lines("FirstBootDevice=SD")).unwrap().device, BootDevice::Other);
        assert_eq!(boot(&lines("BootOnce=Enabled")), None);
    }

    #[test]
    fn tables_and_records_are_read() {
        let text = "Sensor Type : TEMPERATURE\n\
            <Sensor Name>            <Status>    <Reading> <lc> <uc>  <lnc>[R/W]  <unc>[R/W]\n\
            [Key = iDRAC.Embedded.1#SystemBoardInletTemp]\n\
            System Board Inlet Temp       Ok      21C      -7C  47C      3C [Y]      42C [Y]\n\
            Sensor Type : CURRENT\n<Sensor Name>            <Status>    <Reading> <lc> <uc>\n\
            System Board Pwr Consumption  Ok      224Watts NA   980Watts 0Watts [N]\n\
            Sensor Type : INTRUSION\n<Sensor Name>                   <Intrusion>    <Status>\n\
            System Board Intrusion          Closed         Power ON";
        assert_eq!(
            sensors(&lines(text)),
            json!([
                {"type": "temperature", "name": "System Board Inlet Temp", "status": "Ok", "reading": "21C"},
                {"type": "current", "name": "System Board Pwr Consumption", "status": "Ok", "reading": "224Watts"},
                {"type": "intrusion", "name": "System Board Intrusion", "intrusion": "Closed", "status": "Power ON"},
            ])
        );
        let text = "Record:      1\nDate/Time:   01/02/2026 03:04:05\nSource:      system\nSeverity:    Ok\n\
            Description: Log cleared.\n-------\nRecord:      2\nDescription: Fan 1: failed.";
        assert_eq!(
            event_log(&lines(text)),
            json!([
                {"id": 1, "time": "01/02/2026 03:04:05", "source": "system", "severity": "Ok", "event": "Log cleared."},
                {"id": 2, "event": "Fan 1: failed."},
            ])
        );
        let text = "RAC Information:\nRAC Date/Time = Fri May 5 10:56:23 2017\nFirmware Version = 3.00.00.00\n\
            System Information:\nSystem Model = PowerEdge R650\nWatchdog Information:";
        let info = sections(&lines(text));
        assert_eq!(info["RAC Information"]["Firmware Version"], "3.00.00.00");
        assert_eq!(info["System Information"]["System Model"], "PowerEdge R650");
        assert_eq!(led(&lines("LED State: Not-Blinking")), Some(false));
    }
}
