//! Any value as one word or literal of a language, so that nothing in it is code there.

use serde_json::Value;
use std::fmt::Write;

/// A text as one word of a POSIX shell (POSIX.1-2024, Shell Command Language, 2.2.2 Single-Quotes).
pub(crate) fn sh_word(text: &str) -> Result<String, String> {
    if text.contains('\0') {
        return Err("a word of a shell cannot hold a NUL character".into());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:@%+,".contains(c);
    if !text.is_empty() && !text.starts_with('-') && text.chars().all(plain) {
        return Ok(text.to_owned());
    }
    Ok(format!("'{}'", text.replace('\'', r"'\''")))
}

/// A value as one word, a list as words.
pub(crate) fn sh(value: &Value) -> Result<String, String> {
    match value {
        Value::String(text) => sh_word(text),
        Value::Number(number) => sh_word(&number.to_string()),
        Value::Bool(yes) => Ok(yes.to_string()),
        Value::Array(items) => {
            let nested = items.iter().any(|item| item.is_array());
            if nested {
                return Err("a list of lists is no list of words; use `tojson | sh`".into());
            }
            Ok(items.iter().map(sh).collect::<Result<Vec<_>, _>>()?.join(" "))
        }
        Value::Null => Err("null is no word; use `default('', true) | sh` for an empty one".into()),
        Value::Object(_) => Err("a record is no word; use `tojson | sh`".into()),
    }
}

/// A Nushell expression (Nushell book, "Working with Strings", "Types of Data").
pub(crate) fn nu(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, NU);
    out
}

/// A Nickel expression (Nickel manual, "Syntax").
pub(crate) fn nickel(value: &Value) -> String {
    let mut out = String::new();
    write_value(&mut out, value, NICKEL);
    out
}

/// What differs between the two.
#[derive(Clone, Copy)]
struct Language {
    text: fn(&mut String, &str),
    assign: &'static str,
}

const NU: Language = Language { text: nu_text, assign: ": " };
const NICKEL: Language = Language { text: nickel_text, assign: " = " };

fn write_value(out: &mut String, value: &Value, language: Language) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => {
            let text = number.to_string();
            // After a command, `-5` would be a flag; after a function, a subtraction.
            if text.starts_with('-') {
                let _ = write!(out, "({text})");
            } else {
                out.push_str(&text);
            }
        }
        Value::String(text) => (language.text)(out, text),
        Value::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                write_value(out, item, language);
            }
            out.push(']');
        }
        Value::Object(fields) => {
            out.push('{');
            for (i, (name, field)) in fields.iter().enumerate() {
                if i > 0 {
                    out.push_str(", ");
                }
                (language.text)(out, name);
                out.push_str(language.assign);
                write_value(out, field, language);
            }
            out.push('}');
        }
    }
}

/// Between double quotes Nushell knows backslashes and nothing else: `$` and parentheses are themselves.
fn nu_text(out: &mut String, text: &str) {
    quoted(out, text, |_, _| None);
}

/// Between double quotes Nickel evaluates what stands between `%{` and `}`.
fn nickel_text(out: &mut String, text: &str) {
    quoted(out, text, |c, next| (c == '%' && next == Some('{')).then_some("\\%"));
}

fn quoted(out: &mut String, text: &str, special: fn(char, Option<char>) -> Option<&'static str>) {
    out.push('"');
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Whatever else steers terminals or reading order is spelt out.
            c if c.is_control()
                || matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}') =>
            {
                let _ = write!(out, "\\u{{{:x}}}", c as u32);
            }
            c => match special(c, chars.peek().copied()) {
                Some(escaped) => out.push_str(escaped),
                None => out.push(c),
            },
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn words_of_a_shell() {
        for (value, expected) in [
            (json!("nginx"), "nginx"),
            (json!(""), "''"),
            (json!("it's"), r"'it'\''s'"),
            (json!("-rf"), "'-rf'"),
            (json!(["a b", 5, true]), "'a b' 5 true"),
            (json!(-5), "'-5'"),
        ] {
            assert_eq!(sh(&value).unwrap(), expected);
        }
        for value in [json!("a\0b"), json!(null), json!({"a": 1}), json!([["a"]]), json!([null])] {
            assert!(sh(&value).is_err(), "{value}");
        }
    }

    #[test]
    fn literals() {
        let value = json!({"a b": ["%{x} %", "$(x) \"q\" \\ \n", -1.5, null, true]});
        assert_eq!(nickel(&value), r#"{"a b" = ["\%{x} %", "$(x) \"q\" \\ \n", (-1.5), null, true]}"#);
        assert_eq!(nu(&value), r#"{"a b": ["%{x} %", "$(x) \"q\" \\ \n", (-1.5), null, true]}"#);
        assert_eq!(nu(&json!("\u{1b}[2J\u{202e}")), r#""\u{1b}[2J\u{202e}""#);
    }
}
