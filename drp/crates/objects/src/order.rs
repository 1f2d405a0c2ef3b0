//! The order and the page of a list query (wire-protocol §3.5).

use crate::{
    ListQuery,
    fault::Fault,
    kind::Kind,
    memory::{Row, Table},
    query::not_acceptable,
};
use std::{cmp::Ordering, sync::Arc};

/// Sort keys, direction and bounds of a query.
pub(crate) struct Order {
    /// Positions in the index table, most important first; the key comes last.
    sort: Vec<usize>,
    reverse: bool,
    offset: usize,
    limit: usize,
}

impl Order {
    /// # Errors
    /// 406 `Not sortable: X`.
    pub(crate) fn parse(kind: &Kind, query: &ListQuery) -> Result<Self, Fault> {
        let sortable = |name: &String| {
            let at = kind.shown_index(name).filter(|at| !kind.indexes[*at].unordered);
            at.ok_or_else(|| not_acceptable(format!("Not sortable: {name}")))
        };
        let mut sort: Vec<usize> = query.sort.iter().map(sortable).collect::<Result<_, _>>()?;
        // What comes after a unique value never decides.
        if let Some(last) = sort.iter().position(|at| kind.indexes[*at].unique) {
            sort.truncate(last + 1);
        }
        Ok(Self {
            sort,
            reverse: query.reverse,
            offset: query.offset,
            limit: query.limit.unwrap_or(usize::MAX),
        })
    }

    /// How many of so many objects the page has.
    pub(crate) fn count(&self, of: usize) -> usize {
        of.saturating_sub(self.offset).min(self.limit)
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        let by_index = self.sort.iter().map(|at| a.index.get(*at).cmp(&b.index.get(*at)));
        let order = by_index.fold(Ordering::Equal, Ordering::then).then_with(|| a.key.cmp(&b.key));
        if self.reverse { order.reverse() } else { order }
    }

    /// The page of objects that come in key order.
    pub(crate) fn page(&self, mut rows: Vec<Arc<Row>>) -> Vec<Arc<Row>> {
        let end = self.offset.saturating_add(self.limit);
        if self.sort.is_empty() {
            if self.reverse {
                rows.reverse();
            }
        } else {
            // Only the page is put in order.
            if end < rows.len() {
                rows.select_nth_unstable_by(end, |a, b| self.compare(a, b));
                rows.truncate(end);
            }
            if self.offset > 0 && self.offset < rows.len() {
                rows.select_nth_unstable_by(self.offset, |a, b| self.compare(a, b));
                rows.drain(..self.offset);
            } else if self.offset > 0 {
                rows.clear();
            }
            rows.sort_unstable_by(|a, b| self.compare(a, b));
            return rows;
        }
        rows.into_iter().skip(self.offset).take(self.limit).collect()
    }

    /// How many objects there are, and the page of them; from the index that keeps their order when one does.
    pub(crate) fn page_of_all(&self, table: &Table) -> (usize, Vec<Arc<Row>>) {
        let data = table.read();
        let total = data.rows.len();
        let page = match self.sort.as_slice() {
            [] => Some(self.cut(data.rows.values())),
            [at] => data.ordered.get(*at).and_then(Option::as_ref).map(|ordered| {
                self.cut(ordered.keys()).into_iter().filter_map(|key| data.rows.get(&key).cloned()).collect()
            }),
            _ => None,
        };
        match page {
            Some(page) => (total, page),
            None => {
                let rows = data.rows.values().cloned().collect();
                drop(data);
                (total, self.page(rows))
            }
        }
    }

    fn cut<'a, T: 'a + Clone>(&self, items: impl DoubleEndedIterator<Item = &'a T>) -> Vec<T> {
        if self.reverse {
            items.rev().skip(self.offset).take(self.limit).cloned().collect()
        } else {
            items.skip(self.offset).take(self.limit).cloned().collect()
        }
    }
}
