//! What a machine boots next.

use serde::{Deserialize, Serialize};
use std::fmt;

/// A boot device selector (IPMI 2.0 §28.13, boot flags, data 2 bits 5:2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BootDevice {
    /// No override: the machine's own order.
    None,
    /// Network.
    Pxe,
    /// Hard disk.
    Disk,
    /// Optical drive, real or virtual.
    Cd,
    /// Firmware set-up.
    Bios,
    /// Network by HTTP (UEFI). IPMI has no selector for it.
    Http,
    /// A selector that no verb here sets.
    Other,
}

impl fmt::Display for BootDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "none",
            Self::Pxe => "pxe",
            Self::Disk => "disk",
            Self::Cd => "cd",
            Self::Bios => "bios",
            Self::Http => "http",
            Self::Other => "other",
        })
    }
}

/// The boot override, as asked or as read back. Many BMCs keep the device only and read the three flags back
/// as false, so a comparison of what was asked with what is kept uses [`BootState::device`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct BootState {
    /// Which device.
    pub device: BootDevice,
    /// The override is in force.
    pub valid: bool,
    /// It holds for all boots, not only for the next.
    pub persistent: bool,
    /// Boot it the UEFI way.
    pub efi: bool,
}

impl BootState {
    /// An override in force.
    #[must_use]
    pub fn new(device: BootDevice, persistent: bool, efi: bool) -> Self {
        Self { device, valid: true, persistent, efi }
    }

    /// Names of the flags that were asked and not kept.
    #[must_use]
    pub fn lost_flags(&self, kept: &Self) -> Vec<&'static str> {
        [
            (self.valid && !kept.valid, "valid"),
            (self.persistent && !kept.persistent, "persistent"),
            (self.efi && !kept.efi, "efi"),
        ]
        .into_iter()
        .filter_map(|(lost, name)| lost.then_some(name))
        .collect()
    }
}

impl fmt::Display for BootState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.device)?;
        f.write_str(if self.persistent { ", every boot" } else { ", next boot" })?;
        if self.efi {
            f.write_str(", EFI")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_flags_that_were_asked_can_be_lost() {
        let asked = BootState::new(BootDevice::Pxe, true, false);
        let kept = BootState { device: BootDevice::Pxe, valid: true, persistent: false, efi: true };
        assert_eq!(asked.lost_flags(&kept), ["persistent"]);
        assert!(asked.lost_flags(&asked).is_empty());
    }
}
