#![doc = include_str!("../README.md")]

mod boot;
mod client;
mod collection;
mod error;
mod inventory;
mod media;
mod message;
mod quirk;
mod reset;
mod system;
mod target;
mod task;
mod transport;
mod upkeep;

pub use boot::{Override, Source};
pub use client::{Client, Resource, shown_certificate};
pub use collection::Members;
pub use drp_tls::{Fingerprint, Trust};
pub use error::{Error, Fault};
pub use inventory::Part;
pub use media::{Slot, SlotState};
pub use message::Message;
pub use quirk::{MediaBoot, Vendor};
pub use reset::{ResetType, Wish};
pub use system::{PowerState, System};
pub use target::{DEFAULT_PORT, Target};
pub use upkeep::SensorSource;
