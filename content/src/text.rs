//! JSON and YAML text with places in errors.

use crate::{ContentError, brackets};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use std::fmt;

/// How objects are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Format {
    /// JSON, indented by two spaces.
    Json,
    /// YAML.
    #[default]
    Yaml,
}

impl Format {
    /// The extension of files in this format, without the dot.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Yaml => "yaml",
        }
    }

    /// A value in this format, with a newline at the end.
    pub(crate) fn write(self, file: &str, value: &impl Serialize) -> Result<String, ContentError> {
        match self {
            Self::Json => serde_json::to_string_pretty(value)
                .map(|text| text + "\n")
                .map_err(|e| ContentError::text(file, None, e.to_string())),
            Self::Yaml => {
                serde_yaml_ng::to_string(value).map_err(|e| ContentError::text(file, None, e.to_string()))
            }
        }
    }
}

/// Reads JSON or YAML, whose maps have each key once; YAML aliases and nesting are bounded. JSON is tried first where it
/// can be, since it is far faster to read. `file` is what errors call the text.
///
/// # Errors
/// [`ContentError::Text`] with the line where it is known. Its problem may quote the text.
pub fn read(file: &str, text: &str) -> Result<Value, ContentError> {
    let json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
    match serde_json::from_str(text) {
        Ok(Once(value)) if json => return Ok(value),
        // What is too deep for JSON is too deep for YAML, which takes far longer to say so; and a key that is there
        // twice is one in YAML too.
        Err(e) if json && (file.ends_with(".json") || told(&e)) => {
            return Err(ContentError::text(file, Some(e.line()), e.to_string()));
        }
        _ => {}
    }
    if let Some(line) = brackets::too_deep(text, DEPTH_LIMIT) {
        let problem = format!("brackets are nested deeper than {DEPTH_LIMIT}");
        return Err(ContentError::text(file, Some(line), problem));
    }
    let wrong =
        |e: &serde_yaml_ng::Error| ContentError::text(file, e.location().map(|l| l.line()), e.to_string());
    let mut value: serde_yaml_ng::Value = serde_yaml_ng::from_str(text).map_err(|e| wrong(&e))?;
    value.apply_merge().map_err(|e| wrong(&e))?;
    serde_json::to_value(value).map_err(|e| ContentError::text(file, None, e.to_string()))
}

fn told(error: &serde_json::Error) -> bool {
    let text = error.to_string();
    text.starts_with("recursion limit") || text.contains(TWICE)
}

const TWICE: &str = "is there twice";

/// A JSON value whose maps have each key once: of two objects under one key, the first would be lost unseen.
#[derive(Debug, Clone, PartialEq)]
pub struct Once(pub Value);

impl<'de> Deserialize<'de> for Once {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(OnceVisitor).map(Self)
    }
}

struct OnceVisitor;

impl<'de> Visitor<'de> for OnceVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Once(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some((key, Once(value))) = entries.next_entry::<String, Once>()? {
            if map.contains_key(&key) {
                return Err(de::Error::custom(format_args!("the key {key} {TWICE}")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

/// Brackets that may be open at once. The YAML scanner takes time with the square of it; content needs a few dozen.
const DEPTH_LIMIT: usize = 1000;

#[cfg(test)]
mod tests {
    use super::read;
    use serde_json::json;

    #[test]
    fn both_formats_and_merge_keys() {
        assert_eq!(read("a", r#"{"a": 1}"#).unwrap(), json!({"a": 1}));
        assert_eq!(read("a", "{a: 1}").unwrap(), json!({"a": 1}));
        let merged = read("a", "base: &b {x: 1}\nmore:\n  <<: *b\n  y: 2\n").unwrap();
        assert_eq!(merged["more"], json!({"x": 1, "y": 2}));
        assert_eq!(read("a", "").unwrap(), json!(null));
    }

    #[test]
    fn a_key_that_is_there_twice_is_refused() {
        for text in [r#"{"a": {"b": 1, "b": 2}}"#, "a: {b: 1, b: 2}", "a:\n  b: 1\n  b: 2\n"] {
            let error = read("x", text).unwrap_err().to_string();
            assert!(error.contains("b is there twice") || error.contains("duplicate"), "{error}");
        }
        assert_eq!(read("x", r#"[null, 1.5, -3, 18446744073709551615, "x", {}]"#).unwrap()[4], "x");
    }

    #[test]
    fn errors_name_file_and_line() {
        let text = read("params/a.yaml", "Name: a\nSchema: {type: integer\n").unwrap_err().to_string();
        assert!(text.starts_with("params/a.yaml:3: "), "{text}");
        let text = read("a.json", "{\n  \"a\": 1,\n}").unwrap_err().to_string();
        assert!(text.starts_with("a.json:3: "), "{text}");
    }
}
