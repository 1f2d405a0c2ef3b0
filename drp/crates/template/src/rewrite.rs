//! Method calls become function calls: `.Param "x"` and `$.Param "x"` become `drp_Param "x"`. Only names of
//! [`crate::calls::METHODS`] change, only inside actions, and no line breaks come or go.

use crate::calls::METHODS;

/// A piece of an action.
enum Piece<'a> {
    /// `.A.B` or `$.A.B`.
    Chain(&'a str),
    /// A word without a dot before it.
    Word(&'a str),
    /// A string literal with its quotes.
    Text(&'a str),
    /// Anything else.
    Other(&'a str),
}

fn is_name(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b == b'_'
}

/// The end of a string literal that begins at the front; the whole rest when it has none.
fn literal(text: &str) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes.first().copied().unwrap_or(b'"');
    let mut at = 1;
    while let Some(b) = bytes.get(at) {
        match b {
            b'\\' if quote != b'`' => at += 2,
            b if *b == quote => return at + 1,
            _ => at += 1,
        }
    }
    text.len()
}

fn names(text: &str, from: usize) -> usize {
    let bytes = text.as_bytes();
    let mut at = from;
    while bytes.get(at) == Some(&b'.') && bytes.get(at + 1).is_some_and(|b| is_name(*b)) {
        at += 1;
        while bytes.get(at).is_some_and(|b| is_name(*b)) {
            at += 1;
        }
    }
    at
}

fn next(text: &str, after_value: bool) -> (Piece<'_>, usize) {
    let bytes = text.as_bytes();
    let first = bytes.first().copied().unwrap_or(b' ');
    if matches!(first, b'"' | b'`' | b'\'') {
        let end = literal(text);
        let end = (end..=text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len());
        return (Piece::Text(&text[..end]), end);
    }
    if first == b'.' && !after_value {
        let end = names(text, 0);
        if end > 0 {
            return (Piece::Chain(&text[..end]), end);
        }
    }
    if first == b'$' {
        let mut end = 1;
        while bytes.get(end).is_some_and(|b| is_name(*b)) {
            end += 1;
        }
        let whole = names(text, end);
        return if end == 1 && whole > end {
            (Piece::Chain(&text[..whole]), whole)
        } else {
            (Piece::Other(&text[..whole]), whole)
        };
    }
    if is_name(first) {
        let mut end = 1;
        while bytes.get(end).is_some_and(|b| is_name(*b)) {
            end += 1;
        }
        return (Piece::Word(&text[..end]), end);
    }
    let end = text.chars().next().map_or(text.len(), char::len_utf8);
    (Piece::Other(&text[..end]), end)
}

/// Calls `each` for the pieces of all actions, and `plain` for what is between.
fn walk<'a>(text: &'a str, mut plain: impl FnMut(&'a str), mut each: impl FnMut(Piece<'a>)) {
    let mut rest = text;
    // The borrow of `plain` ends with each call, so both closures may write to one place behind a cell.
    while let Some(start) = rest.find("{{") {
        let (before, action) = rest.split_at(start);
        plain(before);
        let comment = action[2..].trim_start_matches("- ").trim_start();
        if comment.starts_with("/*") {
            let end = action.find("*/").map_or(action.len(), |end| end + 2);
            plain(&action[..end]);
            rest = &action[end..];
            continue;
        }
        each(Piece::Other(&action[..2]));
        rest = &action[2..];
        let mut after_value = false;
        while !rest.is_empty() && !rest.starts_with("}}") {
            let (piece, end) = next(rest, after_value);
            after_value =
                !matches!(piece, Piece::Other(text) if !text.ends_with([')', '$']) && !text.starts_with('$'));
            each(piece);
            rest = &rest[end..];
        }
    }
    plain(rest);
}

/// The text with method calls as function calls.
pub(crate) fn rewrite(text: &str) -> String {
    let out = std::cell::RefCell::new(String::with_capacity(text.len() + 64));
    walk(
        text,
        |plain| out.borrow_mut().push_str(plain),
        |piece| {
            let mut out = out.borrow_mut();
            match piece {
                Piece::Chain(chain) => {
                    match METHODS.iter().find(|m| chain.trim_start_matches('$')[1..] == ***m) {
                        Some(method) => {
                            out.push_str("drp_");
                            out.push_str(&method.replace('.', "_"));
                        }
                        None => out.push_str(chain),
                    }
                }
                Piece::Word(text) | Piece::Text(text) | Piece::Other(text) => out.push_str(text),
            }
        },
    );
    out.into_inner()
}

/// How deep a text nests in what the engine recurses for and does not bound itself: parentheses, and each `else if` is
/// within the one before it. Never less than it is; of several chains of `else if` the sum counts.
pub(crate) fn depth(text: &str) -> usize {
    let (mut now, mut deepest, mut chained) = (0_usize, 0, 0);
    let mut otherwise = false;
    walk(
        text,
        |_| {},
        |piece| match piece {
            Piece::Other("(") => {
                now += 1;
                deepest = deepest.max(now);
            }
            Piece::Other(")") => now = now.saturating_sub(1),
            Piece::Word(word) => {
                chained += usize::from(otherwise && matches!(word, "if" | "with"));
                otherwise = word == "else";
            }
            _ => {}
        },
    );
    deepest + chained
}

/// The names of templates that a text calls with `{{ template "id" }}`.
pub(crate) fn called(text: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut after = false;
    walk(
        text,
        |_| {},
        |piece| match piece {
            Piece::Word(word) => after = matches!(word, "template" | "block"),
            Piece::Text(text) => {
                if after && text.len() >= 2 {
                    ids.push(text[1..text.len() - 1].to_owned());
                }
                after = false;
            }
            Piece::Other(text) if text.trim().is_empty() => {}
            _ => after = false,
        },
    );
    ids
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_become_functions_and_the_rest_stays() {
        for (from, to) in [
            (r#"a {{.Param "x"}} b"#, r#"a {{drp_Param "x"}} b"#),
            (r#"{{- $.Param "x" | join "," -}}"#, r#"{{- drp_Param "x" | join "," -}}"#),
            (r#"{{if .ParamExists "x"}}{{end}}"#, r#"{{if drp_ParamExists "x"}}{{end}}"#),
            (r#"{{eq (.Param "a") "b"}}"#, r#"{{eq (drp_Param "a") "b"}}"#),
            (r#"{{.Machine.MacAddr "pxe"}}"#, r#"{{drp_Machine_MacAddr "pxe"}}"#),
            ("{{.Machine.Name}} .Param {{.Params}}", "{{.Machine.Name}} .Param {{.Params}}"),
            (
                r#"{{$x.Param "y"}}{{"{{.Param}}"}}{{`.Param "x"`}}"#,
                r#"{{$x.Param "y"}}{{"{{.Param}}"}}{{`.Param "x"`}}"#,
            ),
            ("{{/* .Param }} */}}{{.GenerateToken}}", "{{/* .Param }} */}}{{drp_GenerateToken}}"),
            ("{{ (index .A 0).Param }}", "{{ (index .A 0).Param }}"),
            ("{{ .Param \"é\" }}ü{{", "{{ drp_Param \"é\" }}ü{{"),
            ("{{ \"open", "{{ \"open"),
            ("{{ \"é\\", "{{ \"é\\"),
            ("{{ $ .Param }}{{$}}", "{{ $ drp_Param }}{{$}}"),
        ] {
            assert_eq!(rewrite(from), to, "{from}");
        }
    }

    #[test]
    fn called_templates_are_found() {
        let text =
            r#"{{ template "a.tmpl" . }}{{- template `b` -}}"template "c""{{ print "d" }}{{template .X}}"#;
        assert_eq!(called(text), ["a.tmpl", "b"]);
    }
}
