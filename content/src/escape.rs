//! Keys as file names: URL query escaping, as Go's `url.QueryEscape` does it (wire-protocol §2.5).

use std::fmt::Write;

/// The key as a file name: letters, digits and `-_.~` stay, a blank becomes `+`, other bytes `%XX`.
#[must_use]
pub fn escape(key: &str) -> String {
    let mut out = String::with_capacity(key.len());
    for byte in key.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
    out
}

/// The key as the name of a file that is not hidden.
pub(crate) fn file_stem(key: &str) -> String {
    let name = escape(key);
    match name.strip_prefix('.') {
        Some(rest) => format!("%2E{rest}"),
        None => name,
    }
}

/// The key that a file name stands for; `None` when it has a broken escape or is not UTF-8.
#[must_use]
pub fn unescape(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                bytes.push(u8::try_from(digit()? * 16 + digit()?).ok()?);
            }
            other => bytes.push(other),
        }
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::{escape, unescape};
    use proptest::prelude::*;

    #[test]
    fn keys_with_slashes_become_one_name() {
        assert_eq!(escape("incrementer/step 1"), "incrementer%2Fstep+1");
        assert_eq!(unescape("incrementer%2fstep+1").as_deref(), Some("incrementer/step 1"));
        assert_eq!(unescape("100%"), None);
        assert_eq!(unescape("%zz"), None);
    }

    proptest! {
        #[test]
        fn every_key_comes_back(key in ".*") {
            let name = escape(&key);
            prop_assert!(!name.contains('/'));
            prop_assert_eq!(unescape(&name), Some(key));
        }
    }
}
