//! The query string of lists (wire-protocol §3.5).

use crate::{
    Result,
    fault::Fault,
    index::{IndexDef, IndexType, IndexValue},
};
use regex::Regex;
use serde_json::Value;
use std::{borrow::Cow, cmp::Ordering};

/// Most filters in one query.
const MAX_FILTERS: usize = 200;
/// Largest compiled form of a regular expression, and of what it keeps while it matches, in bytes.
const MAX_REGEX: usize = 1 << 18;

/// A parsed query string: filters and controls. Controls without a meaning here are ignored.
#[derive(Debug, Clone, Default)]
pub struct ListQuery {
    /// Only count, for HEAD.
    pub head: bool,
    /// Open sealed params. The caller must have checked `getSecure`.
    pub decode: bool,
    /// Params by full lookup instead of the object's own.
    pub aggregate: bool,
    /// Put maps and lists of all sources together; implies `aggregate`.
    pub compose: bool,
    /// Empty these fields: `Meta`, `Params`.
    pub slim: Vec<String>,
    /// Only these params.
    pub params: Vec<String>,
    /// Indexes to sort by, most important first; key order when empty.
    pub sort: Vec<String>,
    /// Turn the order around.
    pub reverse: bool,
    /// Leave out that many of the matches.
    pub offset: usize,
    /// Give at most that many.
    pub limit: Option<usize>,
    /// Key and value pairs that are filters.
    pub filters: Vec<(String, String)>,
}

impl ListQuery {
    /// Sorts decoded key-value pairs of a query string into filters and controls. Whether the filters exist is checked
    /// by the list itself.
    ///
    /// # Errors
    /// 406 `Offset not valid: …`, `Limit not valid: …`, `Offset cannot be negative`, `Limit cannot be negative`.
    pub fn parse<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Self> {
        let mut query = Self::default();
        for (name, value) in pairs {
            let list = || value.split(',').filter(|v| !v.is_empty()).map(str::to_owned);
            match name {
                "decode" => query.decode = truth(value),
                "aggregate" => query.aggregate = truth(value),
                "compose" => query.compose = truth(value),
                "slim" => query.slim.extend(list()),
                "params" => query.params.extend(list()),
                "sort" => query.sort.push(value.to_owned()),
                "reverse" => query.reverse = truth(value),
                "offset" => query.offset = bound("Offset", value)?.unwrap_or(0),
                "limit" => query.limit = bound("Limit", value)?,
                "commented" | "force" | "noproxy" | "expand" | "range-only" | "token" => {}
                _ if query.filters.len() >= MAX_FILTERS => {
                    return Err(not_acceptable(format!("at most {MAX_FILTERS} filters are taken")).into());
                }
                _ => query.filters.push((name.to_owned(), value.to_owned())),
            }
        }
        Ok(query)
    }

    /// Whether objects travel exactly as they are stored.
    pub(crate) fn plain(&self) -> bool {
        !self.decode && !self.aggregate && !self.compose && self.slim.is_empty() && self.params.is_empty()
    }
}

fn truth(value: &str) -> bool {
    matches!(value.to_ascii_lowercase().as_str(), "true" | "t" | "1" | "yes" | "")
}

fn bound(what: &str, value: &str) -> Result<Option<usize>, Fault> {
    match value.trim().parse::<i64>() {
        Err(error) => Err(not_acceptable(format!("{what} not valid: {value}: {error}"))),
        Ok(n) if n < 0 => Err(not_acceptable(format!("{what} cannot be negative"))),
        Ok(n) => Ok(usize::try_from(n).ok()),
    }
}

pub(crate) fn not_acceptable(text: String) -> Fault {
    Fault::NotAcceptable { model: String::new(), text }
}

/// A comparison with its arguments still as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    Eq(&'a str),
    Ne(&'a str),
    Lt(&'a str),
    Lte(&'a str),
    Gt(&'a str),
    Gte(&'a str),
    Between(&'a str, &'a str),
    Except(&'a str, &'a str),
    In(Vec<&'a str>),
    Nin(Vec<&'a str>),
    Re(&'a str),
}

impl<'a> Call<'a> {
    /// Reads `Fn(args)`, or a bare value, which is an `Eq`.
    pub(crate) fn parse(text: &'a str) -> Result<Self, Fault> {
        let Some((name, rest)) = text.split_once('(') else { return Ok(Self::Eq(text)) };
        let Some(inside) = rest.strip_suffix(')') else { return Ok(Self::Eq(text)) };
        let two = || {
            inside.split_once(',').map(|(a, b)| (a.trim(), b.trim())).ok_or_else(|| {
                not_acceptable(format!(
                    "Filter not valid: {text}: {name} takes two values with a comma between them"
                ))
            })
        };
        let many = || inside.split(',').map(str::trim).collect();
        Ok(match name {
            "Eq" => Self::Eq(inside),
            "Ne" => Self::Ne(inside),
            "Lt" => Self::Lt(inside),
            "Lte" => Self::Lte(inside),
            "Gt" => Self::Gt(inside),
            "Gte" => Self::Gte(inside),
            "Between" => two().map(|(a, b)| Self::Between(a, b))?,
            "Except" => two().map(|(a, b)| Self::Except(a, b))?,
            "In" => Self::In(many()),
            "Nin" => Self::Nin(many()),
            "Re" => Self::Re(inside),
            _ => Self::Eq(text),
        })
    }
}

/// A comparison against values of one type.
#[derive(Debug)]
pub(crate) enum Test<T> {
    Eq(T),
    Ne(T),
    Lt(T),
    Lte(T),
    Gt(T),
    Gte(T),
    Between(T, T),
    Except(T, T),
    In(Vec<T>),
    Nin(Vec<T>),
    Re(Regex),
}

impl<T> Test<T> {
    /// Gives the arguments their type.
    pub(crate) fn typed(
        call: Call<'_>,
        mut parse: impl FnMut(&str) -> Result<T, Fault>,
    ) -> Result<Self, Fault> {
        Ok(match call {
            Call::Eq(a) => Self::Eq(parse(a)?),
            Call::Ne(a) => Self::Ne(parse(a)?),
            Call::Lt(a) => Self::Lt(parse(a)?),
            Call::Lte(a) => Self::Lte(parse(a)?),
            Call::Gt(a) => Self::Gt(parse(a)?),
            Call::Gte(a) => Self::Gte(parse(a)?),
            Call::Between(a, b) => Self::Between(parse(a)?, parse(b)?),
            Call::Except(a, b) => Self::Except(parse(a)?, parse(b)?),
            Call::In(list) => Self::In(list.into_iter().map(parse).collect::<Result<_, _>>()?),
            Call::Nin(list) => Self::Nin(list.into_iter().map(parse).collect::<Result<_, _>>()?),
            Call::Re(text) => Self::Re(
                regex::RegexBuilder::new(text)
                    .size_limit(MAX_REGEX)
                    .dfa_size_limit(MAX_REGEX)
                    .build()
                    .map_err(|e| not_acceptable(format!("Filter not valid: Re({text}): {e}")))?,
            ),
        })
    }

    /// Tests a value by its order relative to others; `text` serves regular expressions.
    pub(crate) fn holds<'v>(
        &self,
        cmp: impl Fn(&T) -> Option<Ordering>,
        text: impl FnOnce() -> Option<Cow<'v, str>>,
    ) -> bool {
        use Ordering::{Equal, Greater, Less};
        let is = |other: &T, orders: &[Ordering]| cmp(other).is_some_and(|o| orders.contains(&o));
        match self {
            Self::Eq(v) => is(v, &[Equal]),
            Self::Ne(v) => !is(v, &[Equal]),
            Self::Lt(v) => is(v, &[Less]),
            Self::Lte(v) => is(v, &[Less, Equal]),
            Self::Gt(v) => is(v, &[Greater]),
            Self::Gte(v) => is(v, &[Greater, Equal]),
            Self::Between(a, b) => is(a, &[Greater, Equal]) && is(b, &[Less, Equal]),
            Self::Except(a, b) => !(is(a, &[Greater, Equal]) && is(b, &[Less, Equal])),
            Self::In(list) => list.iter().any(|v| is(v, &[Equal])),
            Self::Nin(list) => !list.iter().any(|v| is(v, &[Equal])),
            Self::Re(regex) => text().is_some_and(|t| regex.is_match(&t)),
        }
    }
}

/// A filter over an index.
pub(crate) fn index_test(def: &IndexDef, text: &str) -> Result<Test<IndexValue>, Fault> {
    let call = Call::parse(text)?;
    if matches!(call, Call::Re(_)) && !def.regex {
        return Err(not_acceptable(format!("Filter not valid: {} takes no regular expression", def.name)));
    }
    let list_call = matches!(call, Call::Eq(_) | Call::Ne(_) | Call::In(_) | Call::Nin(_));
    if def.r#type == IndexType::List && !list_call {
        return Err(not_acceptable(format!("Filter not valid: {} is a list and has no order", def.name)));
    }
    Test::typed(call, |arg| def.parse(arg).map_err(not_acceptable))
}

/// Whether an object's index value passes.
pub(crate) fn index_holds(test: &Test<IndexValue>, value: &IndexValue) -> bool {
    if let IndexValue::List(list) = value {
        let has = |v: &IndexValue| matches!(v, IndexValue::Text(text) if list.contains(text));
        return match test {
            Test::Eq(v) => has(v),
            Test::Ne(v) => !has(v),
            Test::In(wanted) => wanted.iter().any(has),
            Test::Nin(wanted) => !wanted.iter().any(has),
            _ => false,
        };
    }
    test.holds(
        |other| Some(value.cmp(other)),
        || match value {
            IndexValue::Text(text) => Some(Cow::Borrowed(&**text)),
            other => other.unique_text().map(Cow::Owned),
        },
    )
}

/// Whether a JSON value passes. A value that is not there is equal to nothing and outside of everything.
pub(crate) fn json_holds(test: &Test<Value>, value: Option<&Value>) -> bool {
    let Some(value) = value else { return matches!(test, Test::Ne(_) | Test::Nin(_) | Test::Except(..)) };
    test.holds(
        |other| json_order(value, other),
        || Some(value.as_str().map_or_else(|| Cow::Owned(value.to_string()), Cow::Borrowed)),
    )
}

/// A query string's text as a value of a param: by the type its schema names, else as JSON if it is that, else as text.
pub(crate) fn coerce(schema: &Value, text: &str) -> Value {
    let as_text = || Value::String(text.to_owned());
    match schema.get("type").and_then(Value::as_str) {
        Some("string") => as_text(),
        _ => serde_json::from_str(text).unwrap_or_else(|_| as_text()),
    }
}

/// The order of two JSON values of one type; none when they have none, but equal values are equal.
pub(crate) fn json_order(a: &Value, b: &Value) -> Option<Ordering> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => match (a.as_i64(), b.as_i64()) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => a.as_f64()?.partial_cmp(&b.as_f64()?),
        },
        (Value::String(a), Value::String(b)) => Some(a.cmp(b)),
        (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
        (a, b) if a == b => Some(Ordering::Equal),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Call, ListQuery, coerce, index_holds, index_test};
    use crate::index::{IndexDef, IndexType, IndexValue};
    use serde_json::json;

    #[test]
    fn controls_and_filters_are_told_apart() {
        let query = ListQuery::parse([
            ("sort", "Name"),
            ("sort", "Uuid"),
            ("reverse", "true"),
            ("offset", "2"),
            ("limit", "5"),
            ("slim", "Meta,Params"),
            ("params", "a,b"),
            ("commented", "true"),
            ("Name", "Eq(x)"),
            ("Meta.os", "y"),
        ])
        .unwrap();
        assert_eq!((query.sort.len(), query.reverse, query.offset, query.limit), (2, true, 2, Some(5)));
        assert_eq!((query.slim.len(), query.params.len(), query.filters.len()), (2, 2, 2));
        for (name, value, text) in [
            ("offset", "-1", "Offset cannot be negative"),
            ("limit", "-1", "Limit cannot be negative"),
            ("offset", "x", "Offset not valid: x: invalid digit found in string"),
            ("limit", "", "Limit not valid: : cannot parse integer from empty string"),
        ] {
            let error = ListQuery::parse([(name, value)]).unwrap_err();
            assert_eq!((error.code, error.messages), (406, vec![text.to_owned()]));
        }
    }

    #[test]
    fn functions() {
        for (text, value, want) in [
            ("b", "b", true),
            ("Eq(b)", "c", false),
            ("Ne(b)", "c", true),
            ("Lt(b)", "a", true),
            ("Lt(b)", "b", false),
            ("Lte(b)", "b", true),
            ("Gt(b)", "c", true),
            ("Gte(b)", "a", false),
            ("Between(b,d)", "b", true),
            ("Between(b,d)", "e", false),
            ("Except(b,d)", "e", true),
            ("Except(b,d)", "c", false),
            ("In(a,b)", "b", true),
            ("Nin(a,b)", "b", false),
            ("Re(^b+$)", "bb", true),
            ("Re(^b+$)", "ab", false),
            ("Odd(x)", "Odd(x)", true),
        ] {
            let def = IndexDef::new("I", IndexType::Text, "R");
            let test = index_test(&def, text).unwrap();
            assert_eq!(index_holds(&test, &IndexValue::Text(value.into())), want, "{text} {value}");
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (kind, flags, text) in [
            (IndexType::Text, "", "Re(a)"),
            (IndexType::Text, "R", "Re(()"),
            (IndexType::Text, "R", "Between(a)"),
            (IndexType::List, "N", "Lt(a)"),
            (IndexType::Bool, "N", "maybe"),
        ] {
            assert!(index_test(&IndexDef::new("I", kind, flags), text).is_err(), "{text}");
        }
        let giant = format!("Re({})", "a{1000}{1000}");
        assert!(index_test(&IndexDef::new("I", IndexType::Text, "R"), &giant).is_err());
    }

    #[test]
    fn query_text_takes_the_type_of_the_param() {
        assert_eq!(coerce(&json!({"type": "string"}), "3"), json!("3"));
        assert_eq!(coerce(&json!({"type": "integer"}), "3"), json!(3));
        assert_eq!(coerce(&json!(null), "x"), json!("x"));
    }

    proptest::proptest! {
        #[test]
        fn no_filter_is_too_odd(text in ".{0,60}") {
            let _ = Call::parse(&text);
            for kind in [IndexType::Text, IndexType::Ip, IndexType::Time, IndexType::Bool, IndexType::List] {
                let def = IndexDef::new("I", kind, "R");
                if let Ok(test) = index_test(&def, &text) {
                    index_holds(&test, &def.value("k", &serde_json::Map::new()));
                }
            }
        }
    }
}
