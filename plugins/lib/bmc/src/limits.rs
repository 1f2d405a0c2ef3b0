//! How many BMCs are talked to at the same time, over all and per subnet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};

pub(crate) struct Limits {
    global: Arc<Semaphore>,
    per_subnet: usize,
    subnets: Mutex<HashMap<String, Arc<Semaphore>>>,
}

/// The right to have a command under way.
pub(crate) struct Permit {
    _subnet: OwnedSemaphorePermit,
    _global: OwnedSemaphorePermit,
}

impl Limits {
    pub(crate) fn new(global: usize, per_subnet: usize) -> Self {
        Self { global: Arc::new(Semaphore::new(global)), per_subnet, subnets: Mutex::default() }
    }

    /// Waits for a turn: first within the subnet, so that a slow one does not use up the global turns.
    pub(crate) async fn acquire(&self, subnet: &str) -> Result<Permit, AcquireError> {
        let own = self.subnet(subnet);
        let permit = own.acquire_owned().await?;
        Ok(Permit { _subnet: permit, _global: Arc::clone(&self.global).acquire_owned().await? })
    }

    fn subnet(&self, subnet: &str) -> Arc<Semaphore> {
        let mut subnets = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            subnets.entry(subnet.to_owned()).or_insert_with(|| Arc::new(Semaphore::new(self.per_subnet))),
        )
    }

    /// Forgets subnets nobody talks to.
    pub(crate) fn sweep(&self) {
        let mut subnets = self.subnets.lock().unwrap_or_else(PoisonError::into_inner);
        subnets.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_subnet_does_not_stop_another() {
        let limits = Limits::new(3, 1);
        let first = limits.acquire("a").await.unwrap();
        let mut second = Box::pin(limits.acquire("a"));
        assert!(futures_poll(&mut second).await.is_none());
        let _other = limits.acquire("b").await.unwrap();
        drop(first);
        assert!(second.await.is_ok());
        limits.sweep();
    }

    async fn futures_poll<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
        tokio::select! { biased; out = future => Some(out), () = tokio::task::yield_now() => None }
    }
}
