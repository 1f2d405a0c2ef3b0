//! Filters and controls of lists (wire-protocol §3.5).

use crate::path::escape_into;

/// Filters and controls of a list: filters on different names must all hold, of filters on the same name one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Query(Vec<(String, String)>);

impl Query {
    /// Everything.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Any `name=value` pair of the query string.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    /// The index, `Meta.<key>` or param equals the value.
    #[must_use]
    pub fn eq(self, name: impl Into<String>, value: impl AsRef<str>) -> Self {
        self.with(name, format!("Eq({})", value.as_ref()))
    }

    /// One of the functions `Eq Ne Lt Lte Gt Gte Between Except In Nin Re` with its arguments.
    #[must_use]
    pub fn filter(self, name: impl Into<String>, function: &str, args: &str) -> Self {
        self.with(name, format!("{function}({args})"))
    }

    /// Sort by an index; further calls sort what is equal.
    #[must_use]
    pub fn sort(self, index: impl Into<String>) -> Self {
        self.with("sort", index)
    }

    /// Last first.
    #[must_use]
    pub fn reverse(self) -> Self {
        self.with("reverse", "true")
    }

    /// At most so many.
    #[must_use]
    pub fn limit(self, count: u64) -> Self {
        self.with("limit", count.to_string())
    }

    /// Leave the first ones out.
    #[must_use]
    pub fn offset(self, count: u64) -> Self {
        self.with("offset", count.to_string())
    }

    /// Empty these parts of each object, for instance `Meta,Params`.
    #[must_use]
    pub fn slim(self, parts: impl Into<String>) -> Self {
        self.with("slim", parts)
    }

    /// Keep only these params of each object.
    #[must_use]
    pub fn params(self, names: impl Into<String>) -> Self {
        self.with("params", names)
    }

    /// Open secure params; needs the claim `getSecure`.
    #[must_use]
    pub fn decode(self) -> Self {
        self.with("decode", "true")
    }

    /// Fill params from profiles, stage, `global` and defaults.
    #[must_use]
    pub fn aggregate(self) -> Self {
        self.with("aggregate", "true")
    }

    /// As [`Query::aggregate`], with maps and lists of all sources put together.
    #[must_use]
    pub fn compose(self) -> Self {
        self.with("compose", "true")
    }

    /// Appends the query string to a path.
    pub(crate) fn append_to(&self, path: &mut String) {
        for (at, (name, value)) in self.0.iter().enumerate() {
            path.push(if at == 0 { '?' } else { '&' });
            escape_into(path, name, true);
            path.push('=');
            escape_into(path, value, true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Query;

    #[test]
    fn the_query_string() {
        let mut path = "/machines".to_owned();
        Query::new().eq("Name", "a&b").filter("x/y", "Between", "1,2").limit(3).append_to(&mut path);
        assert_eq!(path, "/machines?Name=Eq%28a%26b%29&x/y=Between%281%2C2%29&limit=3");
    }
}
