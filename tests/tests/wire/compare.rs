//! Whether an answer is the expected one, and where it is not.

use regex::Regex;
use serde_json::Value;
use std::collections::BTreeMap;

/// Puts captured values in the place of `${name}`. A text that is nothing else becomes the value itself.
pub fn fill(value: &Value, captured: &BTreeMap<String, Value>) -> Value {
    match value {
        Value::String(text) => {
            let whole = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
            match whole.and_then(|name| captured.get(name)) {
                Some(value) => value.clone(),
                None => Value::String(fill_text(text, captured)),
            }
        }
        Value::Array(items) => items.iter().map(|item| fill(item, captured)).collect(),
        Value::Object(members) => {
            let filled = members.iter().map(|(key, value)| (fill_text(key, captured), fill(value, captured)));
            Value::Object(filled.collect())
        }
        other => other.clone(),
    }
}

pub fn fill_text(text: &str, captured: &BTreeMap<String, Value>) -> String {
    if !text.contains("${") {
        return text.to_owned();
    }
    let mut text = text.to_owned();
    for (name, value) in captured {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        text = text.replace(&format!("${{{name}}}"), &shown);
    }
    text
}

/// Every place where `got` is not what `want` says. With `part`, objects may hold more than is named.
pub fn differences(want: &Value, got: &Value, part: bool) -> Vec<String> {
    let mut found = Vec::new();
    walk(want, got, part, &mut String::new(), &mut found);
    found
}

fn walk(want: &Value, got: &Value, part: bool, at: &mut String, found: &mut Vec<String>) {
    match (want, got) {
        (Value::Object(wants), Value::Object(gots)) => {
            let keys = wants.keys().chain(gots.keys().filter(|key| !part && !wants.contains_key(*key)));
            for key in keys {
                let length = at.len();
                at.push('/');
                at.push_str(key);
                match (wants.get(key), gots.get(key)) {
                    (Some(Value::String(word)), None) if word == "$absent" => {}
                    (Some(want), Some(got)) => walk(want, got, part, at, found),
                    (Some(want), None) => found.push(format!("{at}: expected {want}, is absent")),
                    (None, Some(got)) => found.push(format!("{at}: {got} is not expected")),
                    (None, None) => {}
                }
                at.truncate(length);
            }
        }
        (Value::Array(wants), Value::Array(gots)) => {
            if wants.len() != gots.len() {
                found.push(format!("{at}: expected {} items, got {}", wants.len(), gots.len()));
            }
            for (index, (want, got)) in wants.iter().zip(gots).enumerate() {
                let length = at.len();
                at.push_str(&format!("/{index}"));
                walk(want, got, part, at, found);
                at.truncate(length);
            }
        }
        (Value::String(word), _) if word.starts_with('$') => {
            if !placeholder(word, got) {
                found.push(format!("{at}: expected {word}, got {got}"));
            }
        }
        (Value::Number(a), Value::Number(b)) if a.as_f64() == b.as_f64() => {}
        _ if want == got => {}
        _ => found.push(format!("{at}: expected {want}, got {got}")),
    }
}

/// Whether a value is what a placeholder stands for.
fn placeholder(word: &str, got: &Value) -> bool {
    let matches = |expression: &str| {
        let whole = Regex::new(&format!("^(?s:{expression})$")).unwrap_or_else(|e| panic!("{word}: {e}"));
        got.as_str().is_some_and(|text| whole.is_match(text))
    };
    match word {
        "$any" => true,
        "$absent" => false,
        "$string" => got.is_string(),
        "$number" => got.is_number(),
        "$bool" => got.is_boolean(),
        "$list" => got.is_array(),
        "$map" => got.is_object(),
        "$uuid" => matches("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
        "$time" => matches(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)"),
        _ => match word.strip_prefix("$re:") {
            Some(expression) => matches(expression),
            None => got.as_str() == Some(word),
        },
    }
}

/// The suite itself must see what is wrong.
pub fn differences_are_seen() -> Result<(), String> {
    use serde_json::json;
    let uuid = "0a1b2c3d-0000-4000-8000-0123456789ab";
    for (want, got, part, count) in [
        (json!({"a": 1}), json!({"a": 1}), false, 0),
        (json!({"a": 1}), json!({"a": 1.0}), false, 0),
        (json!({"a": 1}), json!({"a": "1"}), false, 1),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), false, 1),
        (json!({"a": 1}), json!({"a": 1, "b": 2}), true, 0),
        (json!({"a": 1, "b": 2}), json!({"a": 1}), true, 1),
        (json!({"b": "$absent"}), json!({"a": 1}), true, 0),
        (json!({"b": "$absent"}), json!({"b": 1}), true, 1),
        (json!([1, 2]), json!([1]), true, 1),
        (json!([{"a": {"b": 1}}]), json!([{"a": {"b": 2}}]), true, 1),
        (json!("$uuid"), json!(uuid), false, 0),
        (json!("$uuid"), json!("0A"), false, 1),
        (json!("$time"), json!("2024-05-01T10:00:00.123456789Z"), false, 0),
        (json!("$time"), json!("yesterday"), false, 1),
        (json!("$re:a+"), json!("aaa"), false, 0),
        (json!("$re:a+"), json!("aab"), false, 1),
        (json!("$5"), json!("$5"), false, 0),
        (json!(null), json!(0), true, 1),
        (json!("$any"), json!(null), false, 0),
    ] {
        let found = differences(&want, &got, part);
        if found.len() != count {
            return Err(format!("{want} against {got}: {count} differences expected, found {found:?}"));
        }
    }
    let captured = BTreeMap::from([("n".to_owned(), json!(7)), ("id".to_owned(), json!("x"))]);
    let filled = fill(&json!({"a": "${n}", "b": "m/${id}/${n}", "c": "${other}"}), &captured);
    if filled != json!({"a": 7, "b": "m/x/7", "c": "${other}"}) {
        return Err(format!("filled: {filled}"));
    }
    Ok(())
}
