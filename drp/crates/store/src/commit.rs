//! What a writer gets: a promise that resolves when the batch is durable.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::sync::oneshot;

use crate::error::{Result, StoreError};

/// Number of a committed batch, counted up over the whole store and never reused; the first is 1. All objects that a
/// batch writes carry its revision.
pub type Revision = u64;

/// Callback of a batch, see [`Batch::on_commit`](crate::Batch::on_commit).
pub type OnCommit = Box<dyn FnOnce(&Committed) + Send>;

/// A batch that is durable.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Committed {
    /// Revision of the batch and of all objects it put.
    pub revision: Revision,
    /// For each operation of the batch, in order: the revision of the object before it, `None` if it did not exist.
    pub previous: Vec<Option<Revision>>,
}

/// Resolves when the batch is durable and its `on_commit` has run, or when it has failed.
///
/// Dropping it does not take the batch back: a submitted batch runs to its end.
#[must_use = "a batch may fail; await or `wait()` for the outcome"]
pub struct Commit {
    state: State,
}

enum State {
    Waiting(oneshot::Receiver<Result<Revision>>),
    Failed(Option<StoreError>),
}

impl Commit {
    pub(crate) fn waiting(receiver: oneshot::Receiver<Result<Revision>>) -> Commit {
        Commit { state: State::Waiting(receiver) }
    }

    pub(crate) fn failed(error: StoreError) -> Commit {
        Commit { state: State::Failed(Some(error)) }
    }

    /// Waits on a thread that may block.
    ///
    /// # Errors
    /// Those of [`Store::submit`](crate::Store::submit).
    ///
    /// # Panics
    /// Inside an asynchronous runtime's worker: await it there.
    pub fn wait(self) -> Result<Revision> {
        match self.state {
            State::Waiting(receiver) => receiver.blocking_recv().unwrap_or(Err(StoreError::Closed)),
            State::Failed(error) => Err(error.unwrap_or(StoreError::Closed)),
        }
    }
}

impl Future for Commit {
    type Output = Result<Revision>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.state {
            State::Waiting(receiver) => {
                Pin::new(receiver).poll(cx).map(|answer| answer.unwrap_or(Err(StoreError::Closed)))
            }
            State::Failed(error) => Poll::Ready(Err(error.take().unwrap_or(StoreError::Closed))),
        }
    }
}

impl fmt::Debug for Commit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Commit")
    }
}
