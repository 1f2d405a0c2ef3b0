//! The name rules of wire-protocol §2.1.
//!
//! The rules are regular expressions such as `^\pL+([- _.]+|\pN+|\pL+)+$`. Each says: a first class, then at least one
//! more character out of letters, numbers and some punctuation. Written out by hand they cost nothing per write.

use regex::Regex;
use std::sync::LazyLock;

/// Which names a field takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NameRule {
    /// `^\pL+([- _.]+|\pN+|\pL+)+$`
    Name,
    /// `^(\pL|\pN)+([- _.]+|\pN+|\pL+)+$`: machine names, template ids.
    Machine,
    /// The machine rule with `:`.
    Endpoint,
    /// The name rule with `@`.
    User,
    /// The name rule with `/`.
    Param,
    /// Anything that is not empty: keys that other rules make.
    Any,
}

impl NameRule {
    pub(crate) fn admits(self, text: &str) -> bool {
        let mut chars = text.chars();
        let Some(first) = chars.next() else { return false };
        if self == Self::Any {
            return true;
        }
        let first_fits =
            is_letter(first) || (matches!(self, Self::Machine | Self::Endpoint) && is_number(first));
        let extra = match self {
            Self::Endpoint => ':',
            Self::User => '@',
            Self::Param => '/',
            _ => '-',
        };
        let mut more = false;
        first_fits
            && chars.all(|c| {
                more = true;
                is_letter(c) || is_number(c) || matches!(c, '-' | ' ' | '_' | '.') || c == extra
            })
            && more
    }

    /// `<key>: Invalid <what> ` and the value in backquotes, when the rule is broken.
    pub(crate) fn check(self, key: &str, what: &str, value: &str, errors: &mut Vec<String>) {
        if !self.admits(value) {
            errors.push(format!("{key}: Invalid {what} `{value}`"));
        }
    }
}

/// The Unicode class L. The standard library's `is_alphabetic` is wider, so it only serves for ASCII.
fn is_letter(c: char) -> bool {
    c.is_ascii_alphabetic() || (!c.is_ascii() && in_class(&LETTER, c))
}

/// The Unicode class N.
fn is_number(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && in_class(&NUMBER, c))
}

static LETTER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\pL$").ok());
static NUMBER: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(r"^\pN$").ok());

fn in_class(class: &LazyLock<Option<Regex>>, c: char) -> bool {
    class.as_ref().is_some_and(|regex| regex.is_match(c.encode_utf8(&mut [0; 4])))
}

#[cfg(test)]
mod tests {
    use super::NameRule;

    #[test]
    fn rules_admit_what_their_expressions_admit() {
        use NameRule::{Endpoint, Machine, Name, Param, User};
        for (rule, text, good) in [
            (Name, "ab", true),
            (Name, "a", false),
            (Name, "", false),
            (Name, "1a", false),
            (Name, "a-b_c.d e9", true),
            (Name, "a/b", false),
            (Name, "-ab", false),
            (Name, "größe", true),
            (Machine, "1a", true),
            (Machine, "10.0.0.1", true),
            (Machine, "a:b", false),
            (Endpoint, "a:b", true),
            (User, "a@b", true),
            (Name, "a@b", false),
            (Param, "ipmi/address", true),
            (Param, "/x", false),
            (Param, "a\n", false),
        ] {
            assert_eq!(rule.admits(text), good, "{rule:?} {text:?}");
        }
    }

    #[test]
    fn the_rules_agree_with_the_regular_expressions() {
        let name = regex::Regex::new(r"^\pL+([- _.]+|\pN+|\pL+)+$").unwrap();
        let machine = regex::Regex::new(r"^(\pL|\pN)+([- _.]+|\pN+|\pL+)+$").unwrap();
        for text in
            ["ab", "a", "a1", "1", "11", "a ", "a\u{300}", "ªb", "a½", "日本", "a\t", "_a", "Ⅷa", "aⅧ"]
        {
            assert_eq!(NameRule::Name.admits(text), name.is_match(text), "{text:?}");
            assert_eq!(NameRule::Machine.admits(text), machine.is_match(text), "{text:?}");
        }
    }
}
