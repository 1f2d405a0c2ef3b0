//! What vendors do in their own way, as data.

use serde_json::Value;

/// Whose firmware it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vendor {
    /// Dell iDRAC.
    Dell,
    /// HPE iLO.
    Hpe,
    /// Supermicro.
    Supermicro,
    /// Lenovo XClarity Controller.
    Lenovo,
    /// Anything that has no quirk here.
    Generic,
}

/// How a machine is told to boot from inserted virtual media at its next start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MediaBoot {
    /// `BootSourceOverrideTarget: Cd`, as the standard has it.
    Override,
    /// `Oem.Hpe.BootOnNextServerReset` on the media resource.
    HpeOem,
}

impl Vendor {
    /// By the manufacturer's name, else by the `Oem` section of a resource.
    #[must_use]
    pub fn of(manufacturer: &str, resource: &Value) -> Self {
        let name = manufacturer.to_ascii_lowercase();
        let oem = |key: &str| resource.get("Oem").is_some_and(|oem| oem.get(key).is_some());
        if name.contains("dell") || oem("Dell") {
            Self::Dell
        } else if name == "hp" || name.contains("hpe") || name.contains("hewlett") || oem("Hpe") || oem("Hp")
        {
            Self::Hpe
        } else if name.contains("supermicro") || oem("Supermicro") {
            Self::Supermicro
        } else if name.contains("lenovo") || oem("Lenovo") {
            Self::Lenovo
        } else {
            Self::Generic
        }
    }

    /// How it boots from virtual media.
    #[must_use]
    pub fn media_boot(self) -> MediaBoot {
        match self {
            Self::Hpe => MediaBoot::HpeOem,
            _ => MediaBoot::Override,
        }
    }

    /// Its name in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Dell => "Dell",
            Self::Hpe => "HPE",
            Self::Supermicro => "Supermicro",
            Self::Lenovo => "Lenovo",
            Self::Generic => "generic",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn vendors_are_known_by_name_or_by_their_section() {
        assert_eq!(Vendor::of("Dell Inc.", &json!({})), Vendor::Dell);
        assert_eq!(Vendor::of("HPE", &json!({})), Vendor::Hpe);
        assert_eq!(Vendor::of("", &json!({"Oem": {"Hpe": {}}})), Vendor::Hpe);
        assert_eq!(Vendor::of("Sushy Emulator", &json!({})), Vendor::Generic);
    }
}
