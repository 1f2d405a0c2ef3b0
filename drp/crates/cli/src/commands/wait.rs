//! Waiting for a field (wire-protocol §4.4).

use super::{Context, objects};
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
    let key = key_of(prefix, &object).unwrap_or(id).to_owned();
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

/// The key under which events name the object.
fn key_of<'a>(prefix: &str, object: &'a Value) -> Option<&'a str> {
    let fields: &[&str] = match prefix {
        "machines" | "jobs" => &["Uuid"],
        "templates" => &["ID"],
        _ => &["Name", "Id"],
    };
    fields.iter().find_map(|field| object.get(*field)?.as_str())
}

/// Commas and stars of a key are no pattern.
fn escaped(key: &str) -> String {
    key.replace(',', "\\2").replace('*', "\\3")
}

/// A field by name, by names with dots between, or by JSON Pointer.
fn at<'a>(object: &'a Value, field: &str) -> Option<&'a Value> {
    if field.starts_with('/') {
        return object.pointer(field);
    }
    let mut value = object;
    let mut rest = field;
    loop {
        if let Some(found) = value.get(rest) {
            return Some(found);
        }
        let (first, others) = rest.split_once('.')?;
        value = value.get(first)?;
        rest = others;
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::at;
    use serde_json::json;

    #[test]
    fn fields_by_name_path_and_pointer() {
        let object = json!({"A": 1, "Params": {"x/y": 2, "a.b": 3}, "L": [4]});
        for (field, expected) in
            [("A", Some(1)), ("Params.x/y", Some(2)), ("Params.a.b", Some(3)), ("/L/0", Some(4)), ("B", None)]
        {
            assert_eq!(at(&object, field).and_then(|v| v.as_i64()), expected, "{field}");
        }
    }
}
