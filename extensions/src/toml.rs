//! TOML as JSON.

/// A TOML document as JSON; dates become texts.
///
/// # Errors
/// The place and what is wrong there. The document is not quoted, for it may hold secrets.
pub fn toml_as_json(text: &str) -> Result<serde_json::Value, String> {
    match text.parse::<toml_edit::DocumentMut>() {
        Ok(document) => Ok(json(document.as_item())),
        Err(error) => {
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Err(format!("line {line}: {}", error.message().lines().next().unwrap_or("it is no TOML")))
        }
    }
}

/// A part of a document as JSON.
pub(crate) fn json(item: &toml_edit::Item) -> serde_json::Value {
    use serde_json::Value;
    use toml_edit::{Item, Value as Toml};
    let value = |value: &Toml| json(&Item::Value(value.clone()));
    match item {
        Item::None => Value::Null,
        Item::Table(table) => table.iter().map(|(key, item)| (key.to_owned(), json(item))).collect(),
        Item::ArrayOfTables(tables) => tables.iter().map(|table| json(&Item::Table(table.clone()))).collect(),
        Item::Value(Toml::String(text)) => Value::String(text.value().clone()),
        Item::Value(Toml::Integer(number)) => (*number.value()).into(),
        Item::Value(Toml::Float(number)) => (*number.value()).into(),
        Item::Value(Toml::Boolean(yes)) => (*yes.value()).into(),
        Item::Value(Toml::Datetime(date)) => Value::String(date.value().to_string()),
        Item::Value(Toml::Array(array)) => array.iter().map(value).collect(),
        Item::Value(Toml::InlineTable(table)) => {
            table.iter().map(|(key, one)| (key.to_owned(), value(one))).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::toml_as_json;
    use serde_json::json;

    #[test]
    fn documents_become_json() {
        let text = "a = 1\n[b]\nc = [1.5, \"x\", true]\nd = 2026-01-01\n[[e]]\nf = { g = 1 }\n";
        let expected =
            json!({"a": 1, "b": {"c": [1.5, "x", true], "d": "2026-01-01"}, "e": [{"f": {"g": 1}}]});
        assert_eq!(toml_as_json(text).unwrap(), expected);
        let error = toml_as_json("a = 1\nkey = canary canary\n").unwrap_err();
        assert!(error.starts_with("line 2") && !error.contains("canary"), "{error}");
    }
}
