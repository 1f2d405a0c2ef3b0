//! JSON and YAML text with places in errors.

use crate::{ContentError, brackets};
use serde::Serialize;
use serde_json::Value;

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

/// Reads JSON or YAML. JSON is tried first where it can be, since it is far faster to read.
pub(crate) fn read(file: &str, text: &str) -> Result<Value, ContentError> {
    let json = matches!(text.trim_start().as_bytes().first(), Some(b'{' | b'['));
    match serde_json::from_str(text) {
        Ok(value) if json => return Ok(value),
        // What is too deep for JSON is too deep for YAML, which takes far longer to say so.
        Err(e) if json && (file.ends_with(".json") || e.to_string().starts_with("recursion limit")) => {
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
    fn errors_name_file_and_line() {
        let text = read("params/a.yaml", "Name: a\nSchema: {type: integer\n").unwrap_err().to_string();
        assert!(text.starts_with("params/a.yaml:3: "), "{text}");
        let text = read("a.json", "{\n  \"a\": 1,\n}").unwrap_err().to_string();
        assert!(text.starts_with("a.json:3: "), "{text}");
    }
}
