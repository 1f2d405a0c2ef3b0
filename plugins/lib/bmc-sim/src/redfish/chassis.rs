//! The enclosure and what it measures (DSP0268: Chassis, Thermal, Power, Sensor).

use super::sensors::{SENSORS, Sensor};
use super::tree::{View, well, with};
use serde_json::{Value, json};

pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let p = view.profile;
    let chassis = format!("Chassis/{}", p.chassis);
    let at = [chassis.as_str()].into_iter().chain(rest.iter().copied()).collect::<Vec<_>>().join("/");
    let of = |kind: &'static str| SENSORS.iter().filter(move |sensor| sensor.kind == kind);
    Some(match rest {
        [] => {
            let mut body = with(
                view.head(&at, "Chassis.v1_25_0.Chassis", &p.chassis, "Computer System Chassis"),
                json!({
                    "ChassisType": "RackMount",
                    "Manufacturer": p.manufacturer,
                    "Model": p.model,
                    "PowerState": super::system::power(view),
                    "Status": well(),
                    "Links": {
                        "ComputerSystems": [view.link(&format!("Systems/{}", p.system))],
                        "ManagedBy": [view.link(&format!("Managers/{}", p.manager))],
                    },
                }),
            );
            if p.thermal {
                body["Thermal"] = view.link(&format!("{chassis}/Thermal"));
                body["Power"] = view.link(&format!("{chassis}/Power"));
            }
            if p.sensors {
                body["Sensors"] = view.link(&format!("{chassis}/Sensors"));
            }
            body
        }
        ["Thermal"] if p.thermal => with(
            view.head(&at, "Thermal.v1_7_1.Thermal", "Thermal", "Thermal"),
            json!({
                "Temperatures": of("Temperature").enumerate().map(|(n, sensor)| with(
                    old(view, &at, "Temperatures", n, sensor, "ReadingCelsius"),
                    json!({ "PhysicalContext": if sensor.id == "Inlet" { "Intake" } else { "CPU" } }),
                )).collect::<Vec<_>>(),
                "Fans": of("Rotational").enumerate().map(|(n, sensor)| with(
                    old(view, &at, "Fans", n, sensor, "Reading"),
                    json!({ "ReadingUnits": "RPM" }),
                )).collect::<Vec<_>>(),
            }),
        ),
        ["Power"] if p.thermal => with(
            view.head(&at, "Power.v1_7_1.Power", "Power", "Power"),
            json!({
                "Voltages": of("Voltage").enumerate()
                    .map(|(n, sensor)| old(view, &at, "Voltages", n, sensor, "ReadingVolts"))
                    .collect::<Vec<_>>(),
                "PowerControl": of("Power").enumerate().map(|(n, sensor)| json!({
                    "@odata.id": format!("{}#/PowerControl/{n}", view.path(&at)),
                    "MemberId": n.to_string(),
                    "Name": "System Power Control",
                    "PowerConsumedWatts": reading(view, sensor),
                    "PowerCapacityWatts": sensor.limits.2,
                    "Status": well(),
                })).collect::<Vec<_>>(),
                "PowerSupplies": [{
                    "@odata.id": format!("{}#/PowerSupplies/0", view.path(&at)), "MemberId": "0", "Name": "PSU 1",
                    "PowerSupplyType": "AC", "LineInputVoltage": 230, "PowerCapacityWatts": 800, "Status": well(),
                }],
            }),
        ),
        ["Sensors"] if p.sensors => {
            view.collection(&at, "Sensor", &SENSORS.each_ref().map(|sensor| sensor.id))
        }
        ["Sensors", id] if p.sensors => {
            let sensor = SENSORS.iter().find(|sensor| sensor.id == *id)?;
            let (low, warning, critical) = sensor.limits;
            let mut limits = json!({});
            for (name, limit) in
                [("LowerCritical", low), ("UpperCaution", warning), ("UpperCritical", critical)]
            {
                if let Some(limit) = limit {
                    limits[name] = json!({ "Reading": limit });
                }
            }
            with(
                view.head(&at, "Sensor.v1_9_0.Sensor", id, sensor.name),
                json!({
                    "ReadingType": sensor.kind, "ReadingUnits": sensor.unit, "Reading": reading(view, sensor),
                    "Thresholds": limits, "Status": status(view, sensor),
                }),
            )
        }
        _ => return None,
    })
}

fn reading(view: &View<'_>, sensor: &Sensor) -> Option<f64> {
    if view.machine.power() { sensor.reading.0 } else { sensor.reading.1 }
}

fn status(view: &View<'_>, sensor: &Sensor) -> Value {
    match reading(view, sensor) {
        Some(_) => well(),
        None => json!({ "State": "UnavailableOffline" }),
    }
}

/// A sensor in the form of Thermal and Power.
fn old(view: &View<'_>, at: &str, list: &str, n: usize, sensor: &Sensor, property: &str) -> Value {
    let (low, warning, critical) = sensor.limits;
    json!({
        "@odata.id": format!("{}#/{list}/{n}", view.path(at)),
        "MemberId": n.to_string(),
        "Name": sensor.name,
        property: reading(view, sensor),
        "LowerThresholdCritical": low,
        "UpperThresholdNonCritical": warning,
        "UpperThresholdCritical": critical,
        "Status": status(view, sensor),
    })
}
