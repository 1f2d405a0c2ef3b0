//! What the simulated machine measures.

/// One sensor.
pub(crate) struct Sensor {
    pub(crate) id: &'static str,
    pub(crate) name: &'static str,
    /// `ReadingType` of the Sensor schema: Temperature, Rotational, Voltage, Power.
    pub(crate) kind: &'static str,
    pub(crate) unit: &'static str,
    /// Of a machine that is on, and of one that is off.
    pub(crate) reading: (Option<f64>, Option<f64>),
    /// Lower critical, upper warning, upper critical.
    pub(crate) limits: (Option<f64>, Option<f64>, Option<f64>),
}

const fn sensor(
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    unit: &'static str,
    reading: (Option<f64>, Option<f64>),
    limits: (Option<f64>, Option<f64>, Option<f64>),
) -> Sensor {
    Sensor { id, name, kind, unit, reading, limits }
}

const WARM: (Option<f64>, Option<f64>, Option<f64>) = (None, Some(85.0), Some(95.0));
const TURNS: (Option<f64>, Option<f64>, Option<f64>) = (Some(600.0), None, None);

/// All of them. What a machine that is off does not measure has no reading.
pub(crate) const SENSORS: [Sensor; 9] = [
    sensor(
        "Inlet",
        "Inlet Temp",
        "Temperature",
        "Cel",
        (Some(23.0), Some(22.0)),
        (None, Some(42.0), Some(47.0)),
    ),
    sensor("CPU1", "CPU1 Temp", "Temperature", "Cel", (Some(48.0), None), WARM),
    sensor("CPU2", "CPU2 Temp", "Temperature", "Cel", (Some(51.0), None), WARM),
    sensor("Fan1", "Fan 1", "Rotational", "RPM", (Some(5400.0), Some(0.0)), TURNS),
    sensor("Fan2", "Fan 2", "Rotational", "RPM", (Some(5280.0), Some(0.0)), TURNS),
    sensor("P12V", "12V", "Voltage", "V", (Some(12.1), None), (Some(10.8), None, Some(13.2))),
    sensor("P3V3", "3.3V", "Voltage", "V", (Some(3.31), None), (Some(2.97), None, Some(3.63))),
    sensor("VBAT", "Battery", "Voltage", "V", (Some(3.05), Some(3.05)), (Some(2.7), None, None)),
    sensor("Power", "System Power", "Power", "W", (Some(182.0), Some(9.0)), (None, None, Some(800.0))),
];
