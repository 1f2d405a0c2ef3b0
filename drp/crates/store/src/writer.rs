//! The one writer: a bounded queue, and a thread that takes all that is queued into one transaction.

use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::batch::{Batch, Op};
use crate::commit::{Commit, Committed, OnCommit, Revision};
use crate::error::{Result, StoreError};
use crate::limits;
use crate::options::Options;
use crate::stats::{FLUSH_BOUNDS, Stats};

/// Most bytes in one transaction; the first batch is taken whatever its size.
const GROUP_BYTES: usize = 16 << 20;

/// What a backend does for the writer thread.
pub(crate) trait Engine: Send + 'static {
    /// Applies the batches in order and makes them durable together. Gives one answer for each, in the same order; a
    /// batch that fails leaves nothing behind and does not touch the others.
    fn commit(&mut self, group: &[&[Op]]) -> Vec<Result<Committed>>;
}

/// Handle of the writer thread.
pub(crate) struct Writer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    options: Options,
    revision: AtomicU64,
    commits: AtomicU64,
    groups: AtomicU64,
    conflicts: AtomicU64,
    failures: AtomicU64,
    flushes: [AtomicU64; FLUSH_BOUNDS.len() + 1],
    flush_micros: AtomicU64,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Pending>,
    bytes: usize,
    closed: bool,
}

struct Pending {
    ops: Vec<Op>,
    weight: usize,
    on_commit: Option<OnCommit>,
    answer: oneshot::Sender<Result<Revision>>,
}

impl Writer {
    /// Starts the thread. `revision` is that of the last batch ever committed.
    pub(crate) fn start(engine: impl Engine, revision: Revision, options: Options) -> io::Result<Writer> {
        let shared = Arc::new(Shared {
            queue: Mutex::default(),
            wake: Condvar::new(),
            options,
            revision: AtomicU64::new(revision),
            commits: AtomicU64::new(0),
            groups: AtomicU64::new(0),
            conflicts: AtomicU64::new(0),
            failures: AtomicU64::new(0),
            flushes: Default::default(),
            flush_micros: AtomicU64::new(0),
        });
        let writing = shared.clone();
        let thread = thread::Builder::new().name("drp-store".into()).spawn(move || run(&writing, engine))?;
        Ok(Writer { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Queues a batch.
    pub(crate) fn submit(&self, batch: Batch) -> Commit {
        let weight = match limits::check(&batch) {
            Ok(weight) => weight,
            Err(error) => return Commit::failed(error),
        };
        let Batch { mut ops, on_commit } = batch;
        ops.iter_mut().for_each(tidy);
        let (answer, receiver) = oneshot::channel();
        let mut queue = self.shared.queue();
        if queue.closed {
            return Commit::failed(StoreError::Closed);
        }
        let options = &self.shared.options;
        let full = queue.waiting.len() >= options.queue_batches || queue.bytes + weight > options.queue_bytes;
        if full && !queue.waiting.is_empty() {
            return Commit::failed(StoreError::Busy { queued: queue.waiting.len(), bytes: queue.bytes });
        }
        queue.bytes += weight;
        queue.waiting.push_back(Pending { ops, weight, on_commit, answer });
        drop(queue);
        self.shared.wake.notify_one();
        Commit::waiting(receiver)
    }

    /// Whether [`Writer::close`] was called or the thread is gone.
    pub(crate) fn closed(&self) -> bool {
        self.shared.queue().closed
    }

    /// Revision of the last committed batch.
    pub(crate) fn revision(&self) -> Revision {
        self.shared.revision.load(Ordering::Acquire)
    }

    /// The counters; spaces and size are the backend's to add.
    pub(crate) fn stats(&self) -> Stats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            revision: self.revision(),
            queued: self.shared.queue().waiting.len(),
            commits: count(&self.shared.commits),
            groups: count(&self.shared.groups),
            conflicts: count(&self.shared.conflicts),
            failures: count(&self.shared.failures),
            flushes: std::array::from_fn(|i| count(&self.shared.flushes[i])),
            flush_time: Duration::from_micros(count(&self.shared.flush_micros)),
            ..Stats::default()
        }
    }

    /// Finishes what is queued and ends the thread, which drops the engine.
    pub(crate) fn close(&self) {
        self.shared.queue().closed = true;
        self.shared.wake.notify_all();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // The last handle may be dropped inside an `on_commit`; the thread cannot wait for itself, and ends soon.
            if thread.thread().id() != thread::current().id() && thread.join().is_err() {
                tracing::error!("the writer of the store panicked");
            }
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Nothing panics while holding the lock, and the queue is consistent at every point.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for work and takes as much as fits one transaction; `None` when closed and drained.
    fn take(&self) -> Option<Vec<Pending>> {
        let mut queue = self.queue();
        while queue.waiting.is_empty() {
            if queue.closed {
                return None;
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let mut group = Vec::new();
        let mut bytes = 0;
        while let Some(next) = queue.waiting.front() {
            bytes += next.weight;
            if !group.is_empty() && (bytes > GROUP_BYTES || group.len() >= self.options.group_batches) {
                break;
            }
            group.extend(queue.waiting.pop_front());
        }
        queue.bytes -= group.iter().map(|pending: &Pending| pending.weight).sum::<usize>();
        Some(group)
    }

    fn answer(&self, pending: Pending, outcome: Result<Committed>) {
        let Pending { on_commit, answer: waiting, .. } = pending;
        let answer = match outcome {
            Ok(committed) => {
                let revision = committed.revision;
                self.revision.store(revision, Ordering::Release);
                self.commits.fetch_add(1, Ordering::Relaxed);
                match on_commit {
                    // A panic here must not end the writer: all others would be refused from then on.
                    Some(run) => match catch_unwind(AssertUnwindSafe(|| run(&committed))) {
                        Ok(()) => Ok(revision),
                        Err(_) => {
                            tracing::error!(revision, "on_commit of a batch panicked");
                            Err(StoreError::Callback { revision })
                        }
                    },
                    None => Ok(revision),
                }
            }
            Err(error) => {
                let refused = matches!(error, StoreError::Conflict { .. } | StoreError::Duplicate { .. });
                let counter = if refused { &self.conflicts } else { &self.failures };
                counter.fetch_add(1, Ordering::Relaxed);
                // It holds names and turns of the change, which are free before anybody hears that it failed.
                drop(on_commit);
                Err(error)
            }
        };
        // Nobody may be waiting any more; the batch is done all the same.
        let _ = waiting.send(answer);
    }
}

/// One entry per value of an index, unique if any of its entries is.
fn tidy(op: &mut Op) {
    if let Op::Put { indexes, .. } = op {
        indexes.sort_unstable();
        indexes.dedup_by(|entry, kept| {
            let same = entry.name == kept.name && entry.value == kept.value;
            kept.unique |= same && entry.unique;
            same
        });
    }
}

fn run(shared: &Shared, mut engine: impl Engine) {
    let _closing = CloseAtEnd(shared);
    while let Some(group) = shared.take() {
        let ops: Vec<&[Op]> = group.iter().map(|pending| pending.ops.as_slice()).collect();
        let began = Instant::now();
        let outcomes = engine.commit(&ops);
        let took = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        let bucket = FLUSH_BOUNDS.iter().position(|bound| took <= *bound).unwrap_or(FLUSH_BOUNDS.len());
        shared.flushes[bucket].fetch_add(1, Ordering::Relaxed);
        shared.flush_micros.fetch_add(took, Ordering::Relaxed);
        debug_assert_eq!(outcomes.len(), group.len());
        shared.groups.fetch_add(1, Ordering::Relaxed);
        for (pending, outcome) in group.into_iter().zip(outcomes) {
            shared.answer(pending, outcome);
        }
    }
}

/// Refuses further batches once the thread is gone, for whatever reason, and lets go of those that wait.
struct CloseAtEnd<'a>(&'a Shared);

impl Drop for CloseAtEnd<'_> {
    fn drop(&mut self) {
        let mut queue = self.0.queue();
        queue.closed = true;
        let left = std::mem::take(&mut queue.waiting);
        queue.bytes = 0;
        drop(queue);
        drop(left);
    }
}
