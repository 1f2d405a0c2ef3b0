//! Long work that events ask for, away from the events' path: in order for each machine, a few machines at a time, and
//! bounded.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;

/// So many machines are worked on at a time.
const AT_ONCE: usize = 4;
/// So many orders may wait.
const WAITING: usize = 10_000;

/// Orders of type `T` by machine.
pub(crate) struct Work<T> {
    queues: Arc<Mutex<HashMap<String, VecDeque<T>>>>,
    gate: Arc<Semaphore>,
}

impl<T> Default for Work<T> {
    fn default() -> Self {
        Self { queues: Arc::default(), gate: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

impl<T: Send + 'static> Work<T> {
    /// Takes an order. False when too many wait already.
    pub(crate) fn order<F>(&self, uuid: &str, order: T, run: impl Fn(T) -> F + Send + 'static) -> bool
    where
        F: Future<Output = ()> + Send,
    {
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        if queues.values().map(VecDeque::len).sum::<usize>() >= WAITING {
            return false;
        }
        if let Some(queue) = queues.get_mut(uuid) {
            queue.push_back(order);
            return true;
        }
        queues.insert(uuid.to_owned(), VecDeque::from([order]));
        drop(queues);
        let (queues, gate, uuid) = (self.queues.clone(), self.gate.clone(), uuid.to_owned());
        tokio::spawn(async move {
            loop {
                // First the place, then the order: what waits for a place is still counted.
                let Ok(_permit) = gate.acquire().await else { return };
                let next = {
                    let mut queues = queues.lock().unwrap_or_else(PoisonError::into_inner);
                    let next = queues.get_mut(&uuid).and_then(VecDeque::pop_front);
                    if next.is_none() {
                        queues.remove(&uuid);
                    }
                    next
                };
                let Some(order) = next else { return };
                run(order).await;
            }
        });
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test(start_paused = true)]
    async fn in_order_for_a_machine_and_bounded() {
        let work = Work::<u32>::default();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for (uuid, n) in [("a", 1), ("b", 10), ("a", 2), ("a", 3)] {
            let seen = seen.clone();
            let run = move |n| {
                let seen = seen.clone();
                async move {
                    tokio::time::sleep(Duration::from_secs(1)).await;
                    seen.lock().unwrap().push(n);
                }
            };
            assert!(work.order(uuid, n, run));
        }
        tokio::time::sleep(Duration::from_secs(10)).await;
        let seen: Vec<_> = seen.lock().unwrap().iter().copied().filter(|n| *n < 10).collect();
        assert_eq!(seen, [1, 2, 3]);
        assert!(work.queues.lock().unwrap().is_empty(), "nothing is kept of machines without work");
        let taken = (0..WAITING + 5).filter(|_| work.order("c", 0, |_| std::future::pending())).count();
        assert_eq!(taken, WAITING);
        // Orders of many machines count, too.
        let work = Work::<u32>::default();
        let mut taken = 0;
        for n in 0..WAITING + 50 {
            taken += usize::from(work.order(&n.to_string(), 0, |_| std::future::pending()));
            tokio::task::yield_now().await;
        }
        assert_eq!(taken, WAITING + AT_ONCE);
    }
}
