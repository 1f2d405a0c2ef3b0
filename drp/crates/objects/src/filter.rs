//! The filters of a list query against the objects of a type (wire-protocol §3.5).

use crate::{
    ListQuery,
    codec::member,
    fault::Fault,
    index::IndexValue,
    kind::Kind,
    lookup::Lookup,
    memory::{Row, Table},
    query::{Call, Test, coerce, index_holds, index_test, json_holds, not_acceptable},
    state::State,
};
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};

/// What one key of the query string filters by. Filters of one key are alternatives.
enum Filter {
    Index(usize, Vec<Test<IndexValue>>),
    Meta(String, Vec<Test<Value>>),
    Param(String, Vec<Test<Value>>),
}

/// All filters of a query: an object must pass every one.
pub(crate) struct Filters(Vec<Filter>);

impl Filters {
    /// Gives the filters of a query their meaning.
    ///
    /// # Errors
    /// 406 `Filter not found: X`, or what makes no sense about one.
    pub(crate) fn parse(kind: &Kind, state: &State, query: &ListQuery) -> Result<Self, Fault> {
        let mut by_name: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (name, text) in &query.filters {
            by_name.entry(name).or_default().push(text);
        }
        let mut filters = Vec::new();
        for (name, texts) in by_name {
            filters.push(if let Some(at) = kind.shown_index(name) {
                let def = &kind.indexes[at];
                let tests = texts.into_iter().map(|text| index_test(def, text));
                Filter::Index(at, tests.collect::<Result<_, _>>()?)
            } else if let Some(key) = name.strip_prefix("Meta.") {
                let tests = texts
                    .into_iter()
                    .map(|text| Test::typed(Call::parse(text)?, |arg| Ok(Value::String(arg.to_owned()))));
                Filter::Meta(key.to_owned(), tests.collect::<Result<_, _>>()?)
            } else if let Some(param) = state.param(name).filter(|_| kind.has_params) {
                let tests = texts
                    .into_iter()
                    .map(|text| Test::typed(Call::parse(text)?, |arg| Ok(coerce(&param.schema, arg))));
                Filter::Param(name.to_owned(), tests.collect::<Result<_, _>>()?)
            } else {
                return Err(not_acceptable(format!("Filter not found: {name}")));
            });
        }
        // Cheap ones first.
        filters.sort_by_key(|filter| match filter {
            Filter::Index(..) => 0,
            Filter::Meta(..) => 1,
            Filter::Param(..) => 2,
        });
        Ok(Self(filters))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The objects of a table that pass, in key order. What indexes can tell is looked at under the table's lock, what
    /// needs the objects' text after it.
    pub(crate) fn matching(&self, table: &Table, lookup: &Lookup<'_>) -> Vec<Arc<Row>> {
        let data = table.read();
        // An index that names few objects is asked first. Finding an object by its key costs several looks at one.
        let few = self.0.iter().find_map(|filter| match filter {
            Filter::Index(at, tests) => {
                let ordered = data.ordered.get(*at)?.as_ref()?;
                ordered.passing(tests, data.rows.len() / 4 + 16)
            }
            _ => None,
        });
        let passes = |row: &Row| self.0.iter().all(|filter| filter.passes_by_index(row));
        let mut rows: Vec<Arc<Row>> = match few {
            Some(keys) => {
                let rows = keys.iter().filter_map(|key| data.rows.get(key));
                rows.filter(|row| passes(row)).cloned().collect()
            }
            None => data.rows.values().filter(|row| passes(row)).cloned().collect(),
        };
        drop(data);
        rows.retain(|row| self.0.iter().all(|filter| filter.passes_by_text(&table.kind.prefix, lookup, row)));
        rows
    }

    /// Leaves the objects that pass.
    pub(crate) fn keep(&self, rows: &mut Vec<Arc<Row>>, table: &Table, lookup: &Lookup<'_>) {
        if !self.is_empty() {
            rows.retain(|row| {
                self.0.iter().all(|filter| {
                    filter.passes_by_index(row) && filter.passes_by_text(&table.kind.prefix, lookup, row)
                })
            });
        }
    }
}

impl Filter {
    /// Whether an object passes, as far as its index values say.
    fn passes_by_index(&self, row: &Row) -> bool {
        match self {
            Self::Index(at, tests) => {
                row.index.get(*at).is_some_and(|value| tests.iter().any(|test| index_holds(test, value)))
            }
            Self::Meta(..) | Self::Param(..) => true,
        }
    }

    /// Whether an object passes, as far as its text, and what it inherits from, say.
    fn passes_by_text(&self, prefix: &str, lookup: &Lookup<'_>, row: &Row) -> bool {
        let any = |tests: &[Test<Value>], value: Option<Value>| {
            tests.iter().any(|test| json_holds(test, value.as_ref()))
        };
        match self {
            Self::Index(..) => true,
            Self::Meta(key, tests) => any(tests, member(row.spans.meta.of(&row.json), key)),
            // Sealed values stay sealed: nobody may guess a secret by filtering.
            Self::Param(name, tests) => {
                any(tests, lookup.one(prefix, row, name, true, false).unwrap_or_default())
            }
        }
    }
}
