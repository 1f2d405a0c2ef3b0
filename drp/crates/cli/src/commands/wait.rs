//! Waiting for a field (wire-protocol §4.4).

use super::{Context, objects};
use crate::fields::{at, key};
use crate::{Exit, Failure, hints, input, types};
use drp_client::{Incoming, Query};
use serde_json::Value;
use std::time::Duration;

/// Registers for changes first and then looks, so that no change falls between.
pub(crate) async fn run(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    field: &str,
    value: &str,
    seconds: u64,
) -> Result<(), Failure> {
    let wanted = input::parse(value, "the value")?;
    let reached = tokio::select! {
        reached = tokio::time::timeout(Duration::from_secs(seconds), watch(cx, prefix, id, field, &wanted, value)) => reached,
        _ = tokio::signal::ctrl_c() => {
            cx.printer.text("interrupt")?;
            return Err(Failure { message: String::new(), hints: Vec::new(), exit: Exit::Interrupted, quiet: true });
        }
    };
    match reached {
        Ok(done) => {
            done?;
            cx.printer.text("complete")
        }
        Err(_) => {
            cx.printer.text("timeout")?;
            Err(Failure { message: String::new(), hints: Vec::new(), exit: Exit::Timeout, quiet: true })
        }
    }
}

async fn watch(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    field: &str,
    wanted: &Value,
    text: &str,
) -> Result<(), Failure> {
    let mut events = cx.client.events().await?;
    let object = objects::fetch(cx, prefix, id, &Query::new()).await?;
    known_field(prefix, &object, field)?;
    let key = key(prefix, &object).unwrap_or(id).to_owned();
    events.register(&format!("{prefix}.update,save.{}", escaped(&key))).await?;
    let mut object = objects::fetch(cx, prefix, id, &Query::new()).await?;
    loop {
        if at(&object, field).is_some_and(|found| found == wanted || plain(found) == text) {
            return Ok(());
        }
        match events.next().await {
            Some(Ok(Incoming::Event(event))) => object = event.object,
            Some(Ok(Incoming::Lost)) => {}
            Some(Ok(_)) => object = objects::fetch(cx, prefix, id, &Query::new()).await?,
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Failure::new(Exit::General, "the event stream ended")),
        }
    }
}

/// A misspelt field would be waited for until time runs out. Types that plugins add may have any field.
fn known_field(prefix: &str, object: &Value, field: &str) -> Result<(), Failure> {
    let Some(object) = object.as_object() else { return Ok(()) };
    let name = field.strip_prefix('/').unwrap_or(field).split(['.', '/']).next().unwrap_or_default();
    if types::find(prefix).is_none() || object.contains_key(name) || object.contains_key(field) {
        return Ok(());
    }
    let failure = Failure::usage(format!("{prefix} have no field {name}"));
    Err(match hints::did_you_mean(name, object.keys().map(String::as_str)) {
        Some(hint) => failure.hint(hint),
        None => failure.hint(format!("`drp {prefix} show ID` lists the fields")),
    })
}

/// Commas and stars of a key are no pattern.
pub(crate) fn escaped(key: &str) -> String {
    key.replace(',', "\\2").replace('*', "\\3")
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
