//! What machines get when they are made (wire-protocol §2.4).

use crate::{fault::Fault, memory::Row, objects::Inner, secure, write::set};
use drp_protocol::JsonMap;
use serde_json::Value;

/// Fills the fields of a machine that a client leaves empty.
pub(crate) fn complete(
    inner: &Inner,
    object: &mut JsonMap,
    old: Option<&Row>,
    create: bool,
) -> Result<(), Fault> {
    let empty =
        |object: &JsonMap, field: &str| object.get(field).and_then(Value::as_str).is_none_or(str::is_empty);
    if empty(object, "Arch") {
        set(object, "Arch", "amd64".into());
    }
    for field in ["Pool", "PoolStatus"] {
        if empty(object, field) {
            set(object, field, if field == "Pool" { "default" } else { "Free" }.into());
        }
    }
    if empty(object, "Secret") {
        let kept = old.and_then(|row| row.map().remove("Secret")).filter(|s| s.as_str() != Some(""));
        let secret = match kept {
            Some(secret) => secret,
            None => secure::random_text(16)?.into(),
        };
        set(object, "Secret", secret);
    }
    if create {
        for (field, pref) in
            [("Workflow", "defaultWorkflow"), ("Stage", "defaultStage"), ("BootEnv", "defaultBootEnv")]
        {
            if empty(object, field) {
                set(object, field, inner.pref(pref).into());
            }
        }
        set(object, "Runnable", Value::Bool(true));
        crate::lifecycle::begin(inner, object);
    }
    let flags = feature_flags(inner, object);
    if let Some(Value::Object(meta)) = object.get_mut("Meta") {
        meta.insert("feature-flags".to_owned(), flags.into());
    }
    Ok(())
}

/// What every machine can do, and what its stage and its boot environment add.
fn feature_flags(inner: &Inner, object: &JsonMap) -> String {
    let mut flags = vec!["change-stage-v2".to_owned()];
    for (field, prefix) in [("Stage", "stages"), ("BootEnv", "bootenvs")] {
        let name = object.get(field).and_then(Value::as_str).unwrap_or_default();
        let meta = inner.state.row(prefix, name).map(|row| row.meta()).unwrap_or_default();
        let theirs = meta.get("feature-flags").and_then(Value::as_str).unwrap_or_default();
        for flag in theirs.split(',').map(str::trim).filter(|flag| !flag.is_empty()) {
            if !flags.iter().any(|known| known == flag) {
                flags.push(flag.to_owned());
            }
        }
    }
    flags.join(",")
}

/// A stage that wants a boot environment decides it.
pub(crate) fn inherit_boot_env(inner: &Inner, object: &mut JsonMap) {
    let stage = object.get("Stage").and_then(Value::as_str).unwrap_or_default();
    let wanted = inner.state.row("stages", stage).and_then(|row| row.map().remove("BootEnv"));
    if let Some(wanted) = wanted.filter(|w| w.as_str().is_some_and(|w| !w.is_empty())) {
        set(object, "BootEnv", wanted);
    }
}
