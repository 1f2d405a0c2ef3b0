//! All objects in memory: what reads answer from.

use crate::{
    LayerKind,
    codec::{Spans, encode, member},
    index::IndexValue,
    kind::{Fetched, Kind},
    ordered::Ordered,
};
use bytes::Bytes;
use drp_protocol::JsonMap;
use serde_json::Value;
use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

mod under;

/// One object: its text, never a tree, so that ten thousand of them stay small.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) key: Arc<str>,
    pub(crate) json: Bytes,
    pub(crate) spans: Spans,
    pub(crate) revision: u64,
    /// Values in the order of the kind's index table.
    pub(crate) index: Box<[IndexValue]>,
    /// The read-only layer it comes from.
    pub(crate) layer: Option<Arc<str>>,
}

impl Row {
    pub(crate) fn new(kind: &Kind, key: &str, object: &JsonMap, layer: Option<Arc<str>>) -> Self {
        let (json, spans) = encode(object);
        let index = kind.indexes.iter().map(|def| def.value(key, object)).collect();
        Self { key: key.into(), json, spans, revision: 0, index, layer }
    }

    pub(crate) fn map(&self) -> JsonMap {
        serde_json::from_slice(&self.json).unwrap_or_default()
    }

    /// The object's own params, sealed as stored.
    pub(crate) fn params(&self) -> JsonMap {
        serde_json::from_slice(self.spans.params.of(&self.json)).unwrap_or_default()
    }

    pub(crate) fn meta(&self) -> JsonMap {
        serde_json::from_slice(self.spans.meta.of(&self.json)).unwrap_or_default()
    }

    /// One of the object's own params, sealed as stored.
    pub(crate) fn param(&self, kind: &Kind, name: &str) -> Option<Value> {
        // The names are in an index: most objects lack most params, and need no parsing to say so.
        if let Some(IndexValue::List(names)) = kind.index("Params").and_then(|at| self.index.get(at))
            && !names.iter().any(|n| **n == *name)
        {
            return None;
        }
        member(self.spans.params.of(&self.json), name)
    }

    pub(crate) fn fetched(&self) -> Fetched {
        Fetched { key: self.key.to_string(), revision: self.revision, json: self.json.clone() }
    }
}

/// An object of a content layer; it shows when no layer above has the key.
struct Under {
    rank: (LayerKind, Arc<str>),
    row: Arc<Row>,
}

pub(crate) struct Data {
    /// What is seen: the writable object, else the one of the highest layer.
    pub(crate) rows: BTreeMap<Arc<str>, Arc<Row>>,
    /// The values of each index in order, by position in the index table; none for internal ones.
    pub(crate) ordered: Vec<Option<Ordered>>,
    under: BTreeMap<Arc<str>, Vec<Under>>,
    /// Values of unique indexes, by position in the index table.
    unique: HashMap<(usize, String), Arc<str>>,
    /// Values that a write in flight has spoken for.
    reserved: HashMap<(usize, String), Arc<str>>,
}

/// All objects of one type.
pub(crate) struct Table {
    pub(crate) kind: Arc<Kind>,
    data: RwLock<Data>,
}

/// A unique value that is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) index: String,
    pub(crate) value: String,
    pub(crate) by: String,
}

impl Table {
    pub(crate) fn new(kind: Arc<Kind>) -> Self {
        let ordered = kind.indexes.iter().map(|def| (!def.internal).then(Ordered::default)).collect();
        let data = Data {
            rows: BTreeMap::new(),
            ordered,
            under: BTreeMap::new(),
            unique: HashMap::new(),
            reserved: HashMap::new(),
        };
        Self { kind, data: RwLock::new(data) }
    }

    /// The same objects under another definition of their type.
    pub(crate) fn redefined(&self, kind: Arc<Kind>) -> Self {
        let new = Self::new(Arc::clone(&kind));
        let rebuilt = |row: &Row| {
            let mut rebuilt = Row::new(&kind, &row.key, &row.map(), row.layer.clone());
            rebuilt.revision = row.revision;
            rebuilt
        };
        let data = self.read();
        for row in data.rows.values().filter(|row| row.layer.is_none()) {
            new.put(Arc::new(rebuilt(row)));
        }
        for under in data.under.values().flatten() {
            new.put_under(under.rank.0, Arc::new(rebuilt(&under.row)));
        }
        drop(data);
        new
    }

    /// For short looks: writers wait meanwhile.
    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Data> {
        self.data.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Data> {
        self.data.write().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn get(&self, key: &str) -> Option<Arc<Row>> {
        self.read().rows.get(key).cloned()
    }

    pub(crate) fn contains(&self, key: &str) -> bool {
        self.read().rows.contains_key(key)
    }

    pub(crate) fn len(&self) -> usize {
        self.read().rows.len()
    }

    /// The object that `id` names: its key, or `UniqueIndex:value` (wire-protocol §3.4).
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Row>> {
        let data = self.read();
        if let Some(row) = data.rows.get(id) {
            return Some(Arc::clone(row));
        }
        if let Some((index, value)) = id.split_once(':')
            && let Some(at) = self.kind.shown_index(index)
            && self.kind.indexes[at].unique
        {
            let value = self.kind.indexes[at].parse(value).ok()?.unique_text()?;
            let key = data.unique.get(&(at, value))?;
            return data.rows.get(key).cloned();
        }
        // Leases and reservations also go by their address.
        if self.kind.key_of == crate::kind::KeyOf::Ipv4Hex
            && let Ok(ip) = id.parse::<std::net::Ipv4Addr>()
        {
            return data.rows.get(format!("{:08X}", u32::from(ip)).as_str()).cloned();
        }
        // UUIDs are stored in lower case.
        let lower = id.to_ascii_lowercase();
        if lower != id && self.kind.key_of == crate::kind::KeyOf::Uuid {
            data.rows.get(&*lower).cloned()
        } else {
            None
        }
    }

    /// All objects in key order.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Row>> {
        self.read().rows.values().cloned().collect()
    }

    /// The layers below the writable one that have the key.
    pub(crate) fn layers_with(&self, key: &str) -> Vec<(LayerKind, Arc<str>)> {
        self.read()
            .under
            .get(key)
            .map(|list| list.iter().map(|u| u.rank.clone()).collect())
            .unwrap_or_default()
    }

    /// The keys of a content layer.
    pub(crate) fn layer_keys(&self, layer: &str) -> Vec<Arc<str>> {
        let data = self.read();
        let has = |list: &Vec<Under>| list.iter().any(|u| *u.rank.1 == *layer);
        data.under.iter().filter(|(_, list)| has(list)).map(|(key, _)| Arc::clone(key)).collect()
    }

    /// Speaks for the unique values of an object until the reservation is dropped.
    pub(crate) fn reserve(self: &Arc<Self>, row: &Row) -> Result<Reservation, Taken> {
        let mut data = self.write();
        let mut entries = Vec::new();
        for (at, def) in self.kind.indexes.iter().enumerate().filter(|(_, def)| def.unique) {
            let Some(value) = row.index.get(at).and_then(IndexValue::unique_text) else { continue };
            let entry = (at, value);
            for taken in [data.unique.get(&entry), data.reserved.get(&entry)] {
                if let Some(other) = taken.filter(|other| ***other != *row.key) {
                    let by = other.to_string();
                    return Err(Taken { index: def.name.clone(), value: entry.1, by });
                }
            }
            entries.push(entry);
        }
        for entry in &entries {
            data.reserved.insert(entry.clone(), Arc::clone(&row.key));
        }
        Ok(Reservation { table: Arc::clone(self), entries })
    }

    /// Stores a writable object.
    pub(crate) fn put(&self, row: Arc<Row>) {
        self.write().show(&self.kind, row);
    }

    /// Removes a writable object; one of a layer below may show again.
    pub(crate) fn remove(&self, key: &str) {
        let mut data = self.write();
        data.hide(&self.kind, key);
        data.refresh(&self.kind, key);
    }

    /// Adds an object of a content layer.
    pub(crate) fn put_under(&self, kind: LayerKind, row: Arc<Row>) {
        let Some(name) = row.layer.clone() else { return };
        let mut data = self.write();
        let rank = (kind, name);
        let list = data.under.entry(Arc::clone(&row.key)).or_default();
        list.retain(|u| u.rank.1 != rank.1);
        let at = list.iter().position(|u| u.rank > rank).unwrap_or(list.len());
        list.insert(at, Under { rank, row: Arc::clone(&row) });
        let key = Arc::clone(&row.key);
        data.refresh(&self.kind, &key);
    }

    /// Puts another form of an object of a content layer in its place.
    pub(crate) fn replace_under(&self, row: Arc<Row>) {
        let mut data = self.write();
        let place =
            data.under.get_mut(&row.key).and_then(|l| l.iter_mut().find(|u| u.row.layer == row.layer));
        let Some(place) = place else { return };
        place.row = Arc::clone(&row);
        data.refresh(&self.kind, &row.key);
    }

    /// Removes all objects of a content layer and gives their keys.
    pub(crate) fn remove_layer(&self, layer: &str) -> Vec<Arc<str>> {
        let mut data = self.write();
        let mut keys = Vec::new();
        data.under.retain(|key, list| {
            let before = list.len();
            list.retain(|u| *u.rank.1 != *layer);
            if list.len() != before {
                keys.push(Arc::clone(key));
            }
            !list.is_empty()
        });
        for key in &keys {
            data.refresh(&self.kind, key);
        }
        keys
    }
}

impl Data {
    fn show(&mut self, kind: &Kind, row: Arc<Row>) {
        let old = self.rows.insert(Arc::clone(&row.key), Arc::clone(&row));
        self.note(kind, old.as_deref(), Some(&row));
    }

    fn hide(&mut self, kind: &Kind, key: &str) {
        if let Some(old) = self.rows.remove(key) {
            self.note(kind, Some(&old), None);
        }
    }

    /// Brings the indexes from an object's old values to its new ones; most changes touch none of them.
    fn note(&mut self, kind: &Kind, old: Option<&Row>, new: Option<&Row>) {
        for (at, def) in kind.indexes.iter().enumerate() {
            let value = |row: Option<&Row>| {
                row.and_then(|row| Some((row.index.get(at)?.clone(), Arc::clone(&row.key))))
            };
            if old.and_then(|row| row.index.get(at)) == new.and_then(|row| row.index.get(at)) {
                continue;
            }
            let (old, new) = (value(old), value(new));
            if let Some(Some(ordered)) = self.ordered.get_mut(at) {
                ordered.moved(old.as_ref(), new.as_ref());
            }
            if !def.unique {
                continue;
            }
            if let Some((value, key)) = old
                && let Some(text) = value.unique_text()
                && self.unique.get(&(at, text.clone())).is_some_and(|by| *by == key)
            {
                self.unique.remove(&(at, text));
            }
            if let Some((value, key)) = new
                && let Some(text) = value.unique_text()
            {
                self.unique.insert((at, text), key);
            }
        }
    }

    /// Lets the object of the highest layer show unless there is a writable one.
    fn refresh(&mut self, kind: &Kind, key: &str) {
        if self.rows.get(key).is_some_and(|row| row.layer.is_none()) {
            return;
        }
        match self.under.get(key).and_then(|list| list.first()) {
            Some(under) => {
                let row = Arc::clone(&under.row);
                self.show(kind, row);
            }
            None => self.hide(kind, key),
        }
    }
}

/// Unique values spoken for by a write in flight; free again when dropped.
pub(crate) struct Reservation {
    table: Arc<Table>,
    entries: Vec<(usize, String)>,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut data = self.table.write();
        for entry in &self.entries {
            data.reserved.remove(entry);
        }
    }
}
