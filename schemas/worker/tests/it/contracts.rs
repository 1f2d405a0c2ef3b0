//! Each contract with documents that pass and documents that do not, with the line that is wrong and what is said.
//!
//! `tests/documents/NAME.txt` holds them: a first line `contract EXPRESSION`, then documents. Each begins with a line
//! `=== good FORMAT`, and may end with `--- VALUE` (JSON that the checked value must contain), or with
//! `=== bad FORMAT LINE CONTRACT-FILE: part of the message`.

use crate::evaluator;
use drp_schemas::{CONTRACTS, Document, Format, SchemaError};
use serde_json::Value;

fn format(word: &str) -> Format {
    Format::of(std::path::Path::new(&format!("x.{word}")))
}

/// Whether everything of `part` is in `whole`.
fn within(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|other| within(value, other)))
        }
        _ => part == whole,
    }
}

#[tokio::test]
async fn good_documents_pass_and_bad_ones_are_refused_with_the_line() {
    let (evaluator, _folder) = evaluator(|_| {});
    let mut wrong = Vec::new();
    let mut seen = 0;
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/documents");
    for file in std::fs::read_dir(folder).unwrap() {
        let file = file.unwrap().path();
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&file).unwrap();
        let (first, documents) = text.split_once('\n').unwrap();
        let mut contract = first.strip_prefix("contract ").unwrap().to_owned();
        for case in documents.split("\n=== ").map(|case| case.strip_prefix("=== ").unwrap_or(case)) {
            let (head, body) = case.split_once('\n').unwrap_or((case, ""));
            if let Some(next) = head.strip_prefix("contract ") {
                contract = next.to_owned();
                continue;
            }
            if head.trim().is_empty() {
                continue;
            }
            seen += 1;
            let (body, expected) = match body.split_once("\n--- ") {
                Some((body, expected)) => (body, Some(expected)),
                None => (body, None),
            };
            let mut words = head.splitn(3, ' ');
            let (verdict, kind, rest) =
                (words.next().unwrap(), words.next().unwrap(), words.next().unwrap_or(""));
            let document = Document::text(format!("{name}.{kind}"), format(kind), body);
            match (verdict, evaluator.check(&document, &contract).await) {
                ("good", Ok(checked)) => {
                    let expected: Option<Value> = expected.map(|text| serde_json::from_str(text).unwrap());
                    if let Some(expected) = expected.filter(|expected| !within(expected, &checked.value)) {
                        wrong.push(format!("{name}: {head}: {expected} is not in {}", checked.value));
                    }
                }
                ("bad", Err(SchemaError::Wrong { diagnostics, .. })) => {
                    let (place, message) = rest.split_once(": ").unwrap();
                    let (line, at) = place.split_once(' ').unwrap();
                    let first = &diagnostics[0];
                    let found = first.place.as_ref().map(|place| place.line.to_string()).unwrap_or_default();
                    let contract =
                        first.contract.as_ref().map(|place| place.file.clone()).unwrap_or_default();
                    let hinted = first.hint.as_ref().is_some_and(|hint| !hint.is_empty());
                    if line != found || !contract.ends_with(at) || !first.message.contains(message) || !hinted
                    {
                        wrong.push(format!("{name}: {head}\n    said {first}"));
                    }
                }
                (_, result) => wrong.push(format!("{name}: {head}\n    got {result:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(seen >= 40, "{seen}");
}

#[tokio::test]
async fn the_contracts_themselves_are_well_typed_and_documented() {
    let (evaluator, folder) = evaluator(|_| {});
    for contract in CONTRACTS {
        let document = Document::file(folder.path().join(contract.name));
        evaluator.typecheck(&document).await.unwrap();
        let fields = evaluator.describe(&document).await.unwrap();
        let silent: Vec<_> = fields
            .iter()
            .filter(|field| {
                field.name.matches('.').count() == 1 && field.doc.is_none() && !field.contracts.is_empty()
            })
            .map(|field| &field.name)
            .collect();
        assert!(silent.is_empty(), "{}: without documentation: {silent:?}", contract.name);
        assert!(!fields.is_empty());
    }
}

#[tokio::test]
async fn fields_are_described() {
    let (evaluator, folder) = evaluator(|_| {});
    let fields = evaluator.describe(&Document::file(folder.path().join("drp/server.ncl"))).await.unwrap();
    let field = |name: &str| fields.iter().find(|field| field.name == name).unwrap().clone();
    assert_eq!(field("ServerConfig.os").default.as_deref(), Some("\"ubuntu-22.04\""));
    assert_eq!(field("ServerConfig.hostname").contracts, ["t.Hostname"]);
    assert!(field("FirewallRule.port").optional && !field("FirewallRule.action").optional);
    assert_eq!(
        field("ServerConfig.plan").doc.as_deref(),
        Some("Size of the server, one of the provider's plans.")
    );
}

#[tokio::test]
async fn contracts_become_json_schemas_as_far_as_they_tell() {
    let (evaluator, _folder) = evaluator(|_| {});
    let text = r#"
        let t = import "drp/types.ncl" in
        let Inner = { token | t.Secret, size | Number | default = 3, note | String | optional } in
        {
          Settings = {
            port | doc "Where." | t.Port | default = 80,
            inner | Inner,
            many | Array Inner | default = [],
            words | { _ : String } | default = {},
            mode | t.OneOf ["a", "b"],
            tag | [| 'x, 'y |],
            here | { a | Bool, .. },
            own | std.contract.from_predicate (fun x => x == 1),
            both | String | t.Name,
          },
        }"#;
    let document = Document::text("settings.ncl", Format::Nickel, text);
    // What was applied before must not change what is told.
    let good = r#"{ port = 1, inner.token = "s", mode = "a", tag = 'x, here.a = true, own = 1, both = "b" }"#;
    let contract = format!("({text}).Settings");
    evaluator.check(&Document::text("good.ncl", Format::Nickel, good), &contract).await.unwrap();
    let fields = evaluator.describe(&document).await.unwrap();
    let schema = |name: &str| fields.iter().find(|field| field.name == name).unwrap().schema.clone();
    let inner = serde_json::json!({
        "type": "object",
        "additionalProperties": false,
        "required": ["token"],
        "properties": {
            "token": { "type": "string", "writeOnly": true },
            "size": { "type": "number", "default": 3 },
            "note": { "type": "string" },
        },
    });
    let port =
        serde_json::json!({ "type": "integer", "minimum": 1, "maximum": 65535, "description": "Where." });
    assert_eq!(schema("Settings.port"), port);
    assert_eq!(schema("Settings.inner"), inner);
    assert_eq!(schema("Settings.many"), serde_json::json!({ "type": "array", "items": inner }));
    let words = serde_json::json!({ "type": "object", "additionalProperties": { "type": "string" } });
    assert_eq!(schema("Settings.words"), words);
    assert_eq!(schema("Settings.mode"), serde_json::json!({ "enum": ["a", "b"] }));
    assert_eq!(schema("Settings.tag"), serde_json::json!({ "enum": ["x", "y"] }));
    assert_eq!(schema("Settings.here")["additionalProperties"], Value::Null);
    assert_eq!(schema("Settings.own"), serde_json::json!({}));
    assert_eq!(schema("Settings.both")["allOf"][0], serde_json::json!({ "type": "string" }));
    assert_eq!(schema("Settings")["properties"]["port"]["default"], 80);
}
