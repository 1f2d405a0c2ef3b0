//! Long work that goes on after its hook has answered.

use std::{
    collections::HashMap,
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_util::sync::CancellationToken;

/// Operations that wait for their turn or are under way, at most; more are refused.
const KNOWN: usize = 16_384;

/// Work that takes longer than an event or an action may: one operation per key (for instance a machine's id), so
/// many at the same time, each of which can be ended. Cheap to clone.
///
/// What must outlive the process belongs into the store: write how far the work is into the object's params, and
/// begin again from there in [`Plugin::config`](crate::Plugin::config).
///
/// ```
/// use drp_plugin_sdk::Operations;
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
/// let operations = Operations::new(4);
/// let started = operations.start("machine-1", |operation| async move {
///     let Some(_turn) = operation.turn().await else { return };
///     tokio::select! {
///         () = operation.cancelled().cancelled() => {}
///         () = async { /* the work */ } => {}
///     }
/// });
/// assert!(started && !operations.start("machine-1", |_| async {}));
/// operations.ended("machine-1").await;
/// # });
/// ```
#[derive(Debug, Clone)]
pub struct Operations {
    known: Arc<Mutex<HashMap<String, Entry>>>,
    turns: Arc<Semaphore>,
}

#[derive(Debug)]
struct Entry {
    cancelled: CancellationToken,
    over: watch::Receiver<()>,
}

/// What an operation knows about itself.
#[derive(Debug, Clone)]
pub struct Operation {
    cancelled: CancellationToken,
    turns: Arc<Semaphore>,
}

impl Operation {
    /// Fires when the operation shall end: leave at the next point from which it can be taken up again.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Waits for a place among those under way; it is given back when the answer is dropped. `None`: cancelled.
    pub async fn turn(&self) -> Option<OwnedSemaphorePermit> {
        tokio::select! {
            () = self.cancelled.cancelled() => None,
            turn = self.turns.clone().acquire_owned() => turn.ok(),
        }
    }

    /// Sleeps; `false` when the operation was cancelled meanwhile.
    pub async fn sleep(&self, time: Duration) -> bool {
        tokio::select! {
            () = self.cancelled.cancelled() => false,
            () = tokio::time::sleep(time) => true,
        }
    }
}

impl Operations {
    /// So many at the same time; others wait for their [`turn`](Operation::turn).
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { known: Arc::default(), turns: Arc::new(Semaphore::new(most)) }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Entry>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts an operation. `false` when there is one with that key already, or more than 16,384 are known.
    pub fn start<F>(&self, key: impl Into<String>, work: impl FnOnce(Operation) -> F) -> bool
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let key = key.into();
        let cancelled = CancellationToken::new();
        let (alive, over) = watch::channel(());
        {
            let mut known = self.known();
            if known.len() >= KNOWN || known.contains_key(&key) {
                return false;
            }
            known.insert(key.clone(), Entry { cancelled: cancelled.clone(), over });
        }
        let work = work(Operation { cancelled, turns: self.turns.clone() });
        let end = End { known: self.known.clone(), key, _alive: alive };
        tokio::spawn(async move {
            // Also when the work panics, which the panic hook logs.
            let _end = end;
            work.await;
        });
        true
    }

    /// Whether an operation with that key waits or is under way.
    #[must_use]
    pub fn is_under_way(&self, key: &str) -> bool {
        self.known().contains_key(key)
    }

    /// Tells an operation to end; `false` when there is none.
    pub fn cancel(&self, key: &str) -> bool {
        let known = self.known();
        known.get(key).inspect(|entry| entry.cancelled.cancel()).is_some()
    }

    /// Waits until there is no operation with that key.
    pub async fn ended(&self, key: &str) {
        let over = self.known().get(key).map(|entry| entry.over.clone());
        if let Some(mut over) = over {
            // Nothing is ever sent: the error is the end.
            while over.changed().await.is_ok() {}
        }
    }

    /// Tells all to end, and waits for that.
    pub async fn stop(&self) {
        let all: Vec<_> = self
            .known()
            .values()
            .map(|entry| {
                entry.cancelled.cancel();
                entry.over.clone()
            })
            .collect();
        for mut over in all {
            while over.changed().await.is_ok() {}
        }
    }
}

/// Takes the operation off the list, and then tells those who wait.
struct End {
    known: Arc<Mutex<HashMap<String, Entry>>>,
    key: String,
    _alive: watch::Sender<()>,
}

impl Drop for End {
    fn drop(&mut self) {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::Operations;
    use std::sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    };
    use std::time::Duration;

    #[tokio::test]
    async fn one_per_key_and_so_many_at_a_time() {
        let operations = Operations::new(2);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        for key in 0..10 {
            let (now, most) = (now.clone(), most.clone());
            assert!(operations.start(key.to_string(), |operation| async move {
                let _turn = operation.turn().await;
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(5)).await;
                now.fetch_sub(1, Ordering::SeqCst);
            }));
            assert!(!operations.start(key.to_string(), |_| async {}));
        }
        for key in 0..10 {
            operations.ended(&key.to_string()).await;
            assert!(!operations.is_under_way(&key.to_string()));
        }
        assert_eq!(most.load(Ordering::SeqCst), 2);
        assert!(operations.start("1", |_| async {}), "a key is free again");
    }

    #[tokio::test]
    async fn cancelled_ones_end_also_while_they_wait_for_their_turn() {
        let operations = Operations::new(1);
        for key in ["a", "b"] {
            operations.start(key, |operation| async move {
                let Some(_turn) = operation.turn().await else { return };
                assert!(!operation.sleep(Duration::from_secs(3600)).await);
            });
        }
        assert!(operations.cancel("a") && !operations.cancel("c"));
        operations.ended("a").await;
        operations.stop().await;
        assert!(!operations.is_under_way("b"));
    }

    #[tokio::test]
    async fn a_panic_ends_its_operation_only() {
        let operations = Operations::new(1);
        operations.start("a", |operation| async move {
            let _turn = operation.turn().await;
            panic!("on purpose");
        });
        operations.ended("a").await;
        assert!(!operations.is_under_way("a"));
        operations.start("b", |operation| async move { assert!(operation.turn().await.is_some()) });
        operations.ended("b").await;
    }
}
