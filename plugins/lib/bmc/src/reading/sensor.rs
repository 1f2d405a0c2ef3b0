//! Sensors.

use serde::{Deserialize, Serialize};

/// How a sensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Within its limits.
    Ok,
    /// Beyond a non-critical threshold.
    Warning,
    /// Beyond a critical threshold.
    Critical,
    /// Beyond a non-recoverable threshold.
    Unrecoverable,
    /// It has no reading at the moment; `why` says more.
    Unreadable,
    /// It has a reading, and nothing says whether that is good.
    #[default]
    Unknown,
}

/// The values at which a sensor is no longer well. Those that it has.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Thresholds {
    /// At or below: warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_warning: Option<f64>,
    /// At or below: critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_critical: Option<f64>,
    /// At or below: unrecoverable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lower_unrecoverable: Option<f64>,
    /// At or above: warning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_warning: Option<f64>,
    /// At or above: critical.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_critical: Option<f64>,
    /// At or above: unrecoverable.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upper_unrecoverable: Option<f64>,
}

impl Thresholds {
    fn is_none(&self) -> bool {
        *self == Self::default()
    }
}

/// One sensor.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sensor {
    /// What the BMC knows it by: `0x01` (IPMI), a path (Redfish).
    pub id: String,
    /// Name.
    pub name: String,
    /// What it measures, in lower case: `temperature`, `voltage`, `fan`, `power supply`…
    pub kind: String,
    /// The reading; `null` for sensors that have states only, and for those that cannot be read.
    pub value: Option<f64>,
    /// Its unit: `C`, `V`, `A`, `W`, `rpm`, `%`…; empty for none.
    pub unit: String,
    /// How it is.
    pub status: Status,
    /// The states that it is in, in words.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub states: Vec<String>,
    /// Its thresholds.
    #[serde(default, skip_serializing_if = "Thresholds::is_none")]
    pub thresholds: Thresholds,
    /// Why it cannot be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
}

impl Sensor {
    /// The sensor without a reading, and the reason.
    pub(crate) fn unreadable(self, why: impl Into<String>) -> Self {
        Self { value: None, status: Status::Unreadable, why: why.into(), ..self }
    }
}

/// Answer to `sensors`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Sensors {
    /// The sensors, in the BMC's order.
    pub sensors: Vec<Sensor>,
    /// Why some are missing; absent when all are there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missing: Option<String>,
}

impl Sensors {
    /// One sentence.
    pub(crate) fn text(&self) -> String {
        let of = |status| self.sensors.iter().filter(|s| s.status == status).count();
        let count = self.sensors.len();
        let mut text = format!("{count} sensor{}", if count == 1 { "" } else { "s" });
        for (status, word) in [
            (Status::Unrecoverable, "unrecoverable"),
            (Status::Critical, "critical"),
            (Status::Warning, "with a warning"),
            (Status::Unreadable, "unreadable"),
        ] {
            if of(status) > 0 {
                text += &format!(", {} {word}", of(status));
            }
        }
        match &self.missing {
            Some(why) => text + "; not all: " + why,
            None => text,
        }
    }
}
