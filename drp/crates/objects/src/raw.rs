//! Raw types: what providers declare in `StoreObjects` (wire-protocol §1.11, §2.4).

use crate::{
    index::{IndexDef, IndexType, base_indexes},
    kind::{KeyOf, Kind},
    names::NameRule,
    schema::Checker,
};
use drp_protocol::JsonMap;
use serde_json::{Value, json};
use std::sync::Arc;

/// The schema of a raw type, compiled.
#[derive(Debug, Clone)]
pub(crate) struct RawSchema {
    pub(crate) checker: Arc<Checker>,
}

/// The kind of one entry of `StoreObjects`.
pub(crate) fn kind(prefix: &str, fields: &Value) -> Result<Kind, String> {
    let declared = fields.clone();
    let empty = JsonMap::new();
    let fields = match fields {
        Value::Object(map) => map,
        Value::Null => &empty,
        _ => return Err(format!("StoreObjects {prefix}: not a table of fields")),
    };
    let mut indexes = base_indexes();
    indexes.push(IndexDef::new("Id", IndexType::Text, "UR"));
    indexes.push(IndexDef::new("Type", IndexType::Text, "R"));
    indexes.push(IndexDef::new("Params", IndexType::List, "N"));
    let mut properties = JsonMap::new();
    properties.insert("Id".into(), json!({"type": "string"}));
    properties.insert("Type".into(), json!({"type": "string"}));
    let mut required = Vec::new();
    for (name, declared) in fields {
        let flag = |flag: &str| declared.get(flag).and_then(Value::as_bool).unwrap_or(false);
        if flag("isrequired") {
            required.push(Value::from(name.as_str()));
        }
        let unique = if flag("isunique") { "U" } else { "" };
        match declared.get("type").and_then(Value::as_str) {
            Some("string") => indexes.push(IndexDef::new(name, IndexType::Text, &format!("R{unique}"))),
            Some("boolean") => indexes.push(IndexDef::new(name, IndexType::Bool, &format!("N{unique}"))),
            _ => {}
        }
        let mut schema = declared.clone();
        if let Some(map) = schema.as_object_mut() {
            map.remove("isrequired");
            map.remove("isunique");
        }
        properties.insert(name.clone(), schema);
    }
    let schema = if fields.is_empty() {
        None
    } else {
        let mut schema = json!({"type": "object", "properties": properties});
        if !required.is_empty() {
            schema["required"] = Value::Array(required);
        }
        Some(RawSchema { checker: Arc::new(Checker::compile(&schema)?) })
    };
    Ok(Kind {
        prefix: prefix.to_owned(),
        key_field: "Id".to_owned(),
        has_params: true,
        has_actions: true,
        raw: true,
        listed: true,
        key_of: KeyOf::Field,
        name_rule: NameRule::Any,
        indexes,
        normalise,
        schema,
        declared,
    })
}

const BASE: &[&str] = &[
    "Type",
    "Id",
    "Validated",
    "Available",
    "Errors",
    "Meta",
    "Params",
    "Bundle",
    "Endpoint",
    "ReadOnly",
    "Documentation",
    "Description",
];

fn normalise(prefix: &str, object: JsonMap) -> Result<JsonMap, String> {
    let mut out = canonical(object, BASE);
    fill(
        &mut out,
        &["Validated", "Available", "ReadOnly"],
        &["Id", "Bundle", "Endpoint", "Documentation", "Description"],
        &["Meta", "Params"],
    )?;
    fill_list(&mut out, "Errors")?;
    out.insert("Type".into(), prefix.into());
    Ok(out)
}

/// Gives known fields their exact names, whatever the case they came in.
pub(crate) fn canonical(object: JsonMap, known: &[&str]) -> JsonMap {
    let mut out = JsonMap::new();
    for (name, value) in object {
        match known.iter().find(|k| k.eq_ignore_ascii_case(&name)) {
            Some(exact) if **exact != name && out.contains_key(*exact) => {}
            Some(exact) => drop(out.insert((*exact).to_owned(), value)),
            None => drop(out.insert(name, value)),
        }
    }
    out
}

/// Fills flags, texts and maps that are missing or null and refuses other types.
pub(crate) fn fill(out: &mut JsonMap, flags: &[&str], texts: &[&str], maps: &[&str]) -> Result<(), String> {
    type Fits = fn(&Value) -> bool;
    let groups: [(&[&str], Fits, Value, &str); 3] = [
        (flags, Value::is_boolean, Value::Bool(false), "true or false"),
        (texts, Value::is_string, Value::String(String::new()), "a string"),
        (maps, Value::is_object, Value::Object(JsonMap::new()), "an object"),
    ];
    for (names, fits, empty, what) in groups {
        for name in names {
            match out.get(*name) {
                None | Some(Value::Null) => drop(out.insert((*name).to_owned(), empty.clone())),
                Some(value) if fits(value) => {}
                Some(_) => return Err(format!("{name}: not {what}")),
            }
        }
    }
    let annotations = out.get("Meta").and_then(Value::as_object).filter(|_| maps.contains(&"Meta"));
    if let Some((name, _)) = annotations.into_iter().flatten().find(|(_, value)| !value.is_string()) {
        return Err(format!("Meta.{name}: not a string"));
    }
    Ok(())
}

pub(crate) fn fill_list(out: &mut JsonMap, name: &str) -> Result<(), String> {
    match out.get(name) {
        None | Some(Value::Null) => drop(out.insert(name.to_owned(), Value::Array(Vec::new()))),
        Some(Value::Array(_)) => {}
        Some(_) => return Err(format!("{name}: not a list")),
    }
    Ok(())
}
