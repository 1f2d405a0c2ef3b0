//! The tree of resources: which path shows what.

use super::profile::Profile;
use super::state::State;
use super::{accounts, chassis, inventory, logs, manager, media, root, system, tasks};
use crate::BmcConfig;
use crate::chassis::Chassis;
use crate::fault::glob;
use serde_json::{Value, json};
use std::time::Instant;

/// Everything that resources are made of.
pub(crate) struct View<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) config: &'a BmcConfig,
    pub(crate) machine: &'a Chassis,
    pub(crate) state: &'a State,
    pub(crate) now: Instant,
}

impl View<'_> {
    /// The path of a resource, from what follows `/redfish/v1/`.
    pub(crate) fn path(&self, rest: &str) -> String {
        let slash = if self.profile.trailing_slash || rest.is_empty() { "/" } else { "" };
        format!("/redfish/v1{}{rest}{slash}", if rest.is_empty() { "" } else { "/" })
    }

    /// A link to a resource.
    pub(crate) fn link(&self, rest: &str) -> Value {
        json!({ "@odata.id": self.path(rest) })
    }

    /// The path of an action: without a slash at the end only where the vendor has none.
    pub(crate) fn action(&self, rest: &str, name: &str) -> String {
        self.path(&format!("{rest}/Actions/{name}"))
    }

    /// The head of a resource.
    pub(crate) fn head(&self, rest: &str, kind: &str, id: &str, name: &str) -> Value {
        json!({ "@odata.id": self.path(rest), "@odata.type": format!("#{kind}"), "Id": id, "Name": name })
    }

    /// A collection and its members, by their ids.
    pub(crate) fn collection<I: AsRef<str>>(&self, rest: &str, kind: &str, ids: &[I]) -> Value {
        let mut members: Vec<Value> =
            ids.iter().map(|id| self.link(&format!("{rest}/{}", id.as_ref()))).collect();
        if self.profile.reversed_members {
            members.reverse();
        }
        json!({
            "@odata.id": self.path(rest),
            "@odata.type": format!("#{kind}Collection.{kind}Collection"),
            "Name": format!("{kind} Collection"),
            "Members@odata.count": members.len(),
            "Members": members,
        })
    }

    /// The resource at a path, with what the profile merges into it; `None` when there is none.
    pub(crate) fn resource(&self, path: &[&str]) -> Option<Value> {
        let mut body = match path {
            [] => Some(root::service(self)),
            ["SessionService", rest @ ..] => root::sessions(self, rest),
            ["AccountService", rest @ ..] => accounts::read(self, rest),
            ["TaskService", rest @ ..] => tasks::read(self, rest),
            ["Systems"] => Some(self.collection("Systems", "ComputerSystem", &[&self.profile.system])),
            ["Systems", id, rest @ ..] if *id == self.profile.system => match rest {
                [] => Some(system::read(self)),
                ["ResetActionInfo"] => system::action_info(self),
                ["LogServices", rest @ ..] => logs::read(self, "system", rest),
                ["VirtualMedia", rest @ ..] if self.profile.media.of_system => media::read(self, rest),
                rest => inventory::read(self, rest),
            },
            ["Managers"] => Some(self.collection("Managers", "Manager", &[&self.profile.manager])),
            ["Managers", id, rest @ ..] if *id == self.profile.manager => match rest {
                ["LogServices", rest @ ..] => logs::read(self, "manager", rest),
                ["VirtualMedia", rest @ ..] if !self.profile.media.of_system => media::read(self, rest),
                rest => manager::read(self, rest),
            },
            ["Chassis"] => Some(self.collection("Chassis", "Chassis", &[&self.profile.chassis])),
            ["Chassis", id, rest @ ..] if *id == self.profile.chassis => chassis::read(self, rest),
            _ => None,
        }?;
        let rest = path.join("/");
        for merge in self.profile.merge.iter().filter(|merge| glob(&merge.path, &rest)) {
            merge_into(&mut body, &merge.with);
        }
        Some(body)
    }
}

/// A merge patch (RFC 7396).
pub(crate) fn merge_into(target: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *target = patch.clone();
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    let Value::Object(target) = target else { return };
    for (name, value) in patch {
        if value.is_null() {
            target.remove(name);
        } else {
            merge_into(target.entry(name.clone()).or_insert(Value::Null), value);
        }
    }
}

/// Puts the properties of one object into another.
pub(crate) fn with(mut head: Value, rest: Value) -> Value {
    if let (Value::Object(head), Value::Object(rest)) = (&mut head, rest) {
        head.extend(rest);
    }
    head
}

/// `Status` of something that is there and well.
pub(crate) fn well() -> Value {
    json!({ "State": "Enabled", "Health": "OK" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_merge_patch_merges_and_removes() {
        let mut body = json!({"a": {"b": 1, "c": 2}, "d": 3});
        merge_into(&mut body, &json!({"a": {"b": null, "e": [1]}, "f": {"g": null, "h": 1}}));
        assert_eq!(body, json!({"a": {"c": 2, "e": [1]}, "d": 3, "f": {"h": 1}}));
    }
}
