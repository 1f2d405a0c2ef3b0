//! Virtual media (DSP0268, `VirtualMedia`): the slot is found by its media type, never by its place in the list.

use crate::client::{Client, Resource};
use crate::error::Error;
use crate::quirk::MediaBoot;
use crate::system::System;
use serde::Serialize;
use serde_json::{Value, json};

/// A slot for virtual optical media.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The resource.
    pub resource: Resource,
}

/// What is in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SlotState {
    /// Path of the slot.
    pub slot: String,
    /// Something is in it.
    pub inserted: bool,
    /// URL of the image; empty when none.
    pub image: String,
    /// The media types that it takes.
    pub media_types: Vec<String>,
}

impl Slot {
    /// What is in it.
    #[must_use]
    pub fn state(&self) -> SlotState {
        let body = &self.resource.body;
        let image = self.resource.text("/Image").unwrap_or_default().to_owned();
        SlotState {
            slot: self.resource.path.clone(),
            inserted: body.get("Inserted").and_then(Value::as_bool).unwrap_or(!image.is_empty()),
            image,
            media_types: types(body),
        }
    }
}

fn types(body: &Value) -> Vec<String> {
    let list = body.get("MediaTypes").and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|v| v.as_str().map(str::to_owned)).collect()
}

/// DVD before CD, and nothing else: a slot for USB sticks or floppies does not boot an ISO image.
fn rank(body: &Value) -> Option<u8> {
    let types = types(body);
    let has = |name: &str| types.iter().any(|t| t == name);
    if has("DVD") { Some(0) } else { has("CD").then_some(1) }
}

impl Client {
    /// The slot for optical media: of the system itself, else of the managers that manage it.
    ///
    /// # Errors
    /// [`Error::Unsupported`] when there is none; else as [`Error`] lists.
    pub async fn optical_slot(&mut self, system: &System) -> Result<Slot, Error> {
        let mut collections: Vec<String> =
            system.resource.link("/VirtualMedia").map(str::to_owned).into_iter().collect();
        for manager in system.resource.members("/Links/ManagedBy") {
            let manager = self.get(&manager).await?;
            collections.extend(manager.link("/VirtualMedia").map(str::to_owned));
        }
        let mut best: Option<(u8, Resource)> = None;
        for collection in collections {
            let members = match self.get(&collection).await {
                Ok(list) => list.members("/Members"),
                Err(Error::Unsupported { .. }) => continue,
                Err(error) => return Err(error),
            };
            for member in members {
                let slot = self.get(&member).await?;
                if let Some(rank) = rank(&slot.body)
                    && best.as_ref().is_none_or(|(other, _)| rank < *other)
                {
                    best = Some((rank, slot));
                }
            }
            if best.is_some() {
                break;
            }
        }
        match best {
            Some((_, resource)) => Ok(Slot { resource }),
            None => Err(self.unsupported("mount virtual media", "it has no slot for CD or DVD images")),
        }
    }

    /// Puts an image into a slot. What is in it already is left alone when it is the same, else refused by the BMC.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn insert(&mut self, slot: &Slot, image: &str) -> Result<(), Error> {
        let target = slot.resource.text("/Actions/#VirtualMedia.InsertMedia/target").map(str::to_owned);
        match target {
            Some(target) => self.action(&target, &json!({ "Image": image })).await,
            // Before the action existed, the property was written (VirtualMedia up to 1.1).
            None => self.patch(&slot.resource, &json!({ "Image": image, "Inserted": true })).await,
        }
    }

    /// Empties a slot.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn eject(&mut self, slot: &Slot) -> Result<(), Error> {
        let target = slot.resource.text("/Actions/#VirtualMedia.EjectMedia/target").map(str::to_owned);
        match target {
            Some(target) => self.action(&target, &json!({})).await,
            None => self.patch(&slot.resource, &json!({ "Image": null, "Inserted": false })).await,
        }
    }

    /// Makes the machine boot from the slot at its next start.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn boot_from(&mut self, system: &System, slot: &Slot, uefi: Option<bool>) -> Result<(), Error> {
        match system.vendor().media_boot() {
            MediaBoot::HpeOem => {
                let slot = self.get(&slot.resource.path.clone()).await?;
                self.patch(&slot, &json!({ "Oem": { "Hpe": { "BootOnNextServerReset": true } } })).await
            }
            MediaBoot::Override => {
                let boot =
                    crate::Override { source: crate::Source::Cd, enabled: true, persistent: false, uefi };
                self.set_boot(system, &boot).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slot_is_chosen_by_what_it_takes() {
        assert_eq!(rank(&json!({"MediaTypes": ["CD", "DVD"]})), Some(0));
        assert_eq!(rank(&json!({"MediaTypes": ["CD"]})), Some(1));
        assert_eq!(rank(&json!({"MediaTypes": ["Floppy", "USBStick"]})), None);
        assert_eq!(rank(&json!({})), None);
    }
}
