//! Connections for reading: a few, made when needed and kept.

use std::path::PathBuf;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use rusqlite::{Connection, Row};

use super::connect;
use super::fault::Faults;
use crate::error::{Result, StoreError};
use crate::record::Record;

/// A pool of connections that only read.
pub(crate) struct Readers {
    path: PathBuf,
    faults: Faults,
    limit: usize,
    state: Mutex<State>,
    returned: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    lent: usize,
    closed: bool,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, limit: usize, faults: Faults) -> Readers {
        Readers { path, faults, limit: limit.max(1), state: Mutex::default(), returned: Condvar::new() }
    }

    /// Runs a query on a connection of its own; waits for one if all are lent.
    pub(crate) fn read<T>(
        &self,
        action: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T> {
        let mut lent = Lent { readers: self, connection: self.lend()? };
        if lent.connection.is_none() {
            lent.connection = Some(self.open()?);
        }
        match &lent.connection {
            Some(connection) => query(connection).map_err(self.faults.of(action)),
            None => Err(StoreError::Closed),
        }
    }

    /// An idle connection, or the right to open one.
    fn lend(&self) -> Result<Option<Connection>> {
        let mut state = self.state();
        loop {
            if state.closed {
                return Err(StoreError::Closed);
            }
            if let Some(connection) = state.idle.pop() {
                state.lent += 1;
                return Ok(Some(connection));
            }
            if state.lent < self.limit {
                state.lent += 1;
                return Ok(None);
            }
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn open(&self) -> Result<Connection> {
        let connection = connect(&self.path, &self.faults)?;
        connection.execute_batch("PRAGMA query_only = ON").map_err(self.faults.of("open"))?;
        Ok(connection)
    }

    /// Refuses further reads, waits for the running ones and closes the connections.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.closed = true;
        self.returned.notify_all();
        while state.lent > 0 {
            state = self.returned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.idle.clear();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Gives the connection back, also when a query panics.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<Connection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        let mut state = self.readers.state();
        state.lent -= 1;
        state.idle.extend(self.connection.take());
        drop(state);
        // A waiting reader and `close` wait for the same signal.
        self.readers.returned.notify_all();
    }
}

/// A row of key, revision and value.
pub(crate) fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    let value = row.get_ref(2)?.as_blob().map_err(rusqlite::Error::from)?;
    Ok(Record {
        key: row.get(0)?,
        revision: row.get::<_, i64>(1)?.unsigned_abs(),
        value: Bytes::copy_from_slice(value),
    })
}
