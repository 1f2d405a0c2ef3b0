//! What an extension's commands see of their host: the record behind the module `drp`.

use crate::scratch::Scratch;
use drp_plugin_sdk::protocol::HostedExtension;
use drp_plugin_sdk::{Value, json};
use serde_json::Map;

/// The record. `settings` are given by the names of their fields.
pub(crate) fn drp(
    extension: &HostedExtension,
    settings: Map<String, Value>,
    check: bool,
    request: &str,
    scratch: &Scratch,
) -> Value {
    json!({
        "name": extension.name,
        "type": extension.r#type,
        "version": extension.version,
        "plugin": extension.plugin(),
        "root": extension.root,
        "settings": settings,
        "check": check,
        "request": request,
        "scratch": scratch.path().join("tmp"),
        "control": scratch.control(),
        "program": std::env::current_exe().ok(),
    })
}

/// The settings that configured params give, by field, and their defaults. Without the secure ones when `check`.
pub(crate) fn settings(
    extension: &HostedExtension,
    configured: &Map<String, Value>,
    check: bool,
) -> Map<String, Value> {
    let wanted = extension.settings.iter().filter(|setting| !(check && setting.secure));
    wanted
        .filter_map(|setting| {
            let value = configured.get(&extension.param(&setting.name)).filter(|value| !value.is_null());
            let value = value.or(setting.default.as_ref())?;
            Some((setting.name.clone(), value.clone()))
        })
        .collect()
}
