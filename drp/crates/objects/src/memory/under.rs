//! Objects of content layers in a table.

use super::{Row, Table, Under};
use crate::LayerKind;
use std::{collections::BTreeSet, sync::Arc};

impl Table {
    /// How many objects are writable.
    pub(crate) fn writable(&self) -> usize {
        self.read().rows.values().filter(|row| row.layer.is_none()).count()
    }

    /// The objects of a content layer in key order, also those that another layer hides.
    pub(crate) fn layer_rows(&self, layer: &str) -> Vec<Arc<Row>> {
        let data = self.read();
        let own = data.under.values().flatten().filter(|u| *u.rank.1 == *layer);
        own.map(|u| Arc::clone(&u.row)).collect()
    }

    /// The objects of all content layers.
    pub(crate) fn all_layer_rows(&self) -> Vec<Arc<Row>> {
        self.read().under.values().flatten().map(|u| Arc::clone(&u.row)).collect()
    }

    /// Puts the objects of a layer in the place of those it had, and removes writable ones, in one step: readers see
    /// all of it or nothing.
    pub(crate) fn replace_layer(
        &self,
        kind: LayerKind,
        layer: &Arc<str>,
        rows: Vec<Arc<Row>>,
        writable: &[&str],
    ) {
        let mut data = self.write();
        let mut touched: BTreeSet<Arc<str>> = BTreeSet::new();
        data.under.retain(|key, list| {
            let before = list.len();
            list.retain(|u| *u.rank.1 != **layer);
            if list.len() != before {
                touched.insert(Arc::clone(key));
            }
            !list.is_empty()
        });
        for key in writable {
            data.hide(&self.kind, key);
        }
        for row in rows {
            let rank = (kind, Arc::clone(layer));
            let list = data.under.entry(Arc::clone(&row.key)).or_default();
            let at = list.iter().position(|u| u.rank > rank).unwrap_or(list.len());
            touched.insert(Arc::clone(&row.key));
            list.insert(at, Under { rank, row });
        }
        for key in &touched {
            data.refresh(&self.kind, key);
        }
    }
}
