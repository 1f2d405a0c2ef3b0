//! Small changes of one object: a field, or an entry of a list. Each reads the object, and changes it only if it is
//! still like that.

use super::{Context, change, objects};
use crate::{Exit, Failure, hints};
use drp_client::{Patch, Query};
use serde_json::{Value, json};

/// Sets top-level fields.
pub(crate) async fn set(cx: &Context<'_>, prefix: &str, id: &str, fields: &Value) -> Result<(), Failure> {
    let old = objects::fetch(cx, prefix, id, &Query::new()).await?;
    let mut new = old.clone();
    change::merge(&mut new, fields.clone());
    send(cx, prefix, id, &old, &new).await
}

/// Adds entries to a list of texts, at a place or at its end.
pub(crate) async fn add(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    field: &str,
    entries: &[String],
    place: Option<usize>,
) -> Result<(), Failure> {
    let old = objects::fetch(cx, prefix, id, &Query::new()).await?;
    let mut list = texts(&old, field);
    let place = place.unwrap_or(list.len());
    if place > list.len() {
        return Err(Failure::usage(format!(
            "{prefix}/{id} has {} {field}, and no place {place}",
            list.len()
        )));
    }
    list.splice(place..place, entries.iter().cloned());
    let mut new = old.clone();
    new[field] = json!(list);
    send(cx, prefix, id, &old, &new).await
}

/// Removes entries of a list of texts.
pub(crate) async fn remove(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    field: &str,
    entries: &[String],
) -> Result<(), Failure> {
    let old = objects::fetch(cx, prefix, id, &Query::new()).await?;
    let mut list = texts(&old, field);
    for entry in entries {
        let Some(place) = list.iter().position(|e| e == entry) else {
            let failure =
                Failure::new(Exit::NotFound, format!("{entry} is not among the {field} of {prefix}/{id}"));
            return Err(match hints::did_you_mean(entry, list.iter().map(String::as_str)) {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        };
        list.remove(place);
    }
    let mut new = old.clone();
    new[field] = json!(list);
    send(cx, prefix, id, &old, &new).await
}

fn texts(object: &Value, field: &str) -> Vec<String> {
    let list = object.get(field).and_then(Value::as_array).into_iter().flatten();
    list.filter_map(Value::as_str).map(str::to_owned).collect()
}

async fn send(cx: &Context<'_>, prefix: &str, id: &str, old: &Value, new: &Value) -> Result<(), Failure> {
    let patch = Patch::between(old, new);
    if cx.dry("PATCH", &format!("{prefix}/{id}"), &json!(patch))? {
        return Ok(());
    }
    if patch.is_empty() {
        return cx.printer.object(old);
    }
    let stored: Value = cx.client.patch(prefix, id, &patch, cx.globals.force).await?;
    change::review(cx, &json!({}), &stored).await;
    cx.printer.object(&stored)
}
