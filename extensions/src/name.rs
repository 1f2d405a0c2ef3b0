//! Names of extensions (extensions §1).

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// Longest name, in characters: it becomes part of file names, and of the names of params and plugins.
pub const LONGEST_NAME: usize = 64;

/// The name of an extension: `^[a-z][a-z0-9]*([-_][a-z0-9]+)*$`. It stays as it is written, but `-` and `_` are the
/// same where names are compared.
///
/// ```
/// let name: drp_extensions::Name = "my-provider".parse().unwrap();
/// assert_eq!(name, "my_provider".parse().unwrap());
/// assert_eq!(name.nickel_name(), "my_provider");
/// assert!("../etc".parse::<drp_extensions::Name>().is_err());
/// ```
#[derive(Debug, Clone)]
pub struct Name(String);

/// It is no name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is no name: a name has lower-case letters and digits in parts that - or _ joins, begins with a letter, and \
     is at most {LONGEST_NAME} characters long"
)]
pub struct NameError(pub String);

impl Name {
    /// As it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name by which Nickel imports it.
    #[must_use]
    pub fn nickel_name(&self) -> String {
        self.0.replace('-', "_")
    }

    fn compared(&self) -> impl Iterator<Item = u8> {
        self.0.bytes().map(|byte| if byte == b'-' { b'_' } else { byte })
    }
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let part = |part: &str| {
            !part.is_empty() && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        };
        let fits = text.len() <= LONGEST_NAME
            && text.starts_with(|c: char| c.is_ascii_lowercase())
            && text.split(['-', '_']).all(part);
        if fits { Ok(Self(text.to_owned())) } else { Err(NameError(text.chars().take(200).collect())) }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.compared().eq(other.compared())
    }
}

impl Eq for Name {}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        self.compared().cmp(other.compared())
    }
}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.compared().for_each(|byte| state.write_u8(byte));
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_the_interface_says() {
        for good in ["a", "a1", "my-provider", "my_provider", "a-b_c-9", "x86-64"] {
            assert!(good.parse::<Name>().is_ok(), "{good}");
        }
        let long = "a".repeat(LONGEST_NAME + 1);
        for bad in [
            "", "-", "a-", "-a", "a--b", "a-_b", "A", "1a", "a.b", "a/b", "../a", "a b", "a\n", "ä", "$(x)",
            "a'", "a`b", "a\0", &long,
        ] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn hyphen_and_underscore_are_the_same() {
        let names: std::collections::BTreeSet<Name> =
            ["a-b", "a_b", "a-c"].iter().map(|name| name.parse().unwrap()).collect();
        assert_eq!(names.len(), 2);
        let hashed: std::collections::HashSet<Name> =
            ["a-b", "a_b"].iter().map(|n| n.parse().unwrap()).collect();
        assert_eq!(hashed.len(), 1);
    }
}
