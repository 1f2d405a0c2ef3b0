//! What machines get when they are made (wire-protocol §2.4).

use crate::{fault::Fault, memory::Row, objects::Inner, secure, write::set};
use drp_protocol::JsonMap;
use serde_json::{Value, json};

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
        if empty(object, "Workflow") {
            inherit_boot_env(inner, object);
        }
        set(object, "Runnable", Value::Bool(true));
        let idle = object.get("Tasks").and_then(Value::as_array).is_none_or(Vec::is_empty);
        set(object, "CurrentTask", json!(if idle { 0 } else { -1 }));
        set(object, "WorkflowComplete", Value::Bool(idle));
    }
    if let Some(Value::Object(meta)) = object.get_mut("Meta") {
        meta.entry("feature-flags").or_insert_with(|| "change-stage-v2".into());
    }
    Ok(())
}

/// A stage that wants a boot environment decides it.
fn inherit_boot_env(inner: &Inner, object: &mut JsonMap) {
    let stage = object.get("Stage").and_then(Value::as_str).unwrap_or_default();
    let wanted = inner.state.row("stages", stage).and_then(|row| row.map().remove("BootEnv"));
    if let Some(wanted) = wanted.filter(|w| w.as_str().is_some_and(|w| !w.is_empty())) {
        set(object, "BootEnv", wanted);
    }
}
