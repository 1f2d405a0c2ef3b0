//! What the host and its instances share.

use crate::catalogue::Catalogue;
use crate::environment::Environment;
use crate::host::RegisteredAction;
use crate::instance::Instance;
use crate::publisher::Publisher;
use crate::records::Records;
use crate::sockets::SocketRoom;
use crate::{Backend, HostConfig, Limits};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use tokio_util::task::TaskTracker;

/// Everything an instance needs of its host.
pub(crate) struct Core {
    pub(crate) config: HostConfig,
    pub(crate) limits: Arc<Limits>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) environment: Environment,
    pub(crate) catalogue: Catalogue,
    pub(crate) room: SocketRoom,
    pub(crate) records: Arc<Records>,
    pub(crate) registry: Registry,
    pub(crate) instances: RwLock<BTreeMap<Arc<str>, Arc<Instance>>>,
    /// The tasks that own child processes.
    pub(crate) keepers: TaskTracker,
}

impl Core {
    pub(crate) fn instances(&self) -> Vec<Arc<Instance>> {
        self.instances.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Stops and starts the instances of these providers.
    pub(crate) fn providers_changed(&self, providers: &[String]) {
        if providers.is_empty() {
            return;
        }
        for instance in self.instances() {
            if providers.contains(&instance.provider()) {
                instance.inbox.wish(|w| w.restart = true);
            }
        }
    }
}

/// What configured instances offer.
#[derive(Default)]
pub(crate) struct Registry {
    actions: RwLock<Vec<RegisteredAction>>,
    publishers: RwLock<Vec<Arc<Publisher>>>,
}

impl Registry {
    pub(crate) fn add(&self, actions: Vec<RegisteredAction>, publisher: Option<Arc<Publisher>>) {
        self.actions.write().unwrap_or_else(PoisonError::into_inner).extend(actions);
        self.publishers.write().unwrap_or_else(PoisonError::into_inner).extend(publisher);
    }

    pub(crate) fn remove(&self, plugin: &str) {
        self.actions.write().unwrap_or_else(PoisonError::into_inner).retain(|a| &*a.plugin != plugin);
        self.publishers.write().unwrap_or_else(PoisonError::into_inner).retain(|p| {
            let stays = &*p.plugin != plugin;
            if !stays {
                p.stop();
            }
            stays
        });
    }

    pub(crate) fn actions(&self, set: &str) -> Vec<RegisteredAction> {
        let actions = self.actions.read().unwrap_or_else(PoisonError::into_inner);
        actions.iter().filter(|a| a.action.command_set() == set).cloned().collect()
    }

    /// Hands an event to all publishers; `encode` runs only when there is one.
    pub(crate) fn publish(&self, encode: impl FnOnce() -> Option<Bytes>) {
        let publishers = self.publishers.read().unwrap_or_else(PoisonError::into_inner);
        if !publishers.is_empty()
            && let Some(event) = encode()
        {
            publishers.iter().for_each(|p| p.offer(event.clone()));
        }
    }
}
