//! A bundle as a page of Markdown, made from its own words: `Documentation` and descriptions.

use drp_protocol::{Bundle, JsonMap};
use serde_json::Value;
use std::fmt::Write;

/// What people look for first comes first; other types follow by name.
const ORDER: [&str; 9] =
    ["workflows", "stages", "tasks", "profiles", "params", "templates", "bootenvs", "contexts", "roles"];

/// The documentation of a bundle: its meta and `Documentation`, then every object with its description,
/// documentation, and what it asks for.
#[must_use]
pub fn document(bundle: &Bundle) -> String {
    let meta = &bundle.meta;
    let mut out = String::new();
    let title = if meta.display_name.is_empty() { &meta.name } else { &meta.display_name };
    let _ = writeln!(out, "# {}", line(title));
    paragraph(&mut out, &meta.description);
    let facts = [
        ("Name", &meta.name),
        ("Version", &meta.version),
        ("Author", &meta.author),
        ("License", &meta.license),
        ("Copyright", &meta.copyright),
        ("Needs", &meta.prerequisites),
        ("Needs features", &meta.required_features),
        ("Source", &meta.code_source),
        ("More", &meta.doc_url),
        ("Tags", &meta.tags),
    ];
    out.push('\n');
    for (name, value) in facts.iter().filter(|(_, value)| !value.trim().is_empty()) {
        let _ = writeln!(out, "* {name}: {}", line(value));
    }
    paragraph(&mut out, &meta.documentation);
    let rank = |prefix: &str| ORDER.iter().position(|p| *p == prefix).unwrap_or(ORDER.len());
    let mut sections: Vec<_> = bundle.sections.iter().filter(|(_, objects)| !objects.is_empty()).collect();
    sections.sort_by_key(|(prefix, _)| (rank(prefix), prefix.as_str()));
    for (prefix, objects) in sections {
        let _ = writeln!(out, "\n## {}", line(prefix));
        for (key, object) in objects {
            let _ = writeln!(out, "\n### {}", line(key));
            paragraph(&mut out, text(object, "Description"));
            let facts = facts_of(prefix, object);
            if !facts.is_empty() {
                let _ = write!(out, "\n{facts}");
            }
            paragraph(&mut out, text(object, "Documentation"));
        }
    }
    out
}

fn facts_of(prefix: &str, object: &JsonMap) -> String {
    let mut out = String::new();
    let mut fact = |name: &str, value: String| {
        if !value.is_empty() {
            let _ = writeln!(out, "* {name}: {value}");
        }
    };
    if prefix == "params" {
        let schema = object.get("Schema").unwrap_or(&Value::Null);
        fact("Type", schema.get("type").map_or(String::new(), code));
        fact(
            "One of",
            schema.get("enum").and_then(Value::as_array).map_or(String::new(), |all| list(all.iter())),
        );
        fact("Default", schema.get("default").map_or(String::new(), code));
        if object.get("Secure") == Some(&Value::Bool(true)) {
            fact("Secure", "its values are sealed".to_owned());
        }
        return out;
    }
    for (name, field) in [
        ("Boot environment", "BootEnv"),
        ("Stages", "Stages"),
        ("Tasks", "Tasks"),
        ("Profiles", "Profiles"),
        ("Needs params", "RequiredParams"),
        ("Takes params", "OptionalParams"),
        ("After tasks", "Prerequisites"),
    ] {
        match object.get(field) {
            Some(Value::Array(all)) => fact(name, list(all.iter())),
            Some(Value::String(one)) if !one.is_empty() => fact(name, code(&Value::from(one.as_str()))),
            _ => {}
        }
    }
    if let Some(Value::Object(params)) = object.get("Params") {
        let names: Vec<Value> = params.keys().map(|name| name.as_str().into()).collect();
        // Names only: values may be secrets.
        fact("Sets params", list(names.iter()));
    }
    out
}

fn list<'a>(values: impl Iterator<Item = &'a Value>) -> String {
    values.map(code).collect::<Vec<_>>().join(", ")
}

/// A value as code, whatever backquotes it holds (CommonMark §6.1).
fn code(value: &Value) -> String {
    let text = line(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    if text.is_empty() {
        return "`\"\"`".to_owned();
    }
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    if longest == 0 { format!("{fence}{text}{fence}") } else { format!("{fence} {text} {fence}") }
}

fn text<'a>(object: &'a JsonMap, field: &str) -> &'a str {
    object.get(field).and_then(Value::as_str).unwrap_or_default()
}

fn paragraph(out: &mut String, text: &str) {
    let text = text.trim_matches(['\n', '\r']).trim_end();
    if !text.trim().is_empty() {
        let _ = writeln!(out, "\n{text}");
    }
}

/// Text on one line.
fn line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::document;
    use crate::parse;

    #[test]
    fn a_bundle_tells_about_itself() {
        let bundle = parse(
            "lamps",
            r#"
meta: {Name: lamps, DisplayName: Lamps, Version: v1.0.0, Description: Lamp bits, Documentation: "Long *text*.\n"}
sections:
  params:
    lamp/id: {Name: lamp/id, Description: Which one, Schema: {type: integer, default: 4}}
    lamp/key: {Name: lamp/key, Secure: true, Schema: {type: string, enum: [a, "b`c"]}}
  profiles: {hall: {Name: hall, Params: {lamp/key: canary}}}
  stages: {light: {Name: light, Tasks: [one, "action:blink"], Documentation: "Does it.\n"}}
  cows: {bertie: {Description: A cow}}
"#,
        )
        .unwrap();
        let page = document(&bundle);
        let expected = "# Lamps\n\nLamp bits\n\n* Name: lamps\n* Version: v1.0.0\n\nLong *text*.\n\n\
            ## stages\n\n### light\n\n* Tasks: `one`, `action:blink`\n\nDoes it.\n\n\
            ## profiles\n\n### hall\n\n* Sets params: `lamp/key`\n\n\
            ## params\n\n### lamp/id\n\nWhich one\n\n* Type: `integer`\n* Default: `4`\n\n\
            ### lamp/key\n\n* Type: `string`\n* One of: `a`, `` b`c ``\n* Secure: its values are sealed\n\n\
            ## cows\n\n### bertie\n\nA cow\n";
        assert_eq!(page, expected);
    }
}
