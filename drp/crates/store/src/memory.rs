//! The memory backend: the same answers, nothing survives the process.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use bytes::Bytes;

use crate::batch::{Batch, Expect, IndexEntry, Op};
use crate::commit::{Commit, Committed, Revision};
use crate::error::{Result, StoreError};
use crate::location::Location;
use crate::options::Options;
use crate::record::{Record, Scan};
use crate::sqlite;
use crate::stats::{BackupReport, Stats};
use crate::store::Store;
use crate::writer::{Engine, Writer};

/// A store that is kept in memory.
pub(crate) struct MemoryStore {
    spaces: Arc<RwLock<Spaces>>,
    writer: Writer,
}

/// Everything that is stored.
#[derive(Default)]
pub(crate) struct Spaces {
    pub(crate) by_name: BTreeMap<String, Space>,
    pub(crate) revision: Revision,
}

#[derive(Default)]
pub(crate) struct Space {
    pub(crate) objects: BTreeMap<String, Object>,
    /// (index, value, key): an ordered set gives the keys of a value in order.
    index: BTreeSet<(String, String, String)>,
}

#[derive(Clone)]
pub(crate) struct Object {
    pub(crate) revision: Revision,
    pub(crate) value: Bytes,
    pub(crate) indexes: Vec<IndexEntry>,
}

struct MemoryEngine(Arc<RwLock<Spaces>>);

impl MemoryStore {
    pub(crate) fn open(options: Options) -> Result<MemoryStore> {
        let spaces = Arc::new(RwLock::new(Spaces::default()));
        let writer = Writer::start(MemoryEngine(spaces.clone()), 0, options).map_err(|source| {
            StoreError::Io { action: "start the writer of", path: "memory:///".into(), source }
        })?;
        Ok(MemoryStore { spaces, writer })
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, Spaces>> {
        if self.writer.closed() {
            return Err(StoreError::Closed);
        }
        Ok(self.spaces.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Store for MemoryStore {
    fn get(&self, space: &str, key: &str) -> Result<Option<Record>> {
        let spaces = self.read()?;
        Ok(spaces.by_name.get(space).and_then(|space| space.record(key)))
    }

    fn scan(&self, space: &str, scan: &Scan) -> Result<Vec<Record>> {
        let spaces = self.read()?;
        let Some(space) = spaces.by_name.get(space) else { return Ok(Vec::new()) };
        let from = match &scan.after {
            Some(after) if *after >= scan.prefix => Bound::Excluded(after.as_str()),
            _ => Bound::Included(scan.prefix.as_str()),
        };
        let records = space.objects.range::<str, _>((from, Bound::Unbounded));
        let records = records.take_while(|(key, _)| key.starts_with(&scan.prefix)).take(scan.limit);
        Ok(records.map(|(key, object)| object.record(key)).collect())
    }

    fn find(&self, space: &str, index: &str, value: &str) -> Result<Vec<Record>> {
        let spaces = self.read()?;
        let Some(space) = spaces.by_name.get(space) else { return Ok(Vec::new()) };
        Ok(space.keys(index, value).filter_map(|key| space.record(key)).collect())
    }

    fn submit(&self, batch: Batch) -> Commit {
        self.writer.submit(batch)
    }

    fn backup(&self, to: &Path) -> Result<BackupReport> {
        sqlite::write_snapshot(&*self.read()?, to)
    }

    fn location(&self) -> &Location {
        &Location::Memory
    }

    fn stats(&self) -> Result<Stats> {
        let spaces = self.read()?;
        let counted = spaces.by_name.iter().map(|(name, space)| (name.clone(), space.objects.len() as u64));
        Ok(Stats { spaces: counted.filter(|(_, count)| *count > 0).collect(), ..self.writer.stats() })
    }

    fn revision(&self) -> Revision {
        self.writer.revision()
    }

    fn close(&self) {
        self.writer.close();
    }
}

impl Space {
    fn record(&self, key: &str) -> Option<Record> {
        self.objects.get(key).map(|object| object.record(key))
    }

    fn keys<'a>(&'a self, index: &str, value: &str) -> impl Iterator<Item = &'a str> {
        let from = (index.to_owned(), value.to_owned(), String::new());
        let entries = self.index.range(from..);
        entries.take_while(move |(i, v, _)| i == index && v == value).map(|(_, _, key)| key.as_str())
    }

    /// Puts or removes an object and gives the one that was there.
    fn replace(&mut self, key: &str, object: Option<Object>) -> Option<Object> {
        let before = self.objects.remove(key);
        for entry in before.iter().flat_map(|object| &object.indexes) {
            self.index.remove(&(entry.name.clone(), entry.value.clone(), key.to_owned()));
        }
        if let Some(object) = object {
            for entry in &object.indexes {
                self.index.insert((entry.name.clone(), entry.value.clone(), key.to_owned()));
            }
            self.objects.insert(key.to_owned(), object);
        }
        before
    }

    /// Another object that has a unique entry in the way of `entry`.
    fn holder<'a>(&'a self, key: &str, entry: &IndexEntry) -> Option<&'a str> {
        self.keys(&entry.name, &entry.value).find(|other| {
            *other != key
                && self.objects.get(*other).is_some_and(|object| {
                    object.indexes.iter().any(|e| e.unique && e.name == entry.name && e.value == entry.value)
                })
        })
    }
}

impl Object {
    fn record(&self, key: &str) -> Record {
        Record { key: key.to_owned(), revision: self.revision, value: self.value.clone() }
    }
}

impl Engine for MemoryEngine {
    fn commit(&mut self, group: &[&[Op]]) -> Vec<Result<Committed>> {
        let mut spaces = self.0.write().unwrap_or_else(PoisonError::into_inner);
        group.iter().map(|ops| spaces.apply(ops)).collect()
    }
}

impl Spaces {
    /// Applies a batch; what was changed is put back if a later operation of it fails.
    fn apply(&mut self, ops: &[Op]) -> Result<Committed> {
        let revision = self.revision + 1;
        let mut undo: Vec<(&Op, Option<Object>)> = Vec::with_capacity(ops.len());
        let mut previous = Vec::with_capacity(ops.len());
        for op in ops {
            match self.apply_one(op, revision) {
                Ok(before) => {
                    previous.push(before.as_ref().map(|object| object.revision));
                    undo.push((op, before));
                }
                Err(error) => {
                    for (op, before) in undo.into_iter().rev() {
                        self.space(op.space()).replace(op.key(), before);
                    }
                    return Err(error);
                }
            }
        }
        self.revision = revision;
        Ok(Committed { revision, previous })
    }

    fn apply_one(&mut self, op: &Op, revision: Revision) -> Result<Option<Object>> {
        let space = self.space(op.space());
        check(op, space.objects.get(op.key()).map(|object| object.revision))?;
        let Op::Put { space: name, key, value, indexes, .. } = op else {
            return Ok(space.replace(op.key(), None));
        };
        for entry in indexes.iter().filter(|entry| entry.unique) {
            if let Some(holder) = space.holder(key, entry) {
                return Err(StoreError::Duplicate {
                    space: name.clone(),
                    key: key.clone(),
                    index: entry.name.clone(),
                    value: entry.value.clone(),
                    holder: holder.to_owned(),
                });
            }
        }
        Ok(space.replace(key, Some(Object { revision, value: value.clone(), indexes: indexes.clone() })))
    }

    fn space(&mut self, name: &str) -> &mut Space {
        self.by_name.entry(name.to_owned()).or_default()
    }
}

/// Whether the expectation of an operation holds for the revision that is there.
pub(crate) fn check(op: &Op, found: Option<Revision>) -> Result<()> {
    let expected = match op.expect() {
        Expect::Any => return Ok(()),
        Expect::Absent => None,
        Expect::Revision(revision) => Some(revision),
    };
    if expected == found {
        return Ok(());
    }
    Err(StoreError::Conflict { space: op.space().to_owned(), key: op.key().to_owned(), expected, found })
}
