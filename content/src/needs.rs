//! What a bundle needs: prerequisites with version ranges, and features (wire-protocol §2.5).

use std::{cmp::Ordering, fmt};

/// One entry of `Prerequisites`: a bundle, and which of its versions will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// Name of the bundle.
    pub name: String,
    range: String,
    /// Alternatives of conditions that hold together; none when any version will do.
    any_of: Vec<Vec<Condition>>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Condition {
    compare: Compare,
    wanted: Wanted,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Less,
    LessOrEqual,
    Equal,
    Unequal,
    GreaterOrEqual,
    Greater,
}

/// The numbers of a range. Those that are left out, or `x`, are 0 in an order and anything in an equality.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Wanted(Vec<u64>);

/// Three numbers.
type Version = [u64; 3];

impl Need {
    /// Whether a version will do. A leading `v` and everything after the first `-` of it do not count. What is no
    /// version serves only those who take any.
    #[must_use]
    pub fn is_met_by(&self, version: &str) -> bool {
        if self.any_of.is_empty() {
            return true;
        }
        let Some(version) = version_of(version) else { return false };
        self.any_of.iter().any(|all| all.iter().all(|condition| condition.holds(&version)))
    }
}

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.range.is_empty() {
            f.write_str(&self.name)
        } else {
            write!(f, "{}: {}", self.name, self.range)
        }
    }
}

impl Condition {
    fn holds(&self, version: &Version) -> bool {
        let Wanted(wanted) = &self.wanted;
        let order = || {
            let padded = wanted.iter().copied().chain(std::iter::repeat(0));
            version.iter().copied().zip(padded).map(|(a, b)| a.cmp(&b)).find(|o| *o != Ordering::Equal)
        };
        let order = || order().unwrap_or(Ordering::Equal);
        let equal = || version.iter().zip(wanted).all(|(a, b)| a == b);
        match self.compare {
            Compare::Less => order() == Ordering::Less,
            Compare::LessOrEqual => order() == Ordering::Less || equal(),
            Compare::Equal => equal(),
            Compare::Unequal => !equal(),
            Compare::GreaterOrEqual => order() != Ordering::Less,
            Compare::Greater => order() == Ordering::Greater && !equal(),
        }
    }
}

/// Reads `Prerequisites`: a comma list of `name[: range]`. A range is conditions such as `>=1.2.0 <2.0.0`, with `||`
/// between alternatives; `1.2.x` and a bare version are equalities.
///
/// # Errors
/// Names the entry and what of it cannot be understood.
pub fn needs(list: &str) -> Result<Vec<Need>, String> {
    entries(list).map(need).collect()
}

/// Reads `RequiredFeatures`: a comma list of names.
#[must_use]
pub fn features(list: &str) -> Vec<&str> {
    entries(list).collect()
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn need(entry: &str) -> Result<Need, String> {
    let (name, range) = entry.split_once(':').map_or((entry, ""), |(n, r)| (n.trim(), r.trim()));
    let wrong = |what: &str| format!("the prerequisite `{entry}` {what}");
    if name.is_empty() {
        return Err(wrong("names no content"));
    }
    let mut any_of = Vec::new();
    if !range.is_empty() {
        for part in range.split("||") {
            let conditions = conditions(part).ok_or_else(|| {
                wrong("has a range that is none: write conditions such as >=1.2.0 <2.0.0, with || between alternatives")
            })?;
            any_of.push(conditions);
        }
    }
    Ok(Need { name: name.to_owned(), range: range.to_owned(), any_of })
}

fn conditions(text: &str) -> Option<Vec<Condition>> {
    let mut out = Vec::new();
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (compare, after) = compare(rest);
        let after = after.trim_start();
        let end = after.find(|c: char| c.is_whitespace() || "<>=!".contains(c)).unwrap_or(after.len());
        let (version, next) = after.split_at(end);
        out.push(Condition { compare, wanted: wanted(version)? });
        rest = next.trim_start();
    }
    (!out.is_empty()).then_some(out)
}

fn compare(text: &str) -> (Compare, &str) {
    let words = [
        ("<=", Compare::LessOrEqual),
        (">=", Compare::GreaterOrEqual),
        ("!=", Compare::Unequal),
        ("==", Compare::Equal),
        ("<", Compare::Less),
        (">", Compare::Greater),
        ("!", Compare::Unequal),
        ("=", Compare::Equal),
    ];
    let found = words.into_iter().find_map(|(word, compare)| Some((compare, text.strip_prefix(word)?)));
    found.unwrap_or((Compare::Equal, text))
}

fn wanted(text: &str) -> Option<Wanted> {
    let mut numbers = Vec::new();
    let mut open = false;
    for part in plain(text).split('.') {
        if matches!(part, "x" | "X" | "*") {
            open = true;
        } else if open || numbers.len() == 3 {
            return None;
        } else {
            numbers.push(part.parse().ok()?);
        }
    }
    Some(Wanted(numbers))
}

fn version_of(text: &str) -> Option<Version> {
    let mut version = [0; 3];
    for (at, part) in plain(text).split('.').enumerate() {
        *version.get_mut(at)? = part.parse().ok()?;
    }
    Some(version)
}

/// Without a leading `v`, and without what follows the first `-` or `+`.
fn plain(text: &str) -> &str {
    let text = text.trim();
    let text = text.strip_prefix(['v', 'V']).unwrap_or(text);
    text.split(['-', '+']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{features, needs};

    #[test]
    fn ranges() {
        for (range, yes, no) in [
            ("", vec!["v1.0.0", "anything", ""], vec![]),
            (
                ">=4.6.0",
                vec!["v4.6.0", "4.6.1", "v5.0.0", "v4.8.0-alpha00.5+gabc"],
                vec!["v4.5.9", "tip", ""],
            ),
            (">=1.2.0 <2.0.0", vec!["1.2.0", "v1.99.99"], vec!["2.0.0", "v1.1.9", "v2.0.0-beta"]),
            (">1.0.0<2.0.0 || >= 3", vec!["1.5.0", "3.0.0", "v4.1.2"], vec!["1.0.0", "2.5.0"]),
            ("1.2.x", vec!["1.2.0", "v1.2.9"], vec!["1.3.0"]),
            ("=1.0.0", vec!["v1.0.0-dirty"], vec!["v1.0.1"]),
            ("!=1.0.0", vec!["v1.0.1"], vec!["v1.0.0"]),
            ("<=1.2", vec!["1.1.7", "1.2.0", "1.2.5"], vec!["1.3.0"]),
            (">1.2", vec!["1.3.0"], vec!["1.2.5"]),
            ("1.0.0", vec!["1.0.0"], vec!["1.0.1"]),
        ] {
            let list = if range.is_empty() { "lamp".to_owned() } else { format!("lamp: {range}") };
            let need = &needs(&list).unwrap()[0];
            assert_eq!(need.to_string(), list);
            for version in yes {
                assert!(need.is_met_by(version), "{range} takes {version}");
            }
            for version in no {
                assert!(!need.is_met_by(version), "{range} does not take {version}");
            }
        }
    }

    #[test]
    fn lists() {
        let all = needs(" lamp: >=1.0.0 , desk,, sofa:1.x ").unwrap();
        assert_eq!(all.iter().map(|n| n.name.as_str()).collect::<Vec<_>>(), ["lamp", "desk", "sofa"]);
        assert!(needs("").unwrap().is_empty());
        assert_eq!(features("a, b,,c"), ["a", "b", "c"]);
        for wrong in ["lamp: >=", "lamp: new", ": 1.0.0", "lamp: 1.2.3.4", "lamp: 1.x.3", "lamp: 1.0 || "] {
            let text = needs(wrong).unwrap_err();
            assert!(text.contains(wrong.trim()) && text.contains("prerequisite"), "{text}");
        }
    }
}
