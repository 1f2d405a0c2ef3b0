//! The document against its golden file, itself and the types of the object engine.

use crate::routes::table;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;

fn document() -> Value {
    super::document(table())
}

fn operations(document: &Value) -> impl Iterator<Item = (&String, &String, &Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    paths
        .flat_map(|(path, item)| item.as_object().unwrap().iter().map(move |(method, op)| (path, method, op)))
}

/// JSON with what fits on a line on one: thousands of lines of brackets would hide a change.
fn lines(value: &Value, indent: &str, out: &mut String) {
    let short = value.to_string();
    let deeper = format!("{indent} ");
    let mut each = |open: char, parts: Vec<(String, &Value)>, close: char| {
        out.push(open);
        for (place, (name, part)) in parts.into_iter().enumerate() {
            out.push_str(if place == 0 { "\n" } else { ",\n" });
            out.push_str(&deeper);
            out.push_str(&name);
            lines(part, &deeper, out);
        }
        out.push('\n');
        out.push_str(indent);
        out.push(close);
    };
    match value {
        Value::Object(map) if short.len() + indent.len() > 120 => {
            each(
                '{',
                map.iter().map(|(name, part)| (format!("{}: ", Value::from(name.as_str())), part)).collect(),
                '}',
            );
        }
        Value::Array(list) if short.len() + indent.len() > 120 => {
            each('[', list.iter().map(|part| (String::new(), part)).collect(), ']');
        }
        _ => out.push_str(&short),
    }
}

#[test]
fn the_openapi_document_is_the_golden_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../docs/reference/openapi.json");
    let mut text = String::new();
    lines(&document(), "", &mut text);
    text.push('\n');
    if std::env::var_os("DRP_BLESS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    if golden != text {
        let line = golden.lines().zip(text.lines()).position(|(a, b)| a != b).unwrap_or_default();
        let now = text.lines().nth(line).unwrap_or_default();
        panic!(
            "docs/reference/openapi.json differs from line {}: {now}\nrun DRP_BLESS=1 cargo test -p drp-server openapi",
            line + 1
        );
    }
}

#[test]
fn the_openapi_document_is_complete() {
    let document = document();
    let mut ids = BTreeSet::new();
    let mut wrong = Vec::new();
    for (path, method, operation) in operations(&document) {
        let id = operation["operationId"].as_str().unwrap_or_default();
        if id.is_empty() || !ids.insert(id) {
            wrong.push(format!("{method} {path}: operation id {id:?} is empty or there already"));
        }
        // What one node does not do has no good answer: 409, with what to do instead.
        let good = |status: &String| status.as_str() < "400" || status == "409";
        let good = operation["responses"].as_object().unwrap().keys().any(good);
        if !good || operation["summary"].as_str().unwrap_or_default().is_empty() {
            wrong.push(format!("{method} {path}: no summary or no good answer"));
        }
        if method != "head" && operation["x-examples"].as_array().is_none_or(Vec::is_empty) {
            wrong.push(format!("{method} {path}: no example"));
        }
        for example in operation["x-examples"].as_array().into_iter().flatten() {
            let status = example["status"].to_string();
            if operation["responses"].get(&status).is_none() {
                wrong.push(format!("{method} {path}: an example expects {status}, which is not documented"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_openapi_document_has_what_it_refers_to() {
    fn links(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                if let Some(link) = map.get("$ref").and_then(Value::as_str) {
                    found.insert(link.to_owned());
                }
                map.values().for_each(|value| links(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| links(value, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    links(&document, &mut found);
    assert!(found.len() > 40, "{found:?}");
    for link in found {
        assert!(document.pointer(&link[1..]).is_some(), "{link} leads nowhere");
    }
}

#[tokio::test]
async fn the_openapi_document_has_every_type() {
    let store = drp_store::open("memory:///", drp_store::Options::default()).unwrap();
    let objects = drp_objects::Objects::open(store, drp_objects::Options::default()).await.unwrap();
    let document = document();
    for prefix in objects.prefixes() {
        let kind = objects.kind(&prefix).unwrap();
        let has = |rest: &str| document["paths"].get(format!("/api/v3/{prefix}{rest}")).is_some();
        assert!(has("") && has("/{id}"), "{prefix} has no sample in openapi/types.rs");
        assert_eq!(has("/{id}/params"), kind.has_params, "params of {prefix}");
    }
}

#[test]
fn routes_do_not_hide_each_other() {
    let mut seen = BTreeSet::new();
    for route in &table().routes {
        assert!(seen.insert(route.template), "{} is there twice", route.template);
        assert!(route.same_as.is_none_or(|same| table().routes.iter().any(|r| r.template == same)));
    }
}
