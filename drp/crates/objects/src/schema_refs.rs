//! Schemas whose references would make a check take for ever: allOf of two references to an allOf of two references,
//! and so on; or a schema that sends the same part of a value to itself by two ways, which doubles at every depth.

use serde_json::Value;
use std::collections::BTreeSet;

/// Most sub-schemas there may be when every reference is written out.
const PARTS: usize = 10_000;
/// Deepest chain of references and sub-schemas.
const DEPTH: usize = 200;

/// Keywords whose schemas are for the same value.
const IN_PLACE: [&str; 7] = ["allOf", "anyOf", "oneOf", "not", "if", "then", "else"];
/// Keywords with a schema for each of some names of members.
const BY_NAME: [&str; 2] = ["properties", "patternProperties"];
/// Keywords with a schema, or several, for the elements of a list.
const ELEMENTS: [&str; 5] = ["items", "prefixItems", "additionalItems", "contains", "unevaluatedItems"];

/// Whether checks against a schema take a time that is bounded by the value.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn bounded(schema: &Value) -> Result<(), String> {
    let mut walk =
        Walk { root: schema, parts: 0, depth: 0, entered: vec![String::new()], closed: BTreeSet::new() };
    walk.schema(schema, "")
}

struct Walk<'a> {
    root: &'a Value,
    parts: usize,
    depth: usize,
    /// Targets of the references on the way.
    entered: Vec<String>,
    /// References to a target on the way, with the part of the value they are for.
    closed: BTreeSet<(String, String)>,
}

impl Walk<'_> {
    /// One sub-schema, for the part of the value at `path`.
    fn schema(&mut self, schema: &Value, path: &str) -> Result<(), String> {
        let Some(map) = schema.as_object() else { return Ok(()) };
        self.parts += 1;
        self.depth += 1;
        if self.parts > PARTS || self.depth > DEPTH {
            return Err(format!(
                "its references make more than {PARTS} schemas, or nest deeper than {DEPTH}"
            ));
        }
        for (keyword, inner) in map {
            match keyword.as_str() {
                "$ref" | "$dynamicRef" | "$recursiveRef" => {
                    self.reference(inner.as_str().unwrap_or_default(), path)?
                }
                k if IN_PLACE.contains(&k) => self.each(inner, |_| path.to_owned())?,
                k if BY_NAME.contains(&k) => self.named(inner, |name| format!("{path}/{name}"))?,
                "dependencies" | "dependentSchemas" => self.named(inner, |_| path.to_owned())?,
                k if ELEMENTS.contains(&k) => self.each(inner, |at| match at {
                    Some(at) => format!("{path}/[{at}]"),
                    None => format!("{path}/[]"),
                })?,
                "additionalProperties" | "unevaluatedProperties" => {
                    self.schema(inner, &format!("{path}/*"))?
                }
                "propertyNames" => self.schema(inner, &format!("{path}/~"))?,
                _ => {}
            }
        }
        self.depth -= 1;
        Ok(())
    }

    /// A schema or a list of them.
    fn each(&mut self, inner: &Value, path: impl Fn(Option<usize>) -> String) -> Result<(), String> {
        match inner {
            Value::Array(list) => {
                list.iter().enumerate().try_for_each(|(at, schema)| self.schema(schema, &path(Some(at))))
            }
            schema => self.schema(schema, &path(None)),
        }
    }

    fn named(&mut self, inner: &Value, path: impl Fn(&str) -> String) -> Result<(), String> {
        let members = inner.as_object().into_iter().flatten();
        for (name, schema) in members {
            self.schema(schema, &path(name))?;
        }
        Ok(())
    }

    fn reference(&mut self, target: &str, path: &str) -> Result<(), String> {
        let pointer = target.trim_start_matches('#');
        // What is no pointer into this schema is for the compiler to judge.
        let found = if pointer.is_empty() || pointer.starts_with('/') {
            self.root.pointer(pointer).or_else(|| anchored(self.root, target))
        } else {
            anchored(self.root, target)
        };
        let Some(schema) = found else { return Ok(()) };
        let target = pointer.to_owned();
        if self.entered.contains(&target) {
            return if self.closed.insert((target.clone(), path.to_owned())) {
                Ok(())
            } else {
                Err(format!("#{target} refers to itself by several ways for the same part of a value"))
            };
        }
        self.entered.push(target);
        let outcome = self.schema(schema, path);
        self.entered.pop();
        outcome
    }
}

/// The sub-schema that calls itself so.
fn anchored<'a>(schema: &'a Value, target: &str) -> Option<&'a Value> {
    match schema {
        Value::Object(map) => {
            let is = |name: &str| {
                map.get(name)
                    .and_then(Value::as_str)
                    .is_some_and(|n| n.trim_start_matches('#') == target.trim_start_matches('#'))
            };
            if ["$id", "id", "$anchor", "$dynamicAnchor"].into_iter().any(is) {
                return Some(schema);
            }
            map.values().find_map(|inner| anchored(inner, target))
        }
        Value::Array(list) => list.iter().find_map(|inner| anchored(inner, target)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::bounded;
    use crate::schema::Checker;
    use serde_json::{Value, json};

    fn doubling(levels: usize) -> Value {
        let mut definitions = serde_json::Map::new();
        for i in 0..levels {
            let next = json!({"$ref": format!("#/definitions/a{}", i + 1)});
            definitions.insert(format!("a{i}"), json!({"allOf": [next, next]}));
        }
        definitions.insert(format!("a{levels}"), json!({"type": "integer"}));
        json!({"definitions": definitions, "$ref": "#/definitions/a0"})
    }

    #[test]
    fn what_doubles_is_refused() {
        let twice = json!({"anyOf": [
            {"type": "array", "minItems": 2, "items": {"$ref": "#"}},
            {"type": "array", "items": {"$ref": "#"}},
        ]});
        let anchored =
            json!({"$anchor": "me", "allOf": [{"items": {"$ref": "#me"}}, {"items": {"$ref": "#me"}}]});
        for schema in [doubling(40), twice, anchored] {
            assert!(Checker::compile(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn what_people_write_is_fine() {
        for schema in [
            doubling(3),
            json!({"$ref": "#"}),
            json!({"type": "object", "properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}}}),
            json!({"oneOf": [
                {"type": "string"},
                {"type": "array", "items": {"$ref": "#"}},
                {"type": "object", "additionalProperties": {"$ref": "#"}},
            ]}),
            json!({
                "definitions": {"node": {"properties": {"next": {"items": {"$ref": "#/definitions/node"}}}}},
                "properties": {"a": {"$ref": "#/definitions/node"}, "b": {"$ref": "#/definitions/node"}},
            }),
            json!({"properties": {"$ref": {"type": "string"}}, "enum": [{"$ref": "#"}]}),
        ] {
            bounded(&schema).unwrap_or_else(|text| panic!("{schema}: {text}"));
            assert!(Checker::compile(&schema).is_ok(), "{schema}");
        }
    }
}
