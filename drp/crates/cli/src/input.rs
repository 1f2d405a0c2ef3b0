//! Values from arguments, files and standard input.

use crate::Failure;
use drp_protocol::Secret;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// Longest input from a file or standard input, in bytes.
const LIMIT: u64 = 64 << 20;

/// The text an argument stands for: `-` is standard input, `@FILE` a file, anything else itself.
pub(crate) fn text(argument: &str) -> Result<String, Failure> {
    match argument.strip_prefix('@') {
        _ if argument == "-" => said(bounded(std::io::stdin().lock(), "standard input")?),
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| Failure::io(path, &e))?;
            bounded(file, path)
        }
        None => Ok(argument.to_owned()),
    }
}

/// Nothing on standard input is a pipe that broke before it, and not a value.
fn said(text: String) -> Result<String, Failure> {
    if text.trim().is_empty() {
        return Err(Failure::usage("standard input is empty").hint("for an empty text write '\"\"'"));
    }
    Ok(text)
}

/// A value: JSON, or YAML when it is not JSON. So `5` is a number, `five` a text and `"5"` a text.
pub(crate) fn value(argument: &str) -> Result<Value, Failure> {
    parse(&text(argument)?, what(argument))
}

/// A map: JSON or YAML.
pub(crate) fn map(argument: &str) -> Result<drp_protocol::JsonMap, Failure> {
    match value(argument)? {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(drp_protocol::JsonMap::new()),
        other => Err(Failure::usage(format!(
            "{} is {}, and a map is needed, for instance '{{\"Name\": \"x\"}}'",
            what(argument),
            kind(&other)
        ))),
    }
}

/// What a value is, in words.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

/// The argument in an error text. It may hold a secret, so that it is never repeated.
fn what(argument: &str) -> &str {
    match argument {
        "-" => "standard input",
        a if a.starts_with('@') => &a[1..],
        _ => "the argument",
    }
}

/// Parses JSON or YAML.
pub(crate) fn parse(text: &str, what: &str) -> Result<Value, Failure> {
    if let Ok(value) = serde_json::from_str(text) {
        return Ok(value);
    }
    serde_yaml_ng::from_str::<Value>(text).map_err(|error| {
        // The texts of the parser can quote the input, which may be a secret: only the place is told.
        let place = error
            .location()
            .map_or(String::new(), |at| format!(" (line {}, column {})", at.line(), at.column()));
        Failure::usage(format!("{what} is neither JSON nor YAML{place}"))
    })
}

/// A secret from a file or standard input (`-`), without the newline at its end.
pub(crate) fn secret_file(path: &Path) -> Result<Secret, Failure> {
    let name = path.display().to_string();
    let text = if name == "-" {
        bounded(std::io::stdin().lock(), "standard input")?
    } else {
        bounded(std::fs::File::open(path).map_err(|e| Failure::io(&name, &e))?, &name)?
    };
    let text = Secret::new(text);
    Ok(Secret::new(text.expose().trim_end_matches(['\n', '\r']).to_owned()))
}

fn bounded(from: impl Read, what: &str) -> Result<String, Failure> {
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes).map_err(|e| Failure::io(what, &e))?;
    if bytes.len() as u64 > LIMIT {
        return Err(Failure::usage(format!("{what} is longer than {} MiB", LIMIT >> 20)));
    }
    String::from_utf8(bytes).map_err(|_| Failure::usage(format!("{what} is not UTF-8 text")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn json_then_yaml() {
        for (text, expected) in [
            ("5", json!(5)),
            ("five", json!("five")),
            ("\"5\"", json!("5")),
            ("{a: 1}", json!({"a": 1})),
            ("a: [x, y]", json!({"a": ["x", "y"]})),
            ("", json!(null)),
            ("true", json!(true)),
        ] {
            assert_eq!(value(text).unwrap(), expected, "{text}");
        }
    }

    #[test]
    fn an_empty_pipe_is_no_value() {
        for text in ["", "\n", " \r\n"] {
            assert_eq!(said(text.to_owned()).unwrap_err().exit, crate::Exit::Usage, "{text:?}");
        }
        assert_eq!(said("\"\"".to_owned()).unwrap(), "\"\"");
    }

    #[test]
    fn a_bad_value_is_not_repeated() {
        let error = value("{hunter2: [").unwrap_err();
        assert_eq!(error.exit, crate::Exit::Usage);
        assert!(!error.message.contains("hunter2"), "{}", error.message);
    }

    #[test]
    fn files_and_maps() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.yaml");
        std::fs::write(&path, "Name: x\n").unwrap();
        assert_eq!(map(&format!("@{}", path.display())).unwrap()["Name"], "x");
        assert!(map("3").unwrap_err().message.contains("a number"));
        assert_eq!(map("@/nonexistent/x").unwrap_err().exit, crate::Exit::NotFound);
    }

    #[test]
    fn secrets_lose_their_newline_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        std::fs::write(&path, " a b \n").unwrap();
        assert_eq!(secret_file(&path).unwrap().expose(), " a b ");
    }
}
