//! What a writer asks for: a batch of operations that is applied whole or not at all.

use std::fmt;

use bytes::Bytes;

use crate::commit::{Committed, OnCommit, Revision};

/// What must be true of an object for an operation on it to be applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Expect {
    /// Nothing: the object is created, replaced or deleted whatever is there.
    #[default]
    Any,
    /// There must be no such object.
    Absent,
    /// The object must exist with exactly this revision.
    Revision(Revision),
}

/// One value under which an object can be found with [`Store::find`](crate::Store::find).
///
/// An object may have several entries in one index. A put replaces all entries of the object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IndexEntry {
    /// Name of the index within its space, for example `Name`.
    pub name: String,
    /// The value.
    pub value: String,
    /// Whether no other object of the space may have this value in a unique entry of this index.
    pub unique: bool,
}

/// One change to one object. The operations of a batch are applied in order, each seeing the ones before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Op {
    /// Create or replace an object.
    Put {
        /// The space, for example `machines`.
        space: String,
        /// The key within the space.
        key: String,
        /// The stored bytes; the store does not look into them.
        value: Bytes,
        /// What must be there before.
        expect: Expect,
        /// All index entries of the object from now on.
        indexes: Vec<IndexEntry>,
    },
    /// Delete an object. With [`Expect::Any`] or [`Expect::Absent`], deleting what is not there succeeds.
    Delete {
        /// The space.
        space: String,
        /// The key within the space.
        key: String,
        /// What must be there before.
        expect: Expect,
    },
}

impl Op {
    /// A put without expectation and without index entries.
    pub fn put(space: impl Into<String>, key: impl Into<String>, value: impl Into<Bytes>) -> Op {
        Op::Put {
            space: space.into(),
            key: key.into(),
            value: value.into(),
            expect: Expect::Any,
            indexes: Vec::new(),
        }
    }

    /// A delete without expectation.
    pub fn delete(space: impl Into<String>, key: impl Into<String>) -> Op {
        Op::Delete { space: space.into(), key: key.into(), expect: Expect::Any }
    }

    /// The same operation, applied only if `what` holds.
    #[must_use]
    pub fn expecting(mut self, what: Expect) -> Op {
        match &mut self {
            Op::Put { expect, .. } | Op::Delete { expect, .. } => *expect = what,
        }
        self
    }

    /// The same put with one more index entry; no effect on a delete.
    #[must_use]
    pub fn index(self, name: impl Into<String>, value: impl Into<String>) -> Op {
        self.entry(IndexEntry { name: name.into(), value: value.into(), unique: false })
    }

    /// The same put with one more index entry that no other object may share; no effect on a delete.
    #[must_use]
    pub fn unique(self, name: impl Into<String>, value: impl Into<String>) -> Op {
        self.entry(IndexEntry { name: name.into(), value: value.into(), unique: true })
    }

    fn entry(mut self, entry: IndexEntry) -> Op {
        if let Op::Put { indexes, .. } = &mut self {
            indexes.push(entry);
        }
        self
    }

    /// The space of the object.
    pub fn space(&self) -> &str {
        match self {
            Op::Put { space, .. } | Op::Delete { space, .. } => space,
        }
    }

    /// The key of the object.
    pub fn key(&self) -> &str {
        match self {
            Op::Put { key, .. } | Op::Delete { key, .. } => key,
        }
    }

    /// The expectation.
    pub fn expect(&self) -> Expect {
        match self {
            Op::Put { expect, .. } | Op::Delete { expect, .. } => *expect,
        }
    }

    /// Roughly how many bytes the operation holds, for the bounds of batch and queue.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Op::Put { space, key, value, indexes, .. } => {
                let entries: usize = indexes.iter().map(|e| e.name.len() + e.value.len() + 16).sum();
                space.len() + key.len() + value.len() + entries + 64
            }
            Op::Delete { space, key, .. } => space.len() + key.len() + 64,
        }
    }
}

/// Operations that are applied together: all of them, or none.
#[derive(Default)]
pub struct Batch {
    /// The operations, applied in this order.
    pub ops: Vec<Op>,
    /// Called once on the writer thread after the batch is durable, in commit order, before the [`Commit`] resolves.
    /// Not called when the batch fails. It must be quick, may submit further batches, and must not wait for them:
    /// nothing else is written meanwhile.
    ///
    /// [`Commit`]: crate::Commit
    pub on_commit: Option<OnCommit>,
}

impl Batch {
    /// A batch without callback.
    pub fn new(ops: Vec<Op>) -> Batch {
        Batch { ops, on_commit: None }
    }

    /// The same batch with a callback, see [`Batch::on_commit`].
    #[must_use]
    pub fn then(mut self, run: impl FnOnce(&Committed) + Send + 'static) -> Batch {
        self.on_commit = Some(Box::new(run));
        self
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("ops", &self.ops).field("on_commit", &self.on_commit.is_some()).finish()
    }
}
