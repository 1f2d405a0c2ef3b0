//! Values from arguments, files and standard input.

use crate::Failure;
use drp_protocol::Secret;
use serde_json::Value;
use std::io::Read;
use std::path::Path;

/// Longest input from a file or standard input, in bytes.
const LIMIT: u64 = 64 << 20;

/// Endings of names that are taken for files.
const FILES: [&str; 3] = ["json", "yaml", "yml"];

/// The file that an argument names: `@FILE`, or a file that is there and whose name holds a slash or ends as JSON
/// and YAML files do. So a bare word stays a name, whatever lies in the current directory.
fn file(argument: &str) -> Option<&str> {
    if let Some(path) = argument.strip_prefix('@') {
        return Some(path);
    }
    let path = Path::new(argument);
    let ending = path.extension().and_then(|e| e.to_str()).is_some_and(|e| FILES.contains(&e));
    ((ending || argument.contains('/')) && argument.len() < 4096 && path.is_file()).then_some(argument)
}

/// The text an argument stands for: `-` is standard input, then files, and anything else is itself.
pub(crate) fn text(argument: &str) -> Result<String, Failure> {
    match file(argument) {
        _ if argument == "-" => said(bounded(std::io::stdin().lock(), "standard input")?),
        Some(path) => {
            let file = std::fs::File::open(path).map_err(|e| Failure::io(path, &e))?;
            bounded(file, path)
        }
        None => Ok(argument.to_owned()),
    }
}

/// A span of time: seconds, or a number with the unit `ms`, `s`, `m` or `h`.
pub(crate) fn duration(text: &str) -> Result<std::time::Duration, String> {
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let unit = match unit {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err("a number with ms, s, m or h is needed".into()),
    };
    let seconds = number.parse::<f64>().map_err(|e| e.to_string())? * unit;
    if !(0.0..=1e6).contains(&seconds) {
        return Err("it is too long".into());
    }
    Ok(std::time::Duration::from_secs_f64(seconds))
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

/// A file of configuration, `-` for standard input: TOML, YAML or JSON, as its name says. What comes from standard input may
/// be any of them. Unlike other arguments it is never the text itself.
pub(crate) fn config(argument: &str) -> Result<drp_protocol::JsonMap, Failure> {
    let path = Path::new(argument);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    if ending == "ncl" {
        return Err(Failure::usage(format!("{argument} is Nickel, which has to be evaluated first"))
            .hint(format!("`drp schema export {argument} | drp … --config -`")));
    }
    let (text, what) = match argument {
        "-" => (said(bounded(std::io::stdin().lock(), "standard input")?)?, "standard input"),
        file => {
            let about = path.metadata().map_err(|e| Failure::io(file, &e))?;
            if about.is_dir() {
                return Err(Failure::usage(format!("{file} is a folder, and a file is needed")));
            }
            (bounded(std::fs::File::open(path).map_err(|e| Failure::io(file, &e))?, file)?, file)
        }
    };
    let toml = || drp_extensions::toml_as_json(&text);
    let value = match ending {
        "toml" => toml().map_err(|why| Failure::usage(format!("{what} is not TOML: {why}")))?,
        "json" | "yaml" | "yml" => parse(&text, what)?,
        // A TOML document can be a YAML text; it is no YAML map.
        _ => match parse(&text, what) {
            Ok(value) if value.is_object() => value,
            other => toml().or(other)?,
        },
    };
    match value {
        Value::Object(map) => Ok(map),
        Value::Null => Ok(drp_protocol::JsonMap::new()),
        other => Err(Failure::usage(format!("{what} is {}, and a map is needed", kind(&other)))),
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
        a => file(a).unwrap_or("the argument"),
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
        // A file that is there needs no mark, unless its name could be an object's.
        assert_eq!(map(&path.display().to_string()).unwrap()["Name"], "x");
        assert_eq!(super::file("Cargo.toml"), None);
        assert!(map("3").unwrap_err().message.contains("a number"));
        assert_eq!(map("@/nonexistent/x").unwrap_err().exit, crate::Exit::NotFound);
    }

    #[test]
    fn configuration_is_toml_yaml_or_json() {
        let dir = tempfile::tempdir().unwrap();
        let read = |name: &str, text: &str| {
            let path = dir.path().join(name);
            std::fs::write(&path, text).unwrap();
            config(path.to_str().unwrap())
        };
        let expected = json!({"plan": "small", "tags": {"a": "b"}});
        for (name, text) in [
            ("a.toml", "plan = \"small\"\n[tags]\na = \"b\"\n"),
            ("b", "plan = \"small\"\n[tags]\na = \"b\"\n"),
            ("c.yaml", "plan: small\ntags: {a: b}\n"),
            ("d", "plan: small\ntags: {a: b}\n"),
            ("e.json", "{\"plan\": \"small\", \"tags\": {\"a\": \"b\"}}"),
        ] {
            assert_eq!(json!(read(name, text).unwrap()), expected, "{name}");
        }
        for (name, text) in
            [("f.toml", "key: canary"), ("g.yaml", "[canary"), ("h", "canary"), ("i.json", "[1]")]
        {
            let failure = read(name, text).unwrap_err();
            assert_eq!(failure.exit, crate::Exit::Usage, "{name}");
            assert!(!failure.message.contains("canary"), "{}", failure.message);
        }
        let nickel = read("j.ncl", "{}").unwrap_err();
        assert!(nickel.hints[0].starts_with("`drp schema export"), "{:?}", nickel.hints);
        assert_eq!(config("/nonexistent").unwrap_err().exit, crate::Exit::NotFound);
        assert_eq!(config("{a: 1}").unwrap_err().exit, crate::Exit::NotFound);
        assert_eq!(config(dir.path().to_str().unwrap()).unwrap_err().exit, crate::Exit::Usage);
    }

    #[test]
    fn spans_of_time() {
        for (text, milliseconds) in [("5", 5000), ("1.5s", 1500), ("2m", 120_000), ("10ms", 10)] {
            assert_eq!(duration(text).unwrap().as_millis(), milliseconds, "{text}");
        }
        for text in ["", "x", "5 days", "-1", "1e9"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_lose_their_newline_only() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("p");
        std::fs::write(&path, " a b \n").unwrap();
        assert_eq!(secret_file(&path).unwrap().expose(), " a b ");
    }
}
