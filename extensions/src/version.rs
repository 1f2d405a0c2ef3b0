//! Versions and ranges of them (extensions §4).

use semver::{BuildMetadata, Prerelease, Version, VersionReq};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::str::FromStr;

/// Longest text that is read as a version or range, in bytes.
const LONGEST: usize = 256;

/// It is no version, or no range of versions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// No version.
    #[error("{text:?} is no version: {why}; a version is MAJOR.MINOR.PATCH, for instance 1.2.3 (semver.org)")]
    Version {
        /// What was written.
        text: String,
        /// Why.
        why: String,
    },
    /// No range.
    #[error(
        "{text:?} is no range of versions: {why}; a range is 1.2.3, ^1.2.0, ~1.2.0, 1.2.0-1.5.0, comparators such as \
         >=1.0.0, <2.0.0, or * or latest"
    )]
    Range {
        /// What was written.
        text: String,
        /// Why.
        why: String,
    },
}

/// A semantic version. A leading `v` is accepted and dropped.
///
/// # Errors
/// [`VersionError::Version`].
pub fn parse_version(text: &str) -> Result<Version, VersionError> {
    let wrong = |why: String| VersionError::Version { text: text.chars().take(LONGEST).collect(), why };
    if text.len() > LONGEST {
        return Err(wrong(format!("it is longer than {LONGEST} bytes")));
    }
    Version::parse(bare(text.trim())).map_err(|error| wrong(error.to_string()))
}

fn bare(text: &str) -> &str {
    text.strip_prefix('v').unwrap_or(text)
}

/// Versions that will do.
///
/// ```
/// use drp_extensions::{VersionRange, parse_version};
/// let range: VersionRange = "1.2.0-1.5.0".parse().unwrap();
/// assert!(range.allows(&parse_version("v1.5.0").unwrap()));
/// assert!(!range.allows(&parse_version("1.5.1").unwrap()));
/// ```
#[derive(Debug, Clone)]
pub struct VersionRange {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// The highest release.
    Any,
    /// Both ends belong to it.
    Between(Version, Version),
    /// Comparators that must all hold.
    All(VersionReq),
}

impl VersionRange {
    /// Every release.
    #[must_use]
    pub fn any() -> Self {
        Self { text: "*".into(), kind: Kind::Any }
    }

    /// Whether every release will do.
    #[must_use]
    pub fn is_any(&self) -> bool {
        matches!(self.kind, Kind::Any)
    }

    /// Whether a version will do. Pre-releases only do when the range names one of the same MAJOR.MINOR.PATCH.
    #[must_use]
    pub fn allows(&self, version: &Version) -> bool {
        match &self.kind {
            Kind::Any => version.pre.is_empty(),
            Kind::All(all) => all.matches(version),
            Kind::Between(low, high) => {
                let named = |end: &Version| {
                    !end.pre.is_empty()
                        && (end.major, end.minor, end.patch) == (version.major, version.minor, version.patch)
                };
                inside(low, version, high) && (version.pre.is_empty() || named(low) || named(high))
            }
        }
    }

    /// Whether a version will do when pre-releases count as what they precede: for programs that are there, of which
    /// there is no other to choose.
    #[must_use]
    pub fn allows_installed(&self, version: &Version) -> bool {
        let plain = Version { pre: Prerelease::EMPTY, build: BuildMetadata::EMPTY, ..version.clone() };
        self.allows(version) || self.allows(&plain)
    }

    /// The best of some versions: the highest release that will do, and a pre-release only where there is no release.
    #[must_use]
    pub fn best<'a>(&self, versions: impl IntoIterator<Item = &'a Version>) -> Option<&'a Version> {
        let all: Vec<&Version> = versions.into_iter().collect();
        let highest = |fits: &dyn Fn(&Version) -> bool| {
            all.iter().copied().filter(|version| fits(version)).max_by(|a, b| a.cmp_precedence(b))
        };
        highest(&|version| self.allows(version))
            .or_else(|| if self.is_any() { highest(&|_| true) } else { None })
    }
}

fn inside(low: &Version, version: &Version, high: &Version) -> bool {
    low.cmp_precedence(version) != Ordering::Greater && version.cmp_precedence(high) != Ordering::Greater
}

/// The ends of `LOW-HIGH`. A hyphen between two whole versions always makes a range, never a pre-release.
fn ends(text: &str) -> Option<(Version, Version)> {
    text.match_indices('-').find_map(|(at, _)| {
        let low = Version::parse(bare(text[..at].trim())).ok()?;
        let high = Version::parse(bare(text[at + 1..].trim())).ok()?;
        Some((low, high))
    })
}

impl FromStr for VersionRange {
    type Err = VersionError;

    fn from_str(text: &str) -> Result<Self, VersionError> {
        let wrong = |why: String| VersionError::Range { text: text.chars().take(LONGEST).collect(), why };
        let trimmed = text.trim();
        if text.len() > LONGEST {
            return Err(wrong(format!("it is longer than {LONGEST} bytes")));
        }
        let kind = if trimmed.is_empty() {
            return Err(wrong("it is empty".into()));
        } else if matches!(trimmed, "*" | "latest") {
            Kind::Any
        } else if let Some((low, high)) = ends(trimmed) {
            if low.cmp_precedence(&high) == Ordering::Greater {
                return Err(wrong(format!("{low} is higher than {high}")));
            }
            Kind::Between(low, high)
        } else {
            let parts: Result<Vec<String>, VersionError> = trimmed
                .split(',')
                .map(|part| {
                    let part = part.trim();
                    let end = part.find(|c| !"<>=^~".contains(c)).unwrap_or(part.len());
                    let (operator, version) = part.split_at(end);
                    let version = bare(version.trim());
                    if !version.starts_with(|c: char| c.is_ascii_digit()) {
                        return Err(wrong(format!("{part:?} has no version")));
                    }
                    // A version alone is that version; the library takes it for ^.
                    let operator = if operator.is_empty() { "=" } else { operator };
                    Ok(format!("{operator}{version}"))
                })
                .collect();
            Kind::All(VersionReq::parse(&parts?.join(", ")).map_err(|error| wrong(error.to_string()))?)
        };
        Ok(Self { text: trimmed.to_owned(), kind })
    }
}

impl Default for VersionRange {
    fn default() -> Self {
        Self::any()
    }
}

impl PartialEq for VersionRange {
    fn eq(&self, other: &Self) -> bool {
        match (&self.kind, &other.kind) {
            (Kind::Any, Kind::Any) => true,
            (Kind::Between(a, b), Kind::Between(c, d)) => a == c && b == d,
            (Kind::All(a), Kind::All(b)) => a == b,
            _ => false,
        }
    }
}

impl fmt::Display for VersionRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for VersionRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for VersionRange {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn range(text: &str) -> VersionRange {
        text.parse().unwrap()
    }

    fn version(text: &str) -> Version {
        parse_version(text).unwrap()
    }

    #[test]
    fn versions_are_semantic_and_lose_a_leading_v() {
        assert_eq!(version("v1.2.3").to_string(), "1.2.3");
        assert_eq!(version("4.6.0-alpha00.12+g3f").build.as_str(), "g3f");
        for bad in ["", "1", "1.2", "1.2.3.4", "01.2.3", "vv1.2.3", "latest", "1.2.x", "1.2.3-", "1.2.3\n4"] {
            assert!(parse_version(bad).is_err(), "{bad:?}");
        }
        assert!(parse_version(&"1".repeat(1000)).is_err());
    }

    #[test]
    fn ranges_mean_what_the_interface_says() {
        for (text, yes, no) in [
            ("1.2.3", vec!["1.2.3"], vec!["1.2.4", "1.3.0", "1.2.2"]),
            ("^1.2.0", vec!["1.2.0", "1.9.9"], vec!["2.0.0", "1.1.9", "1.3.0-rc1"]),
            ("~1.2.0", vec!["1.2.0", "1.2.9"], vec!["1.3.0"]),
            (
                "1.2.0-1.5.0",
                vec!["1.2.0", "1.4.9", "1.5.0"],
                vec!["1.5.1", "1.1.9", "1.3.0-rc1", "1.5.0-rc1"],
            ),
            ("v1.2.0 - v1.5.0", vec!["1.5.0"], vec!["1.5.1"]),
            ("1.2.0-beta-1.5.0", vec!["1.2.0-beta", "1.2.0", "1.5.0"], vec!["1.2.0-alpha", "1.4.0-beta"]),
            (">=1.0.0, <2.0.0", vec!["1.0.0", "1.9.9"], vec!["2.0.0", "0.9.0"]),
            (">=1.0.0,<v2.0.0", vec!["1.0.0"], vec!["2.0.0"]),
            (">= 0.107.0", vec!["0.115.1"], vec!["0.106.9"]),
            ("=1.2.3", vec!["1.2.3"], vec!["1.2.4"]),
            ("1.2.3-rc.1", vec!["1.2.3-rc.1"], vec!["1.2.3", "1.2.3-rc.2"]),
            ("*", vec!["0.0.1", "99.0.0"], vec!["1.0.0-rc1"]),
            ("latest", vec!["0.0.1"], vec!["1.0.0-rc1"]),
            ("v1", vec!["1.0.0", "1.9.0"], vec!["2.0.0"]),
        ] {
            let range = range(text);
            yes.iter().for_each(|v| assert!(range.allows(&version(v)), "{text} allows {v}"));
            no.iter().for_each(|v| assert!(!range.allows(&version(v)), "{text} does not allow {v}"));
            assert_eq!(range.to_string(), text);
        }
        for bad in
            ["", " ", "1.5.0-1.2.0", ">=", "^", "a", ">=1.0.0 || 2.0.0", "1.2.3,", "$(x)", "> 1.0.0 <2.0.0"]
        {
            assert!(bad.parse::<VersionRange>().is_err(), "{bad:?}");
        }
    }

    #[test]
    fn the_best_is_the_highest_release() {
        let all: Vec<Version> = ["1.0.0", "1.9.0", "2.0.0-rc1"].map(version).to_vec();
        assert_eq!(range("latest").best(&all), Some(&all[1]));
        assert_eq!(range("^1.0.0").best(&all), Some(&all[1]));
        assert_eq!(range("2.0.0-rc1").best(&all), Some(&all[2]));
        assert_eq!(range("^3.0.0").best(&all), None);
        assert_eq!(range("*").best(&all[2..]), Some(&all[2]), "a pre-release where there is nothing else");
        assert!(range(">=0.107.0").allows_installed(&version("0.115.0-nightly.3")));
    }

    proptest! {
        #[test]
        fn any_text_is_a_range_or_an_error(text in "[0-9v.<>=^~,* x-]{0,24}|.{0,24}") {
            if let Ok(range) = text.parse::<VersionRange>() {
                prop_assert_eq!(&range.to_string().parse::<VersionRange>().unwrap(), &range);
                let _ = range.allows(&version("1.2.3"));
            }
        }

        #[test]
        fn inclusive_ranges_hold_their_ends_and_nothing_outside(
            a in (0u64..9, 0u64..9, 0u64..9), b in (0u64..9, 0u64..9, 0u64..9), c in (0u64..9, 0u64..9, 0u64..9),
        ) {
            let [a, b, c] = [a, b, c].map(|(x, y, z)| Version::new(x, y, z));
            let (low, high) = if a < b { (a, b) } else { (b, a) };
            let range = range(&format!("{low}-{high}"));
            prop_assert!(range.allows(&low) && range.allows(&high));
            prop_assert_eq!(range.allows(&c), low <= c && c <= high);
        }
    }
}
