//! Query strings and percent-encoding (RFC 3986 §2.1, and `+` for a blank as forms write it).

/// The decoded pairs of a query string, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    pub(crate) fn parse(text: &str) -> Self {
        let pair = |part: &str| {
            let (key, value) = part.split_once('=').unwrap_or((part, ""));
            (decode(&key.replace('+', " ")), decode(&value.replace('+', " ")))
        };
        Self(text.split('&').filter(|part| !part.is_empty()).map(pair).collect())
    }

    /// The first value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        self.0.iter().find(|(k, _)| k == key).map(|(_, v)| v.as_str())
    }

    /// Whether a switch is on: `true`, `1`, or given without a value.
    pub(crate) fn is_set(&self, key: &str) -> bool {
        self.get(key).is_some_and(|v| matches!(v, "" | "1") || v.eq_ignore_ascii_case("true"))
    }

    /// The parts of a comma list.
    pub(crate) fn list(&self, key: &str) -> Vec<String> {
        let text = self.get(key).unwrap_or_default();
        text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(k, v)| (k.as_str(), v.as_str()))
    }
}

/// Undoes percent-encoding. What is no encoding stays as it is; bytes that are not UTF-8 are replaced.
pub(crate) fn decode(text: &str) -> String {
    if !text.contains('%') {
        return text.to_owned();
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16).and_then(|d| u8::try_from(d).ok());
        match (first, tail) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                bytes.push(hex(*high).unwrap_or(0) << 4 | hex(*low).unwrap_or(0));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The decoded segments of a path, empty ones left out: `//api/v3/` is `api`, `v3` (wire-protocol §3.1).
pub(crate) fn segments(path: &str) -> Vec<String> {
    path.split('/').filter(|part| !part.is_empty()).map(decode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queries_and_paths_decode() {
        let query = Query::parse("a=1&b=x%2Fy+z&a=2&flag&&params=p%2C+q,r");
        assert_eq!(query.get("a"), Some("1"));
        assert_eq!(query.get("b"), Some("x/y z"));
        assert!(query.is_set("flag") && !query.is_set("a2"));
        assert_eq!(query.list("params"), ["p", "q", "r"]);
        assert_eq!(segments("//api/v3//params/cow%2Fid/"), ["api", "v3", "params", "cow/id"]);
        assert_eq!(decode("100%"), "100%");
        assert_eq!(decode("%zz%4"), "%zz%4");
        assert_eq!(decode("%ff"), "\u{fffd}");
    }
}
