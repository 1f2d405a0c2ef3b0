//! One lock per object, so that writers of different objects share a flush and writers of one object take turns.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};
use tokio::sync::{Mutex, OwnedMutexGuard};

/// Objects share a fixed number of locks, so memory is bounded whatever keys come. No writer ever holds two.
pub(crate) struct KeyLocks {
    stripes: Vec<Arc<Mutex<()>>>,
    hasher: RandomState,
}

impl KeyLocks {
    pub(crate) fn new() -> Self {
        Self { stripes: (0..1024).map(|_| Arc::default()).collect(), hasher: RandomState::new() }
    }

    /// Waits for the object's turn. The guard may move into a commit callback.
    pub(crate) async fn lock(&self, prefix: &str, key: &str) -> OwnedMutexGuard<()> {
        let hash = self.hasher.hash_one((prefix, key));
        let at = usize::try_from(hash % 1024).unwrap_or(0);
        Arc::clone(&self.stripes[at]).lock_owned().await
    }
}
