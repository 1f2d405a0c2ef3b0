//! Verbs that all types share.

use super::{Context, wait};
use crate::grammar::{ListArgs, ObjectVerb, ShowArgs};
use crate::{Exit, Failure, hints, input, types};
use drp_client::{ClientError, Patch, Query};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// At most so many names are looked at for a suggestion.
const SUGGEST_FROM: u64 = 2000;
/// So long a suggestion may take.
const SUGGEST_WITHIN: Duration = Duration::from_secs(2);

pub(crate) async fn run(cx: &Context<'_>, prefix: &str, verb: ObjectVerb) -> Result<(), Failure> {
    match verb {
        ObjectVerb::List { list, show } => self::list(cx, prefix, &list, &show).await,
        ObjectVerb::Count { list } => count(cx, prefix, &list).await,
        ObjectVerb::Show { id, show } => {
            let object = fetch(cx, prefix, &id, &show_query(&show)).await?;
            cx.printer.value(&object)
        }
        ObjectVerb::Exists { id } => {
            if cx.client.exists(prefix, &id).await? {
                return Ok(());
            }
            Err(missing(
                cx,
                prefix,
                &id,
                Failure::new(Exit::NotFound, format!("{prefix}/{id} does not exist")),
            )
            .await)
        }
        ObjectVerb::Create { object } => create(cx, prefix, &object).await,
        ObjectVerb::Update { id, fields, replace, force } => {
            update(cx, prefix, &id, &fields, replace, force).await
        }
        ObjectVerb::Patch { id, patch, force } => {
            let value = input::value(&patch)?;
            let patch: Patch = serde_json::from_value(value.clone()).map_err(|e| {
                Failure::usage(format!("the patch is not a list of JSON Patch operations: {e}"))
            })?;
            if cx.dry("PATCH", &format!("{prefix}/{id}"), &value)? {
                return Ok(());
            }
            let done: Value =
                known(cx, prefix, &id, cx.client.patch(prefix, &id, &patch, force).await).await?;
            cx.printer.value(&done)
        }
        ObjectVerb::Destroy { ids } => destroy(cx, prefix, &ids).await,
        ObjectVerb::Wait { id, field, value, seconds } => {
            wait::run(cx, prefix, &id, &field, &value, seconds).await
        }
        ObjectVerb::Indexes { index } => indexes(cx, prefix, index.as_deref()).await,
        ObjectVerb::Meta { id, key, value, remove } => {
            meta(cx, prefix, &id, key.as_deref(), value, remove).await
        }
    }
}

fn list_query(list: &ListArgs) -> Result<Query, Failure> {
    let mut query = Query::new();
    for filter in &list.filters {
        let Some((name, value)) = filter.split_once('=') else {
            return Err(Failure::usage(format!("the filter `{filter}` has no ="))
                .hint("write INDEX=VALUE or INDEX=FN(ARGS), for instance 'Name=Re(^web)'"));
        };
        query = query.with(name, value);
    }
    for index in &list.sort {
        query = query.sort(index);
    }
    if list.reverse {
        query = query.reverse();
    }
    if let Some(offset) = list.offset {
        query = query.offset(offset);
    }
    if let Some(limit) = list.limit {
        query = query.limit(limit);
    }
    Ok(query)
}

fn add_show(mut query: Query, show: &ShowArgs) -> Query {
    if let Some(parts) = &show.slim {
        query = query.slim(parts);
    }
    if let Some(names) = &show.params {
        query = query.params(names);
    }
    if show.aggregate {
        query = query.aggregate();
    }
    if show.decode {
        query = query.decode();
    }
    query
}

fn show_query(show: &ShowArgs) -> Query {
    add_show(Query::new(), show)
}

async fn list(cx: &Context<'_>, prefix: &str, list: &ListArgs, show: &ShowArgs) -> Result<(), Failure> {
    let mut query = add_show(list_query(list)?, show);
    // A table shows no params; leaving them out makes long lists short.
    if cx.printer.format() == crate::Format::Table
        && show.slim.is_none()
        && types::find(prefix).is_some_and(|t| t.params)
    {
        query = query.slim("Params");
    }
    let found = cx.client.list::<Value>(prefix, &query).await.map_err(|e| filter_hint(prefix, e))?;
    cx.printer.list(&found.items, types::columns(prefix))
}

async fn count(cx: &Context<'_>, prefix: &str, list: &ListArgs) -> Result<(), Failure> {
    let counts = cx.client.count(prefix, &list_query(list)?).await.map_err(|e| filter_hint(prefix, e))?;
    match counts.matched.or(counts.returned) {
        Some(count) => cx.printer.value(&count.into()),
        None => Err(Failure::new(Exit::General, format!("the daemon does not count {prefix}"))),
    }
}

fn filter_hint(prefix: &str, error: ClientError) -> Failure {
    let filter = error.status() == Some(406);
    let failure = Failure::from(error);
    if filter { failure.hint(format!("`drp {prefix} indexes` lists what can be filtered")) } else { failure }
}

/// An object, or a failure with suggestions.
pub(crate) async fn fetch(cx: &Context<'_>, prefix: &str, id: &str, query: &Query) -> Result<Value, Failure> {
    known(cx, prefix, id, cx.client.get_with(prefix, id, query).await).await
}

/// Turns "not found" into a failure with suggestions.
pub(crate) async fn known<T>(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    result: Result<T, ClientError>,
) -> Result<T, Failure> {
    match result {
        Ok(value) => Ok(value),
        Err(error) if error.is_not_found() => Err(missing(cx, prefix, id, error.into()).await),
        Err(error) => Err(error.into()),
    }
}

/// Adds the names that look like the one that is missing.
async fn missing(cx: &Context<'_>, prefix: &str, id: &str, failure: Failure) -> Failure {
    let name = types::name_field(prefix);
    let (index, wanted) = id.split_once(':').map_or((None, id), |(index, wanted)| (Some(index), wanted));
    let query = Query::new().slim("Meta,Params").limit(SUGGEST_FROM);
    let Ok(Ok(found)) = tokio::time::timeout(SUGGEST_WITHIN, cx.client.list::<Value>(prefix, &query)).await
    else {
        return failure;
    };
    if let Some(index) = index
        && let Ok(indexes) = cx.client.indexes(prefix).await
        && !indexes.contains_key(index)
    {
        let hint = match hints::did_you_mean(index, indexes.keys().map(String::as_str)) {
            Some(hint) => hint,
            None => format!("`drp {prefix} indexes` lists what there is"),
        };
        return failure.hint(format!("{prefix} has no index {index}: {hint}"));
    }
    let field = index.unwrap_or(name);
    let names: Vec<&str> = found.items.iter().filter_map(|o| o.get(field)?.as_str()).collect();
    if index.is_none() && names.contains(&wanted) {
        // The key is another field: a machine is known by its UUID.
        return failure.hint(format!("there is one of that name: write {name}:{wanted}"));
    }
    // As it must be typed: a machine's bare key is its UUID.
    let bare = index.is_none() && !matches!(prefix, "machines" | "jobs");
    let close = hints::similar(wanted, names);
    let close: Vec<String> =
        close.iter().map(|c| if bare { format!("`{c}`") } else { format!("`{field}:{c}`") }).collect();
    if close.is_empty() {
        return failure.hint(format!("`drp {prefix} list` shows what there is"));
    }
    failure.hint(format!("did you mean {}?", close.join(" or ")))
}

/// Says which fields of the body the daemon left out, and what is wrong with the object it made of the rest.
fn review(cx: &Context<'_>, body: &Value, stored: &Value) {
    let (Some(body), Some(stored)) = (body.as_object(), stored.as_object()) else { return };
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

async fn create(cx: &Context<'_>, prefix: &str, object: &str) -> Result<(), Failure> {
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
    if cx.dry("POST", prefix, &body)? {
        return Ok(());
    }
    let created: Value = cx.client.create(prefix, &body).await?;
    review(cx, &body, &created);
    cx.printer.short(&created)
}

async fn update(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    fields: &str,
    replace: bool,
    force: bool,
) -> Result<(), Failure> {
    let fields = input::map(fields)?;
    let given = Value::Object(fields.clone());
    if replace {
        if cx.dry("PUT", &format!("{prefix}/{id}"), &Value::Object(fields.clone()))? {
            return Ok(());
        }
        let stored: Value = known(cx, prefix, id, cx.client.put(prefix, id, &fields).await).await?;
        review(cx, &given, &stored);
        return cx.printer.value(&stored);
    }
    let old = fetch(cx, prefix, id, &Query::new()).await?;
    let mut new = old.clone();
    merge(&mut new, Value::Object(fields));
    let patch = Patch::between(&old, &new);
    let body = serde_json::to_value(&patch).unwrap_or_default();
    if cx.dry("PATCH", &format!("{prefix}/{id}"), &body)? {
        return Ok(());
    }
    if patch.is_empty() {
        return cx.printer.value(&old);
    }
    let stored: Value = cx.client.patch(prefix, id, &patch, force).await?;
    review(cx, &given, &stored);
    cx.printer.value(&stored)
}

/// JSON Merge Patch (RFC 7396): maps are merged, null removes, everything else replaces.
fn merge(target: &mut Value, change: Value) {
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

async fn destroy(cx: &Context<'_>, prefix: &str, ids: &[String]) -> Result<(), Failure> {
    let mut failed = Vec::new();
    for id in ids {
        if cx.dry("DELETE", &format!("{prefix}/{id}"), &Value::Null)? {
            continue;
        }
        match known(cx, prefix, id, cx.client.delete(prefix, id).await).await {
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
    if failed.len() < 2 && ids.len() == 1 {
        return failed.pop().map_or(Ok(()), Err);
    }
    for failure in &failed {
        cx.printer.failure(failure);
    }
    match failed.len() {
        0 => Ok(()),
        n => Err(Failure::new(Exit::Partial, format!("{n} of {} could not be deleted", ids.len()))),
    }
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

async fn indexes(cx: &Context<'_>, prefix: &str, index: Option<&str>) -> Result<(), Failure> {
    let indexes = cx.client.indexes(prefix).await?;
    if let Some(name) = index {
        let Some(index) = indexes.get(name) else {
            let failure = Failure::new(Exit::NotFound, format!("{prefix} has no index {name}"));
            return Err(match hints::did_you_mean(name, indexes.keys().map(String::as_str)) {
                Some(hint) => failure.hint(hint),
                None => failure,
            });
        };
        return cx.printer.value(&json!(index));
    }
    if cx.printer.format() != crate::Format::Table {
        return cx.printer.value(&json!(indexes));
    }
    let yes = |on: bool| if on { "yes" } else { "" }.to_owned();
    let rows = indexes
        .iter()
        .map(|(name, i)| vec![name.clone(), i.r#type.clone(), yes(i.unique), yes(!i.unordered), yes(i.regex)])
        .collect();
    cx.printer.rows(&["Index", "Type", "Unique", "Sortable", "Regex"], rows)
}

async fn meta(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    key: Option<&str>,
    value: Option<String>,
    remove: bool,
) -> Result<(), Failure> {
    let meta = known(cx, prefix, id, cx.client.meta(prefix, id).await).await?;
    let Some(key) = key else { return cx.printer.value(&json!(meta)) };
    let path = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    let old = meta.get(key).cloned();
    let patch = match (value, remove, &old) {
        (None, false, Some(text)) => return cx.printer.value(&Value::String(text.clone())),
        (None, _, None) => {
            return Err(Failure::new(Exit::NotFound, format!("{prefix}/{id} has no annotation {key}")));
        }
        (None, true, Some(old)) => Patch::new().test(&path, old.clone()).remove(path),
        (Some(new), _, Some(old)) => Patch::new().test(&path, old.clone()).replace(path, new),
        (Some(new), _, None) => Patch::new().add(path, new),
    };
    if cx.dry("PATCH", &format!("meta/{prefix}/{id}"), &json!(patch))? {
        return Ok(());
    }
    cx.printer.value(&json!(cx.client.patch_meta(prefix, id, &patch).await?))
}

#[cfg(test)]
mod tests {
    use super::merge;
    use serde_json::json;

    #[test]
    fn merging_follows_rfc_7396() {
        let mut target = json!({"a": {"x": 1, "y": 2}, "b": [1], "c": "d"});
        merge(&mut target, json!({"a": {"x": null, "z": {"n": null, "m": 3}}, "b": [2], "c": null}));
        assert_eq!(target, json!({"a": {"y": 2, "z": {"m": 3}}, "b": [2]}));
    }
}
