//! Values as Nickel writes them.

use serde_json::Value;
use std::fmt::Write;

/// A value as one Nickel expression on one line. Nothing in it is evaluated: `%{` and quotes are escaped.
pub(super) fn literal(value: &Value) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

fn write(value: &Value, out: &mut String) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(true) => out.push_str("true"),
        Value::Bool(false) => out.push_str("false"),
        // A sign is an operator in Nickel.
        Value::Number(number) => drop(write!(out, "({number})")),
        Value::String(text) => string(text, out),
        Value::Array(list) => {
            out.push('[');
            for item in list {
                write(item, out);
                out.push(',');
            }
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (name, item) in map {
                string(name, out);
                out.push('=');
                write(item, out);
                out.push(',');
            }
            out.push('}');
        }
    }
}

fn string(text: &str, out: &mut String) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '%' => out.push_str("\\%"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || c == '\u{2028}' || c == '\u{2029}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::literal;
    use serde_json::json;

    #[test]
    fn texts_stay_texts() {
        let value = json!({"a\"b": "%{1 + 1}\n\\", "n": -1.5, "l": [null, true]});
        assert_eq!(literal(&value), r#"{"a\"b"="\%{1 + 1}\n\\","l"=[null,true,],"n"=(-1.5),}"#);
    }
}
