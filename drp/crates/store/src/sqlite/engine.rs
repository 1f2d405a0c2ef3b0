//! What the writer thread does with a group of batches: one transaction, one flush.

use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, params};

use super::fault::Faults;
use crate::batch::{IndexEntry, Op};
use crate::commit::{Committed, Revision};
use crate::error::{Result, StoreError};
use crate::lock::Lock;
use crate::memory::check;
use crate::writer::Engine;

/// The writer's connection.
pub(crate) struct SqliteEngine {
    // Fields are dropped in this order: the database is closed before the lock is given up.
    db: Connection,
    faults: Faults,
    revision: Revision,
    _lock: Arc<Lock>,
}

impl SqliteEngine {
    pub(crate) fn new(db: Connection, faults: Faults, revision: Revision, lock: Arc<Lock>) -> SqliteEngine {
        SqliteEngine { db, faults, revision, _lock: lock }
    }

    /// One transaction. The inner results are those of batches that were refused or committed; the outer error says
    /// that the transaction as a whole could not be written, and nothing was.
    fn transact(&mut self, group: &[&[Op]]) -> Result<Vec<Result<Committed>>> {
        self.run("BEGIN IMMEDIATE")?;
        let outcome = self.fill(group).and_then(|(outcomes, revision)| {
            if revision != self.revision {
                self.keep_revision(revision)?;
            }
            self.run("COMMIT")?;
            self.revision = revision;
            Ok(outcomes)
        });
        // Some errors (disk full, I/O) end the transaction by themselves, others leave it open.
        if outcome.is_err() && !self.db.is_autocommit() {
            self.run("ROLLBACK")?;
        }
        outcome
    }

    fn fill(&self, group: &[&[Op]]) -> Result<(Vec<Result<Committed>>, Revision)> {
        let mut revision = self.revision;
        let mut outcomes = Vec::with_capacity(group.len());
        for ops in group {
            match self.apply(ops, revision + 1) {
                Ok(committed) => {
                    revision = committed.revision;
                    outcomes.push(Ok(committed));
                }
                Err(refused @ (StoreError::Conflict { .. } | StoreError::Duplicate { .. })) => {
                    outcomes.push(Err(refused));
                }
                Err(error) => return Err(error),
            }
        }
        Ok((outcomes, revision))
    }

    fn apply(&self, ops: &[Op], revision: Revision) -> Result<Committed> {
        // An operation is checked before it writes, so a batch of one has nothing to take back.
        if ops.len() < 2 {
            return self.apply_all(ops, revision);
        }
        self.run("SAVEPOINT batch")?;
        let outcome = self.apply_all(ops, revision);
        if outcome.is_err() && !self.db.is_autocommit() {
            self.run("ROLLBACK TO batch")?;
        }
        if !self.db.is_autocommit() {
            self.run("RELEASE batch")?;
        }
        outcome
    }

    fn apply_all(&self, ops: &[Op], revision: Revision) -> Result<Committed> {
        let previous = ops.iter().map(|op| self.apply_one(op, revision)).collect::<Result<_>>()?;
        Ok(Committed { revision, previous })
    }

    /// Applies an operation and gives the revision of what was there before.
    fn apply_one(&self, op: &Op, revision: Revision) -> Result<Option<Revision>> {
        let found = self.lookup(op.space(), op.key()).map_err(self.faults.of("read"))?;
        let before = found.map(|(_, revision)| revision);
        check(op, before)?;
        match op {
            Op::Put { space, key, value, indexes, .. } => {
                let id = found.map(|(id, _)| id);
                for entry in indexes.iter().filter(|entry| entry.unique) {
                    self.check_unique(space, key, entry, id)?;
                }
                self.write(space, key, id, revision, value, indexes).map_err(self.faults.of("write"))?;
            }
            Op::Delete { .. } => {
                if let Some((id, _)) = found {
                    self.delete(id).map_err(self.faults.of("delete"))?;
                }
            }
        }
        Ok(before)
    }

    fn lookup(&self, space: &str, key: &str) -> rusqlite::Result<Option<(i64, Revision)>> {
        let sql = "SELECT id, revision FROM objects WHERE space = ?1 AND key = ?2";
        let mut statement = self.db.prepare_cached(sql)?;
        let found = statement
            .query_row(params![space, key], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())));
        found.optional()
    }

    fn check_unique(&self, space: &str, key: &str, entry: &IndexEntry, id: Option<i64>) -> Result<()> {
        let find = || -> rusqlite::Result<Option<String>> {
            let sql = "SELECT o.key FROM entries e JOIN objects o ON o.id = e.object \
                       WHERE e.space = ?1 AND e.name = ?2 AND e.value = ?3 AND e.sole AND e.object IS NOT ?4 \
                       ORDER BY o.key LIMIT 1";
            let mut statement = self.db.prepare_cached(sql)?;
            statement.query_row(params![space, entry.name, entry.value, id], |row| row.get(0)).optional()
        };
        match find().map_err(self.faults.of("check"))? {
            None => Ok(()),
            Some(holder) => Err(StoreError::Duplicate {
                space: space.to_owned(),
                key: key.to_owned(),
                index: entry.name.clone(),
                value: entry.value.clone(),
                holder,
            }),
        }
    }

    fn write(
        &self,
        space: &str,
        key: &str,
        id: Option<i64>,
        revision: Revision,
        value: &[u8],
        indexes: &[IndexEntry],
    ) -> rusqlite::Result<()> {
        let number = revision.cast_signed();
        let (id, before) = match id {
            Some(id) => {
                let sql = "UPDATE objects SET revision = ?2, value = ?3 WHERE id = ?1";
                self.db.prepare_cached(sql)?.execute(params![id, number, value])?;
                (id, self.entries(id)?)
            }
            None => {
                let sql = "INSERT INTO objects (space, key, revision, value) VALUES (?1, ?2, ?3, ?4)";
                self.db.prepare_cached(sql)?.execute(params![space, key, number, value])?;
                (self.db.last_insert_rowid(), Vec::new())
            }
        };
        // Most updates change no index entry: write only the difference.
        for gone in before.iter().filter(|entry| !indexes.contains(entry)) {
            let sql = "DELETE FROM entries WHERE space = ?1 AND name = ?2 AND value = ?3 AND object = ?4";
            self.db.prepare_cached(sql)?.execute(params![space, gone.name, gone.value, id])?;
        }
        for new in indexes.iter().filter(|entry| !before.contains(entry)) {
            let sql = "INSERT INTO entries (space, name, value, object, sole) VALUES (?1, ?2, ?3, ?4, ?5)";
            self.db.prepare_cached(sql)?.execute(params![space, new.name, new.value, id, new.unique])?;
        }
        Ok(())
    }

    fn entries(&self, id: i64) -> rusqlite::Result<Vec<IndexEntry>> {
        let mut statement =
            self.db.prepare_cached("SELECT name, value, sole FROM entries WHERE object = ?1")?;
        let entries = statement.query_map(params![id], |row| {
            Ok(IndexEntry { name: row.get(0)?, value: row.get(1)?, unique: row.get(2)? })
        })?;
        entries.collect()
    }

    fn delete(&self, id: i64) -> rusqlite::Result<()> {
        self.db.prepare_cached("DELETE FROM entries WHERE object = ?1")?.execute(params![id])?;
        self.db.prepare_cached("DELETE FROM objects WHERE id = ?1")?.execute(params![id])?;
        Ok(())
    }

    fn keep_revision(&self, revision: Revision) -> Result<()> {
        let keep = || -> rusqlite::Result<usize> {
            let sql = "UPDATE state SET revision = ?1 WHERE one = 1";
            self.db.prepare_cached(sql)?.execute(params![revision.cast_signed()])
        };
        keep().map(drop).map_err(self.faults.of("write"))
    }

    fn run(&self, sql: &'static str) -> Result<()> {
        let run = || self.db.prepare_cached(sql)?.execute([]);
        run().map(drop).map_err(self.faults.of("write"))
    }
}

impl Engine for SqliteEngine {
    fn commit(&mut self, group: &[&[Op]]) -> Vec<Result<Committed>> {
        match self.transact(group) {
            Ok(outcomes) => outcomes,
            // What did not fit may be the fault of one large batch: let each stand for itself.
            Err(_) if group.len() > 1 => group.iter().map(|ops| self.alone(ops)).collect(),
            Err(error) => vec![Err(error)],
        }
    }
}

impl SqliteEngine {
    fn alone(&mut self, ops: &[Op]) -> Result<Committed> {
        // One batch in, one answer out.
        self.transact(&[ops])?.pop().unwrap_or(Err(StoreError::Closed))
    }
}
