//! Lists and views (wire-protocol §3.5).

use crate::{
    Fetched, ListQuery, Objects, Principal, Result,
    codec::encode,
    fault::Fault,
    index::IndexValue,
    lookup::Lookup,
    memory::{Row, Table},
    query::{Call, Test, coerce, index_holds, index_test, json_order, not_acceptable},
};
use bytes::Bytes;
use serde_json::Value;
use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

/// The answer to a list query.
#[derive(Debug, Clone, Default)]
pub struct Listing {
    /// `X-DRP-LIST-TOTAL-COUNT`: objects the principal can see.
    pub total: usize,
    /// `X-DRP-LIST-FILTER-COUNT`: objects that matched, before offset and limit.
    pub filtered: usize,
    /// `X-DRP-LIST-COUNT`: objects returned.
    pub count: usize,
    /// The JSON list; empty when the query asked for counts only.
    pub json: Vec<u8>,
}

/// What one key of the query string filters by. Filters of one key are alternatives.
enum Filter {
    Index(usize, Vec<Test<IndexValue>>),
    Meta(String, Vec<Test<Value>>),
    Param(String, Vec<Test<Value>>),
}

impl Filter {
    fn all(
        table: &Table,
        lookup_schema: impl Fn(&str) -> Option<Value>,
        query: &ListQuery,
    ) -> Result<Vec<Self>, Fault> {
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, text) in &query.filters {
            by_name.entry(name).or_default().push(text);
        }
        let mut filters = Vec::new();
        for (name, texts) in by_name {
            if let Some(at) = table.kind.index(name) {
                let def = &table.kind.indexes[at];
                let tests = texts.into_iter().map(|t| index_test(def, t)).collect::<Result<_, _>>()?;
                filters.push(Self::Index(at, tests));
            } else if let Some(key) = name.strip_prefix("Meta.") {
                let typed = |t| Test::typed(Call::parse(t)?, |a| Ok(Value::String(a.to_owned())));
                filters.push(Self::Meta(
                    key.to_owned(),
                    texts.into_iter().map(typed).collect::<Result<_, _>>()?,
                ));
            } else if let Some(schema) = lookup_schema(name).filter(|_| table.kind.has_params) {
                let typed = |t| Test::typed(Call::parse(t)?, |a| Ok(coerce(&schema, a)));
                filters.push(Self::Param(
                    name.to_owned(),
                    texts.into_iter().map(typed).collect::<Result<_, _>>()?,
                ));
            } else {
                return Err(not_acceptable(format!("Filter not found: {name}")));
            }
        }
        // Cheap ones first.
        filters.sort_by_key(|f| match f {
            Self::Index(..) => 0,
            Self::Meta(..) => 1,
            Self::Param(..) => 2,
        });
        Ok(filters)
    }

    fn passes(&self, lookup: &Lookup<'_>, prefix: &str, row: &Row) -> bool {
        let any = |tests: &[Test<Value>], value: &Value| {
            tests.iter().any(|test| {
                test.holds(
                    |other| json_order(value, other),
                    || Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned)),
                )
            })
        };
        match self {
            Self::Index(at, tests) => {
                row.index.get(*at).is_some_and(|v| tests.iter().any(|t| index_holds(t, v)))
            }
            Self::Meta(key, tests) => any(tests, row.meta().get(key).unwrap_or(&Value::Null)),
            // Sealed values stay sealed: nobody may guess a secret by filtering.
            Self::Param(name, tests) => {
                lookup.one(prefix, row, name, true, false).ok().flatten().is_some_and(|v| any(tests, &v))
            }
        }
    }
}

impl Objects {
    /// One object with the view controls of a query: `decode`, `slim`, `params`, `aggregate`.
    ///
    /// # Errors
    /// 404 `GET` `Not Found`; 409 when a sealed value cannot be opened.
    pub fn view(&self, prefix: &str, id: &str, query: &ListQuery) -> Result<Fetched> {
        let (table, row) = self.found(prefix, id, "GET")?;
        if query.plain() {
            return Ok(row.fetched());
        }
        let json = render(&Lookup::new(&self.inner.state), &table, &row, query)?;
        Ok(Fetched { json: Bytes::from(json.into_owned()), ..row.fetched() })
    }

    /// A filtered list of what the principal may see (wire-protocol §3.5).
    ///
    /// # Errors
    /// 404 for an unknown prefix, 406 for a filter, sort or bound that makes no sense.
    pub fn list(&self, who: &Principal, prefix: &str, query: &ListQuery) -> Result<Listing> {
        let table = self.table(prefix)?;
        let state = &self.inner.state;
        let schema = |name: &str| state.param(name).map(|def| def.schema.clone());
        let filters = Filter::all(&table, schema, query)?;
        let mut sort = Vec::new();
        for name in &query.sort {
            match table.kind.index(name).filter(|at| !table.kind.indexes[*at].unordered) {
                Some(at) => sort.push(at),
                None => return Err(not_acceptable(format!("Not sortable: {name}")).into()),
            }
        }
        let mut rows = table.snapshot();
        if !who.claims.allow_all(prefix, "list") {
            rows.retain(|row| {
                who.claims.allow(prefix, "list", &row.key) || who.claims.allow(prefix, "get", &row.key)
            });
        }
        let lookup = Lookup::new(state);
        let mut listing = Listing { total: rows.len(), ..Listing::default() };
        if !filters.is_empty() {
            rows.retain(|row| filters.iter().all(|f| f.passes(&lookup, prefix, row)));
        }
        listing.filtered = rows.len();
        if !sort.is_empty() {
            rows.sort_by(|a, b| {
                sort.iter()
                    .map(|at| a.index.get(*at).cmp(&b.index.get(*at)))
                    .find(|o| o.is_ne())
                    .unwrap_or(a.key.cmp(&b.key))
            });
        }
        if query.reverse {
            rows.reverse();
        }
        let page: Vec<Arc<Row>> =
            rows.into_iter().skip(query.offset).take(query.limit.unwrap_or(usize::MAX)).collect();
        listing.count = page.len();
        if query.head {
            return Ok(listing);
        }
        let mut json = Vec::with_capacity(2 + page.iter().map(|row| row.json.len() + 1).sum::<usize>());
        json.push(b'[');
        for (i, row) in page.iter().enumerate() {
            if i > 0 {
                json.push(b',');
            }
            json.extend_from_slice(&render(&lookup, &table, row, query)?);
        }
        json.push(b']');
        listing.json = json;
        Ok(listing)
    }
}

/// The text of an object under a query's view controls. Only the parts that change are looked at.
fn render<'a>(
    lookup: &Lookup<'_>,
    table: &Table,
    row: &'a Row,
    query: &ListQuery,
) -> Result<Cow<'a, [u8]>, Fault> {
    let slim = |field: &str| query.slim.iter().any(|s| s == field);
    let spans = row.spans;
    let mut edits: Vec<(crate::codec::Span, Cow<'static, [u8]>)> = Vec::new();
    if slim("Meta") && !spans.meta.is_empty() {
        edits.push((spans.meta, Cow::Borrowed(b"{}")));
    }
    if table.kind.has_params && !spans.params.is_empty() {
        if slim("Params") {
            edits.push((spans.params, Cow::Borrowed(b"{}")));
        } else if query.decode || query.aggregate || !query.params.is_empty() {
            let params = lookup.all(&table.kind.prefix, row, query.aggregate, query.decode, &query.params)?;
            edits.push((spans.params, Cow::Owned(encode(&params).0.to_vec())));
        }
    }
    if !spans.partial.is_empty() && (!query.slim.is_empty() || !query.params.is_empty()) {
        edits.push((spans.partial, Cow::Borrowed(b"true")));
    }
    if edits.is_empty() {
        return Ok(Cow::Borrowed(&row.json));
    }
    edits.sort_by_key(|(span, _)| span.start());
    let mut out = Vec::with_capacity(row.json.len());
    let mut from = 0;
    for (span, text) in edits {
        out.extend_from_slice(row.json.get(from..span.start()).unwrap_or_default());
        out.extend_from_slice(&text);
        from = span.end();
    }
    out.extend_from_slice(row.json.get(from..).unwrap_or_default());
    Ok(Cow::Owned(out))
}
