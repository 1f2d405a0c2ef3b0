//! The boot override (DSP0268, ComputerSystem, `Boot`).

use serde_json::{Value, json};

/// What is booted, as a value of `BootSourceOverrideTarget`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// No override.
    None,
    /// Network.
    Pxe,
    /// Hard disk.
    Hdd,
    /// Optical drive, real or virtual.
    Cd,
    /// Firmware set-up.
    BiosSetup,
    /// Network by HTTP.
    UefiHttp,
    /// A value that nothing here sets.
    Other,
}

const NAMES: [(Source, &str); 6] = [
    (Source::None, "None"),
    (Source::Pxe, "Pxe"),
    (Source::Hdd, "Hdd"),
    (Source::Cd, "Cd"),
    (Source::BiosSetup, "BiosSetup"),
    (Source::UefiHttp, "UefiHttp"),
];

impl Source {
    /// Its name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(source, _)| *source == self).map_or("None", |(_, name)| name)
    }
}

/// A boot override.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Override {
    /// From where.
    pub source: Source,
    /// It is in force (`BootSourceOverrideEnabled` is not `Disabled`).
    pub enabled: bool,
    /// For all boots (`Continuous`) and not only the next (`Once`).
    pub persistent: bool,
    /// The UEFI way or the legacy way (`BootSourceOverrideMode`); `None` leaves it as it is. Set without need it
    /// can leave a machine unable to start, so it is sent only when somebody knows.
    pub uefi: Option<bool>,
}

impl Override {
    /// The override of a system.
    #[must_use]
    pub fn read(system: &Value) -> Self {
        let boot = |name: &str| system.get("Boot").and_then(|b| b.get(name)).and_then(Value::as_str);
        let enabled = boot("BootSourceOverrideEnabled");
        let source = match boot("BootSourceOverrideTarget") {
            None => Source::None,
            Some(name) => NAMES.iter().find(|(_, n)| *n == name).map_or(Source::Other, |(source, _)| *source),
        };
        Self {
            source,
            enabled: !matches!(enabled, None | Some("Disabled")),
            persistent: enabled == Some("Continuous"),
            uefi: match boot("BootSourceOverrideMode") {
                Some("UEFI") => Some(true),
                Some("Legacy") => Some(false),
                _ => None,
            },
        }
    }

    /// The body of the change.
    #[must_use]
    pub fn body(&self) -> Value {
        let enabled = match (self.enabled, self.persistent) {
            (false, _) => "Disabled",
            (true, false) => "Once",
            (true, true) => "Continuous",
        };
        let mut boot = json!({
            "BootSourceOverrideEnabled": enabled,
            "BootSourceOverrideTarget": self.source.name(),
        });
        if let Some(uefi) = self.uefi {
            boot["BootSourceOverrideMode"] = json!(if uefi { "UEFI" } else { "Legacy" });
        }
        json!({ "Boot": boot })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_reads_back_as_itself() {
        for source in NAMES.map(|(source, _)| source) {
            for (persistent, uefi) in [(false, None), (true, Some(true)), (false, Some(false))] {
                let boot = Override { source, enabled: true, persistent, uefi };
                assert_eq!(Override::read(&boot.body()), boot);
            }
        }
        assert_eq!(Override::read(&json!({})).source, Source::None);
        let odd = Override::read(&json!({"Boot": {"BootSourceOverrideTarget": "Usb"}}));
        assert_eq!((odd.source, odd.enabled), (Source::Other, false));
    }
}
