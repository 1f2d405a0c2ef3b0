//! `extension.yaml`: alone it is turned into a manifest; beside `metadata.toml` both must say the same.

use super::read::EXTENSION_YAML;
use crate::{Manifest, Name, Problem, Rule, lines};
use serde_json::{Map, Value, json};

/// The manifest that a checked `extension.yaml` stands for, in the form of `metadata.toml`.
pub(super) fn manifest(yaml: &Value) -> Value {
    let own = &yaml["extension"];
    let metadata = &own["metadata"];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let requires: Map<String, Value> =
        required(own).into_iter().map(|(name, range)| (name, range.into())).collect();
    json!({
        "extension": {
            "name": own["name"],
            "type": own["type"],
            "version": own["version"],
            "description": own["description"],
            "author": own["author"],
            "license": text(&metadata["license"]),
            "tags": metadata["tags"].as_array().cloned().unwrap_or_default(),
        },
        "dependencies": { "requires": requires },
    })
}

/// What `requires` and `dependencies` name: lists of `NAME` or `NAME RANGE`, or a map of names to ranges.
fn required(own: &Value) -> Vec<(String, String)> {
    let mut all = Vec::new();
    for list in [&own["requires"], &own["dependencies"]] {
        for entry in list.as_array().into_iter().flatten().filter_map(Value::as_str) {
            let (name, range) = entry.trim().split_once(char::is_whitespace).unwrap_or((entry.trim(), "*"));
            all.push((name.to_owned(), range.trim().to_owned()));
        }
        for (name, range) in list.as_object().into_iter().flatten() {
            all.push((name.clone(), range.as_str().unwrap_or_default().to_owned()));
        }
    }
    all
}

/// Where the two manifests differ: each error names both values.
pub(super) fn differences(manifest: &Manifest, other: &Manifest, yaml: &str) -> Vec<Problem> {
    let mut found = Vec::new();
    let mut differ = |keys: &[&str], field: &str, ours: String, theirs: String| {
        found.push(
            Problem::new(
                Rule::Structure,
                EXTENSION_YAML,
                format!("{field} is {theirs:?} here and {ours:?} in metadata.toml"),
                "let both say the same, or remove extension.yaml",
            )
            .at(lines::of_key(yaml, keys).or(Some(1))),
        );
    };
    let (ours, theirs) = (&manifest.extension, &other.extension);
    if ours.name != theirs.name {
        differ(&["extension", "name"], "name", ours.name.to_string(), theirs.name.to_string());
    }
    if ours.r#type != theirs.r#type {
        differ(&["extension", "type"], "type", ours.r#type.to_string(), theirs.r#type.to_string());
    }
    if ours.version != theirs.version {
        differ(&["extension", "version"], "version", ours.version.to_string(), theirs.version.to_string());
    }
    for (field, ours, theirs) in [
        ("description", &ours.description, &theirs.description),
        ("author", &ours.author, &theirs.author),
        ("license", &ours.license, &theirs.license),
    ] {
        // What the other file leaves out it does not deny.
        if ours != theirs && !theirs.is_empty() {
            let keys: &[&str] =
                if field == "license" { &["extension", "metadata", field] } else { &["extension", field] };
            differ(keys, field, ours.clone(), theirs.clone());
        }
    }
    if !theirs.tags.is_empty() && ours.tags != theirs.tags {
        differ(&["extension", "metadata", "tags"], "tags", ours.tags.join(", "), theirs.tags.join(", "));
    }
    let theirs = &other.dependencies.requires;
    if !theirs.is_empty() && *theirs != manifest.dependencies.requires {
        let listed = |all: &std::collections::BTreeMap<Name, crate::VersionRange>| {
            all.iter().map(|(name, range)| format!("{name} {range}")).collect::<Vec<_>>().join(", ")
        };
        let key = if lines::of_key(yaml, &["extension", "dependencies"]).is_some() {
            "dependencies"
        } else {
            "requires"
        };
        differ(&["extension", key], "dependencies", listed(&manifest.dependencies.requires), listed(theirs));
    }
    found
}
