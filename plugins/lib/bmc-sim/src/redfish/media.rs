//! Virtual media (DSP0268, VirtualMedia). The slot for CDs is wherever the profile has it.

use super::http::{Answer, Request};
use super::message::refuse;
use super::profile::Profile;
use super::service;
use super::tree::{View, with};
use crate::engine::Engine;
use drp_ipmi::{BootDevice, BootFlags};
use serde_json::{Value, json};
use std::time::Instant;

const INSERT: &str = "VirtualMedia.InsertMedia";

/// Where the slots are.
fn place(p: &Profile) -> String {
    if p.media.of_system {
        format!("Systems/{}/VirtualMedia", p.system)
    } else {
        format!("Managers/{}/VirtualMedia", p.manager)
    }
}

pub(crate) fn read(view: &View<'_>, rest: &[&str]) -> Option<Value> {
    let (p, at) = (view.profile, place(view.profile));
    let [id] = rest else {
        let ids: Vec<&String> = p.media.slots.iter().map(|slot| &slot.id).collect();
        return rest.is_empty().then(|| view.collection(&at, "VirtualMedia", &ids));
    };
    let index = p.media.slots.iter().position(|slot| slot.id == *id)?;
    let (slot, at) = (p.media.slots.get(index)?, format!("{at}/{id}"));
    let holds = view.state.slots.get(index).cloned().unwrap_or_default();
    let shown = holds.inserted || p.media.keeps_image;
    let image = if shown { holds.image.as_str() } else { "" };
    let mut body = with(
        view.head(&at, "VirtualMedia.v1_6_2.VirtualMedia", id, "Virtual Removable Media"),
        json!({
            "MediaTypes": slot.types,
            "Image": if image.is_empty() { Value::Null } else { json!(image) },
            "ImageName": image.rsplit('/').next().unwrap_or_default(),
            "Inserted": holds.inserted,
            "WriteProtected": holds.write_protected,
            "ConnectedVia": if holds.inserted { "URI" } else { "NotConnected" },
        }),
    );
    if p.media.actions {
        body["Actions"] = json!({
            format!("#{INSERT}"): { "target": view.action(&at, INSERT) },
            "#VirtualMedia.EjectMedia": { "target": view.action(&at, "VirtualMedia.EjectMedia") },
        });
    }
    if p.media.hpe_boot {
        body["Oem"] = json!({ "Hpe": { "BootOnNextServerReset": holds.boot_next } });
    }
    Some(body)
}

impl Engine {
    /// InsertMedia, EjectMedia, or PATCH.
    pub(crate) fn media(
        &mut self,
        p: &Profile,
        id: &str,
        action: &str,
        request: &Request,
        now: Instant,
    ) -> Answer {
        let Some(index) = p.media.slots.iter().position(|slot| slot.id == id) else {
            return refuse(p, "ResourceMissingAtURI", &[&request.path]);
        };
        let empty = serde_json::Map::new();
        let body = request.json.as_ref().and_then(Value::as_object).unwrap_or(&empty);
        match action {
            INSERT if p.media.actions => self.insert(p, index, body, now),
            "VirtualMedia.EjectMedia" if p.media.actions => self.eject(p, index, now),
            "" => self.patch_media(p, index, body, now),
            other => refuse(p, "ActionNotSupported", &[other]),
        }
    }

    fn insert(
        &mut self,
        p: &Profile,
        index: usize,
        body: &serde_json::Map<String, Value>,
        now: Instant,
    ) -> Answer {
        for (name, value) in body {
            match (name.as_str(), value) {
                ("Inserted" | "WriteProtected", _) if p.media.image_only => {
                    return refuse(p, "PropertyUnknown", &[name]);
                }
                ("Inserted" | "WriteProtected", Value::Bool(_)) | ("Image", Value::String(_)) => {}
                (
                    "TransferMethod" | "TransferProtocolType" | "UserName" | "Password" | "MediaType",
                    Value::String(_) | Value::Null,
                ) => {}
                (
                    "Inserted"
                    | "WriteProtected"
                    | "Image"
                    | "TransferMethod"
                    | "TransferProtocolType"
                    | "UserName"
                    | "Password"
                    | "MediaType",
                    value,
                ) => {
                    return refuse(p, "PropertyValueTypeError", &[&value.to_string(), name]);
                }
                _ => return refuse(p, "ActionParameterUnknown", &[INSERT, name]),
            }
        }
        let Some(image) = body.get("Image").and_then(Value::as_str) else {
            return refuse(p, "ActionParameterMissing", &[INSERT, "Image"]);
        };
        if !image.contains("://") {
            return refuse(p, "PropertyValueFormatError", &[image, "Image"]);
        }
        let Some(slot) = self.web.slots.get_mut(index) else { return refuse(p, "InternalError", &[]) };
        if slot.inserted {
            return refuse(p, "MediaInUse", &[]);
        }
        self.counts.inserts += 1;
        slot.image = image.to_owned();
        slot.inserted = true;
        slot.write_protected = body.get("WriteProtected").and_then(Value::as_bool).unwrap_or(true);
        service::acted(self, p, INSERT, now)
    }

    fn eject(&mut self, p: &Profile, index: usize, now: Instant) -> Answer {
        let Some(slot) = self.web.slots.get_mut(index) else { return refuse(p, "InternalError", &[]) };
        if !slot.inserted {
            return refuse(p, "MediaAbsent", &[]);
        }
        self.counts.ejects += 1;
        (slot.inserted, slot.boot_next) = (false, false);
        service::acted(self, p, "VirtualMedia.EjectMedia", now)
    }

    fn patch_media(
        &mut self,
        p: &Profile,
        index: usize,
        body: &serde_json::Map<String, Value>,
        now: Instant,
    ) -> Answer {
        if p.media.hpe_boot
            && let Some(next) = body.get("Oem").and_then(|oem| oem.pointer("/Hpe/BootOnNextServerReset"))
        {
            let next = next.as_bool().unwrap_or(false);
            let efi = self.chassis.flags().efi;
            let device = if next { BootDevice::Cdrom } else { BootDevice::None };
            self.write_flags(&BootFlags { valid: next, ..BootFlags::new(device, false, efi) });
            if let Some(slot) = self.web.slots.get_mut(index) {
                slot.boot_next = next;
            }
            return service::changed(p);
        }
        match body.get("Image") {
            Some(Value::String(_)) if !p.media.actions => self.insert(p, index, body, now),
            Some(Value::Null) if !p.media.actions => self.eject(p, index, now),
            Some(_) => refuse(p, "PropertyNotWritable", &["Image"]),
            None => match body.keys().next() {
                Some(name) => refuse(p, "PropertyUnknown", &[name]),
                None => refuse(p, "EmptyJSON", &[]),
            },
        }
    }
}
