//! The host: catalogue of providers and the instances that run.

use crate::{Backend, HostConfig, HostError, InstanceStatus, Provider};
use axum::body::Body;
use bytes::Bytes;
use drp_protocol::{Action, AvailableAction, Event, Plugin};
use futures_util::Stream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// An action that a configured instance offers.
#[derive(Debug, Clone)]
pub struct RegisteredAction {
    /// Name of the instance.
    pub plugin: Arc<str>,
    /// The action as its provider defines it, `Provider` filled in.
    pub action: Arc<AvailableAction>,
}

/// A file in the plugin directory that is not a usable provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file, or the directory itself.
    pub path: PathBuf,
    /// What is wrong, in words.
    pub why: String,
}

/// Launches plugin executables and talks to them.
pub struct Host {
    _config: HostConfig,
    _backend: Arc<dyn Backend>,
}

impl Host {
    /// Prepares the directories, ends what an earlier host left running, and gives a host without
    /// providers and instances. Call [`Host::scan`] once the API listens, because `define` may use it.
    ///
    /// # Errors
    /// A directory cannot be made or is not private.
    pub async fn start(config: HostConfig, backend: Arc<dyn Backend>) -> Result<Arc<Self>, HostError> {
        Ok(Arc::new(Self { _config: config, _backend: backend }))
    }

    /// Looks at the plugin directory: new and changed files are defined and unpacked, or taken from the
    /// cache; missing ones are removed from the catalogue. Files that are no providers are listed by
    /// [`Host::problems`].
    pub async fn scan(self: &Arc<Self>) {}

    /// Keeps looking at the plugin directory until [`Host::shutdown`].
    pub fn watch(self: &Arc<Self>) {}

    /// All providers, sorted by name.
    pub fn providers(&self) -> Vec<Arc<Provider>> {
        Vec::new()
    }

    /// One provider.
    pub fn provider(&self, _name: &str) -> Option<Arc<Provider>> {
        None
    }

    /// Files of the plugin directory that are not usable, with the reason.
    pub fn problems(&self) -> Vec<Problem> {
        Vec::new()
    }

    /// The executable of a provider, for download.
    ///
    /// # Errors
    /// [`HostError::NoSuchProvider`].
    pub fn binary_path(&self, name: &str) -> Result<PathBuf, HostError> {
        Err(HostError::NoSuchProvider { provider: name.to_owned() })
    }

    /// Takes a new executable: written aside, renamed over the old one, mode 0700, defined, unpacked;
    /// then the instances of the provider are stopped and started. Gives the provider and the number of
    /// bytes written.
    ///
    /// # Errors
    /// A name that cannot be a file name, a stream that breaks off or is too large, a full disk, or
    /// [`HostError::Define`] (the file stays, wire-protocol §1.11).
    pub async fn upload<S, E>(
        self: &Arc<Self>,
        _name: &str,
        _data: S,
    ) -> Result<(Arc<Provider>, u64), HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        Err(HostError::ShuttingDown)
    }

    /// Removes the executable and the provider, and stops its instances.
    ///
    /// # Errors
    /// No such provider, or the file cannot be removed.
    pub async fn delete_provider(self: &Arc<Self>, _name: &str) -> Result<(), HostError> {
        Err(HostError::ShuttingDown)
    }

    /// Runs `define` and `unpack` of every provider again, without the cache.
    pub async fn redefine(self: &Arc<Self>) {}

    /// A plugin object was created or changed. Starts the instance; a running one is stopped and started
    /// when `Description`, `Provider` or `Params` differ (wire-protocol §1.12). Returns at once.
    pub fn upsert_plugin(self: &Arc<Self>, _plugin: Plugin) {}

    /// A plugin object was deleted: stops and forgets the instance, and returns when it has ended.
    pub async fn remove_plugin(&self, _name: &str) {}

    /// Stops and starts an instance, for instance because its token became invalid. Returns at once.
    ///
    /// # Errors
    /// [`HostError::NoSuchPlugin`].
    pub fn restart_plugin(&self, _name: &str) -> Result<(), HostError> {
        Err(HostError::ShuttingDown)
    }

    /// Sends `/config` again to a running instance, because its event stream was lost. Returns at once.
    ///
    /// # Errors
    /// [`HostError::NoSuchPlugin`].
    pub fn reconfigure(&self, _name: &str) -> Result<(), HostError> {
        Err(HostError::ShuttingDown)
    }

    /// The actions of configured instances for one command set (`machines`, …, `system`), in the order
    /// in which they were registered.
    pub fn actions(&self, _set: &str) -> Vec<RegisteredAction> {
        Vec::new()
    }

    /// Runs an action on an instance and gives the raw JSON of its answer. `Params` must be resolved and
    /// decrypted already.
    ///
    /// # Errors
    /// [`HostError`]; the plugin's own error is [`HostError::Plugin`].
    pub async fn invoke(
        &self,
        _plugin: &str,
        _action: &Action,
        _deadline: Duration,
    ) -> Result<Bytes, HostError> {
        Err(HostError::ShuttingDown)
    }

    /// Queues an event for every configured instance whose provider has `HasPublish`. Never waits.
    pub fn publish(&self, _event: &Arc<Event>) {}

    /// Passes a `/plugin-apis` request through to an instance: path and query unchanged, bodies streamed
    /// both ways, upgrades joined (wire-protocol §1.14). The answer is an error in JSON when there is no
    /// such running instance (404), it cannot be reached (502) or does not answer (504).
    /// `peer` is appended to `X-Forwarded-For`.
    pub async fn forward(
        &self,
        _plugin: &str,
        _request: http::Request<Body>,
        _peer: Option<std::net::IpAddr>,
    ) -> http::Response<Body> {
        http::Response::new(Body::empty())
    }

    /// All instances, sorted by name.
    pub fn status(&self) -> Vec<InstanceStatus> {
        Vec::new()
    }

    /// One instance.
    pub fn plugin_status(&self, _name: &str) -> Option<InstanceStatus> {
        None
    }

    /// Stops all instances and waits until their processes are gone. Call it before the API closes,
    /// because plugins use it while they stop (wire-protocol §1.10).
    pub async fn shutdown(&self) {}
}
