//! What a reader gets.

use bytes::Bytes;

use crate::commit::Revision;

/// One stored object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its key within the space.
    pub key: String,
    /// Revision of the batch that wrote it last.
    pub revision: Revision,
    /// The stored bytes.
    pub value: Bytes,
}

/// Which part of a space to read, in the order of the keys' bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scan {
    /// Only keys that begin with this.
    pub prefix: String,
    /// Only keys after this one: the last key of the page before.
    pub after: Option<String>,
    /// At most this many objects.
    pub limit: usize,
}

impl Scan {
    /// Everything in the space, from the first key, 1,000 objects at most.
    pub fn all() -> Scan {
        Scan::prefix("")
    }

    /// The keys that begin with `prefix`, 1,000 objects at most.
    pub fn prefix(prefix: impl Into<String>) -> Scan {
        Scan { prefix: prefix.into(), after: None, limit: 1000 }
    }

    /// The same from after `key`.
    #[must_use]
    pub fn after(mut self, key: impl Into<String>) -> Scan {
        self.after = Some(key.into());
        self
    }

    /// The same with another limit.
    #[must_use]
    pub fn limit(mut self, objects: usize) -> Scan {
        self.limit = objects;
        self
    }
}

/// The smallest text that is greater than every text with this prefix; `None` if there is none.
///
/// UTF-8 sorts as its code points do, so the last character that can be raised is raised.
pub(crate) fn end_of_prefix(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            char::MAX => continue,
            '\u{D7FF}' => '\u{E000}',
            c => char::from_u32(c as u32 + 1).unwrap_or(char::MAX),
        };
        chars.push(next);
        return Some(chars.into_iter().collect());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::end_of_prefix;

    #[test]
    fn the_end_of_a_prefix_skips_what_cannot_be_raised() {
        assert_eq!(end_of_prefix("ab").as_deref(), Some("ac"));
        assert_eq!(end_of_prefix("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(end_of_prefix("\u{D7FF}").as_deref(), Some("\u{E000}"));
        assert_eq!(end_of_prefix("\u{10FFFF}"), None);
        assert_eq!(end_of_prefix(""), None);
    }
}
