//! Lists and views (wire-protocol §3.5).

use crate::{
    Fetched, ListQuery, Objects, Principal, Result,
    codec::encode,
    fault::Fault,
    filter::Filters,
    lookup::{How, Lookup},
    memory::{Row, Table},
    order::Order,
};
use bytes::Bytes;
use std::borrow::Cow;

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
        let filters = Filters::parse(&table.kind, state, query)?;
        let order = Order::parse(&table.kind, query)?;
        let lookup = Lookup::new(state);
        let sees = |row: &Row| {
            let key = match prefix {
                "jobs" => Cow::Owned(crate::auth::claim_key(prefix, row)),
                _ => Cow::Borrowed(&*row.key),
            };
            who.claims.allow(prefix, "list", &key) || who.claims.allow(prefix, "get", &key)
        };
        let all = who.claims.allow_all(prefix, "list");
        let (total, matched) = match (all, filters.is_empty()) {
            (true, true) => {
                let total = table.len();
                if query.head {
                    return Ok(Listing {
                        total,
                        filtered: total,
                        count: order.count(total),
                        json: Vec::new(),
                    });
                }
                (total, None)
            }
            (true, false) => (table.len(), Some(filters.matching(&table, &lookup))),
            (false, _) => {
                let mut rows = table.snapshot();
                rows.retain(|row| sees(row));
                let total = rows.len();
                filters.keep(&mut rows, &table, &lookup);
                (total, Some(rows))
            }
        };
        let (filtered, page) = match matched {
            Some(rows) => (rows.len(), order.page(rows)),
            None => order.page_of_all(&table),
        };
        let mut listing =
            Listing { total: total.max(filtered), filtered, count: page.len(), json: Vec::new() };
        if query.head {
            return Ok(listing);
        }
        let mut json = Vec::with_capacity(2 + page.iter().map(|row| row.json.len() + 1).sum::<usize>());
        json.push(b'[');
        for (i, row) in page.iter().enumerate() {
            if i > 0 {
                json.push(b',');
            }
            match render(&lookup, &table, row, query) {
                Ok(text) => json.extend_from_slice(&text),
                // One value that does not open is no reason to show nobody anything: its object comes sealed.
                Err(fault) => {
                    tracing::warn!(object = %row.key, prefix, %fault, "a sealed value does not open");
                    let sealed = ListQuery { decode: false, ..query.clone() };
                    json.extend_from_slice(&render(&lookup, &table, row, &sealed)?);
                }
            }
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
        } else if query.decode || query.aggregate || query.compose || !query.params.is_empty() {
            let how = How { aggregate: query.aggregate, decode: query.decode, compose: query.compose };
            let params = lookup.get_all(&table.kind.prefix, row, how, &query.params)?;
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
