//! Text as a string of Nushell.

use std::fmt::Write as _;

/// A double-quoted string that Nushell reads as exactly this text. Whatever is not a letter, a digit or one of
/// `/._-` is written as a code point, so no character of it means anything to the parser.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if c.is_ascii_alphanumeric() || "/._-".contains(c) {
            out.push(c);
        } else {
            let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
        }
    }
    out.push('"');
    out
}

/// Whether a name may stand in a script as it is: words of letters, digits, `-` and `_`, one blank between them, none
/// of which begins with `-`. Names come from Nushell's own scope; those that are otherwise are not called.
pub(crate) fn is_plain_name(name: &str) -> bool {
    let word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && word.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
    };
    name.split(' ').all(word)
}

#[cfg(test)]
mod tests {
    use super::{is_plain_name, quoted};

    #[test]
    fn nothing_in_a_quoted_text_means_anything() {
        assert_eq!(quoted("/a b/it's"), r#""/a\u{20}b/it\u{27}s""#);
        assert_eq!(quoted("\"$(x)\\\n"), r#""\u{22}\u{24}\u{28}x\u{29}\u{5c}\u{a}""#);
        assert_eq!(quoted("é"), r#""\u{e9}""#);
    }

    #[test]
    fn names_are_plain_or_not_used() {
        for good in ["create-server", "test_a", "a b", "_x", "x2"] {
            assert!(is_plain_name(good), "{good}");
        }
        for bad in
            ["", "a  b", " a", "a;b", "$(x)", "a\nb", "--force", "a --force", "a|b", "../x", "a.b", "3d", "é"]
        {
            assert!(!is_plain_name(bad), "{bad:?}");
        }
    }
}
