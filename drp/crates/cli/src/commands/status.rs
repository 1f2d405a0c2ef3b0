//! `drp status`: is the daemon up, and how are its plugins.

use super::Context;
use crate::{Exit, Failure};
use serde_json::{Value, json};

/// Succeeds when the daemon is ready, so that scripts can wait for it.
pub(crate) async fn run(cx: &Context<'_>) -> Result<(), Failure> {
    let status = match cx.client.status().await {
        Ok(status) => status,
        // A daemon of another make: it answers, so it is up.
        Err(error) if error.is_not_found() => {
            let info = cx.client.info().await?;
            json!({ "State": "ready", "Version": info.version, "Id": info.id })
        }
        Err(error) => return Err(error.into()),
    };
    if cx.printer.for_eyes() {
        table(cx, &status)?
    } else {
        cx.printer.value(&status)?
    }
    match status["State"].as_str() {
        Some("ready") => Ok(()),
        other => Err(Failure::new(
            Exit::General,
            format!("the daemon is not ready: it is {}", other.unwrap_or("unknown")),
        )),
    }
}

fn table(cx: &Context<'_>, status: &Value) -> Result<(), Failure> {
    let mut summary = status.clone();
    let plugins = summary.as_object_mut().and_then(|map| map.remove("Plugins")).unwrap_or_default();
    let problems = summary.as_object_mut().and_then(|map| map.remove("Problems")).unwrap_or_default();
    cx.printer.value(&summary)?;
    if let Some(plugins) = plugins.as_array().filter(|p| !p.is_empty()) {
        cx.printer.text("")?;
        let columns = [
            ("Plugin", "/Name"),
            ("Provider", "/Provider"),
            ("State", "/State"),
            ("Pid", "/Pid"),
            ("Errors", "/Errors"),
        ];
        cx.printer.list(plugins, &columns)?;
    }
    let count = |value: &Value| {
        value.as_array().map_or(0, Vec::len) + value.as_object().map_or(0, serde_json::Map::len)
    };
    if count(&problems) > 0 {
        cx.printer.text("\nProblems")?;
        cx.printer.value(&problems)?;
    }
    Ok(())
}
