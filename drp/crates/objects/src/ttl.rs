//! Lifetimes of tokens as text.

use std::time::Duration;

/// Units with their length in nanoseconds, longest names first so that `ms` is not read as `m`.
const UNITS: [(&str, u128); 11] = [
    ("ns", 1),
    ("us", 1_000),
    ("µs", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60_000_000_000),
    ("h", 3_600_000_000_000),
    ("d", 86_400_000_000_000),
    ("w", 604_800_000_000_000),
    ("M", 2_592_000_000_000_000),
    ("y", 31_536_000_000_000_000),
];

/// Parses a lifetime: whole seconds, numbers with units (`ns us ms s m h d w y`, which may follow one another), or
/// `never`, which is `Duration::MAX` (wire-protocol §3.2). None when it is none of them.
#[must_use]
pub fn parse_ttl(text: &str) -> Option<Duration> {
    let text = text.trim();
    if text.eq_ignore_ascii_case("never") {
        return Some(Duration::MAX);
    }
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut nanos: u128 = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u128 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let word_end = rest.find(|c: char| c.is_ascii_digit() || c.is_whitespace()).unwrap_or(rest.len());
        let (_, unit) = UNITS.iter().find(|(name, _)| *name == &rest[..word_end])?;
        nanos = nanos.checked_add(number.checked_mul(*unit)?)?;
        rest = rest[word_end..].trim_start();
    }
    if text.is_empty() {
        return None;
    }
    Some(Duration::new(
        u64::try_from(nanos / 1_000_000_000).ok()?,
        u32::try_from(nanos % 1_000_000_000).ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::parse_ttl;
    use std::time::Duration;

    #[test]
    fn lifetimes() {
        let seconds = |s| Some(Duration::from_secs(s));
        for (text, want) in [
            ("3600", seconds(3600)),
            ("3y", seconds(3 * 365 * 86_400)),
            ("1d12h", seconds(129_600)),
            ("1d 12h", seconds(129_600)),
            ("2w", seconds(1_209_600)),
            ("250ms", Some(Duration::from_millis(250))),
            ("7us", Some(Duration::from_micros(7))),
            ("never", Some(Duration::MAX)),
            ("", None),
            ("abc", None),
            ("-5", None),
            ("1.5h", None),
            ("5 parsecs", None),
            ("99999999999999999999999999y", None),
        ] {
            assert_eq!(parse_ttl(text), want, "{text:?}");
        }
    }
}
