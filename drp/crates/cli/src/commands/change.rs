//! Changes of objects.

use super::{Context, objects};
use crate::{Exit, Failure, fields, hints, input, types};
use drp_client::{ClientError, Patch, Query};
use serde_json::{Map, Value, json};

/// Most undefined params that are looked up for one warning.
const LOOK_UP: usize = 100;

/// Says which fields of the body the daemon left out, and what is wrong with the object it made of the rest.
pub(crate) async fn review(cx: &Context<'_>, body: &Value, stored: &Value) {
    let (Some(body), Some(stored)) = (body.as_object(), stored.as_object()) else { return };
    if let Some(params) = body.get("Params").and_then(Value::as_object) {
        undefined(cx, params.keys().map(String::as_str)).await;
    }
    let known = |name: &str| stored.keys().any(|k| k.eq_ignore_ascii_case(name));
    let empty = |v: &Value| matches!(v, Value::Null) || *v == json!("") || *v == json!([]) || *v == json!({});
    for (name, _) in body.iter().filter(|(n, v)| !known(n) && !empty(v) && !n.starts_with("Password")) {
        cx.printer.warn(&format!("there is no field {name}: it was left out"));
        if let Some(hint) = hints::did_you_mean(name, stored.keys().map(String::as_str)) {
            cx.printer.hint(&hint);
        }
    }
    if stored.get("Available") == Some(&Value::Bool(false)) {
        for error in stored.get("Errors").and_then(Value::as_array).into_iter().flatten() {
            cx.printer.warn(&format!("not available: {}", error.as_str().unwrap_or_default()));
        }
    }
}

/// Warns of params that nobody defined: their values are not checked and never sealed, which is rarely meant.
pub(crate) async fn undefined<'a>(cx: &Context<'_>, names: impl Iterator<Item = &'a str>) {
    let names: Vec<&str> = names.take(LOOK_UP).collect();
    if names.is_empty() {
        return;
    }
    let wanted = names.iter().map(|name| format!("Eq({name})"));
    let query = wanted.fold(Query::new().slim("Meta"), |query, name| query.with("Name", name));
    let Ok(found) = cx.client.list::<Value>("params", &query).await else { return };
    let defined: Vec<&str> = found.items.iter().filter_map(|param| param.get("Name")?.as_str()).collect();
    let left: Vec<&str> = names.into_iter().filter(|name| !defined.contains(name)).collect();
    if left.is_empty() {
        return;
    }
    let all =
        cx.client.list::<Value>("params", &Query::new().slim("Meta").limit(objects::SUGGEST_FROM)).await;
    let all = all.map(|found| found.items).unwrap_or_default();
    for name in left {
        cx.printer.warn(&format!(
            "no param definition is called {name}: its value is not checked and never sealed"
        ));
        let names = all.iter().filter_map(|param| param.get("Name")?.as_str());
        if let Some(hint) = hints::did_you_mean(name, names) {
            cx.printer.hint(&hint);
        }
    }
}

pub(crate) async fn create(cx: &Context<'_>, prefix: &str, object: &str) -> Result<(), Failure> {
    let body = match input::value(object)? {
        Value::Object(map) => Value::Object(map),
        Value::String(name) => json!({ types::name_field(prefix): name }),
        other => {
            return Err(Failure::usage(format!(
                "an object or a name is needed, and this is {}",
                input::kind(&other)
            )));
        }
    };
    if cx.globals.dry_run
        && let Some(key) = fields::key(prefix, &body)
        && cx.client.exists(prefix, key).await?
    {
        return Err(Failure::new(Exit::Refused, format!("{prefix}/{key} already exists")));
    }
    if cx.dry("POST", prefix, &body)? {
        return Ok(());
    }
    let created = cx.send("POST", prefix, Some(&body)).await?;
    // A machine that asks for its next job may have nothing to do (wire-protocol §3.9).
    if created.is_null() {
        cx.printer.remark("there is nothing to do");
        return Ok(());
    }
    review(cx, &body, &created).await;
    cx.printer.short(&created)
}

pub(crate) async fn update(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    fields: &str,
    replace: bool,
) -> Result<(), Failure> {
    let fields = input::map(fields)?;
    let given = Value::Object(fields.clone());
    if replace {
        objects::fetch(cx, prefix, id, &Query::new()).await?;
        if cx.dry("PUT", &format!("{prefix}/{id}"), &given)? {
            return Ok(());
        }
        let stored: Value =
            objects::known(cx, prefix, id, cx.client.put(prefix, id, &fields, cx.globals.force).await)
                .await?;
        review(cx, &given, &stored).await;
        return cx.printer.object(&stored);
    }
    let old = objects::fetch(cx, prefix, id, &Query::new()).await?;
    let (guard, base) = match &cx.globals.reference {
        Some(reference) => {
            let reference = Value::Object(input::map(reference)?);
            let mut base = old.clone();
            merge(&mut base, reference.clone());
            (guard(&reference, &old), base)
        }
        None => (Patch::new(), old.clone()),
    };
    let mut new = base.clone();
    merge(&mut new, Value::Object(fields));
    let changes = Patch::between(&base, &new);
    if changes.is_empty() && guard.is_empty() {
        return if cx.dry("PATCH", &format!("{prefix}/{id}"), &json!([]))? {
            Ok(())
        } else {
            cx.printer.object(&old)
        };
    }
    send(cx, prefix, id, &Patch(guard.0.into_iter().chain(changes.0).collect()), Some(&given)).await
}

/// Tests that the object is still the reference: all of it, when the reference has all of its fields, and else the
/// fields that the reference has.
fn guard(reference: &Value, object: &Value) -> Patch {
    let (Some(reference_fields), Some(fields)) = (reference.as_object(), object.as_object()) else {
        return Patch::new();
    };
    if fields.keys().all(|field| reference_fields.contains_key(field)) {
        return Patch::new().test("", reference.clone());
    }
    reference_fields.iter().fold(Patch::new(), |patch, (field, value)| {
        patch.test(format!("/{}", field.replace('~', "~0").replace('/', "~1")), value.clone())
    })
}

/// A list of operations; or, when the first word is an object, the changes from that to what it shall be.
pub(crate) async fn patch(cx: &Context<'_>, prefix: &str, id: &str, patch: &str) -> Result<(), Failure> {
    let value = input::value(patch)?;
    if id == "-" || id.trim_start().starts_with('{') || id.starts_with('@') {
        let old = Value::Object(input::map(id)?);
        let Some(key) = fields::key(prefix, &old) else {
            return Err(Failure::usage(format!("the object does not say which of the {prefix} it is")));
        };
        let mut new = old.clone();
        merge(&mut new, value.clone());
        return send(cx, prefix, key, &Patch::between(&old, &new), Some(&value)).await;
    }
    let patch: Patch = serde_json::from_value(value).map_err(|e| {
        Failure::usage(format!("the patch is not a list of JSON Patch operations: {e}"))
            .hint("`update` takes fields and their new values")
    })?;
    if cx.globals.dry_run {
        objects::fetch(cx, prefix, id, &Query::new()).await?;
    }
    send(cx, prefix, id, &patch, None).await
}

async fn send(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    patch: &Patch,
    given: Option<&Value>,
) -> Result<(), Failure> {
    if cx.dry("PATCH", &format!("{prefix}/{id}"), &json!(patch))? {
        return Ok(());
    }
    let sent = cx.client.patch(prefix, id, patch, cx.globals.force).await;
    let stored: Value = objects::known(cx, prefix, id, sent).await?;
    if let Some(given) = given {
        review(cx, given, &stored).await;
    }
    cx.printer.object(&stored)
}

/// JSON Merge Patch (RFC 7396): maps are merged, null removes, everything else replaces.
pub(crate) fn merge(target: &mut Value, change: Value) {
    let Value::Object(change) = change else {
        *target = change;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Value::Object(target) = target else { return };
    for (name, value) in change {
        if value.is_null() {
            target.remove(&name);
        } else {
            merge(target.entry(name).or_insert(Value::Null), value);
        }
    }
}

pub(crate) async fn destroy(cx: &Context<'_>, prefix: &str, ids: &[String]) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for id in ids {
        if cx.globals.dry_run {
            match objects::known(cx, prefix, id, exists(cx, prefix, id).await).await {
                Ok(()) => cx.dry("DELETE", &format!("{prefix}/{id}"), &Value::Null).map(drop)?,
                Err(failure) => failed.push(failure),
            }
            continue;
        }
        match objects::known(cx, prefix, id, cx.client.delete(prefix, id).await).await {
            Ok(_) => {
                cx.printer.item(
                    &json!({ "Deleted": id, "Type": prefix }),
                    &format!("Deleted {} {id}", types::one(prefix)),
                )?;
                if prefix == "plugin_providers" {
                    orphans(cx, id).await;
                }
            }
            Err(failure) => failed.push(failure),
        }
    }
    objects::some_failed(cx, failed, ids.len())
}

/// Whether there is something to delete.
async fn exists(cx: &Context<'_>, prefix: &str, id: &str) -> Result<(), ClientError> {
    cx.client.tag(prefix, id, &drp_client::Poll::default()).await.map(drop)
}

/// Plugins that are left without the provider that was deleted.
async fn orphans(cx: &Context<'_>, provider: &str) {
    let query = Query::new().with("Provider", provider);
    let Ok(left) = cx.client.list::<Value>("plugins", &query).await else { return };
    for name in left.items.iter().filter_map(|plugin| plugin.get("Name")?.as_str()) {
        cx.printer.warn(&format!("the plugin {name} is left without its provider"));
        cx.printer.hint(&format!("`drp plugins destroy {name}` deletes it too"));
    }
}

#[cfg(test)]
mod tests {
    use super::{guard, merge};
    use serde_json::json;

    #[test]
    fn merging_follows_rfc_7396() {
        let mut target = json!({"a": {"x": 1, "y": 2}, "b": [1], "c": "d"});
        merge(&mut target, json!({"a": {"x": null, "z": {"n": null, "m": 3}}, "b": [2], "c": null}));
        assert_eq!(target, json!({"a": {"y": 2, "z": {"m": 3}}, "b": [2]}));
    }

    #[test]
    fn a_reference_is_tested_whole_or_by_its_fields() {
        let object = json!({"a": 1, "b/c": 2});
        assert_eq!(json!(guard(&object, &object))[0]["path"], "");
        let part = json!(guard(&json!({"b/c": 2}), &object));
        assert_eq!((&part[0]["path"], part.as_array().unwrap().len()), (&json!("/b~1c"), 1));
    }
}
