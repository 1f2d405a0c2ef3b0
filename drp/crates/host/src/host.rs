//! The host: catalogue of providers and the instances that run.

use crate::catalogue::{self, Catalogue, Eagerness};
use crate::core::{Core, Registry};
use crate::environment::Environment;
use crate::instance::Instance;
use crate::once::Once;
use crate::records::Records;
use crate::sockets::{self, SocketRoom};
use crate::{Backend, HostConfig, HostError, InstanceStatus, Provider, forward, kernel, proc};
use axum::body::Body;
use bytes::Bytes;
use drp_protocol::{Action, AvailableAction, Event, Plugin};
use futures_util::Stream;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

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
///
/// Dropping it without [`Host::shutdown`] kills every plugin.
pub struct Host {
    core: Arc<Core>,
    closing: CancellationToken,
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.cancel();
        for instance in self.core.instances() {
            instance.inbox.wish(|w| w.end = true);
        }
    }
}

impl Host {
    /// Prepares the directories, ends what an earlier host left running, and gives a host without
    /// providers and instances. Call [`Host::scan`] once the API listens, because `define` may use it.
    ///
    /// # Errors
    /// A directory cannot be made or is not private, or another daemon uses the comm root.
    pub async fn start(config: HostConfig, backend: Arc<dyn Backend>) -> Result<Arc<Self>, HostError> {
        let limits = Arc::new(config.limits.clone());
        let records = Records::open(&config.comm_root)?;
        let room = SocketRoom::open(&config.comm_root)?;
        sockets::private_dir(&config.scratch_dir)?;
        kernel::become_subreaper()
            .map_err(|e| HostError::io("cannot become subreaper in", "/proc/self", e))?;
        let environment = Environment::new(&config);
        let once = Once {
            environment: environment.clone(),
            scratch: config.scratch_dir.clone(),
            limits: Arc::clone(&limits),
        };
        let catalogue = Catalogue::open(&config, &limits, &backend, once)?;
        let registry = Registry::default();
        let (instances, keepers) = (RwLock::default(), TaskTracker::new());
        let core = Core {
            config,
            limits,
            backend,
            environment,
            catalogue,
            room,
            records,
            registry,
            instances,
            keepers,
        };
        let host = Self { core: Arc::new(core), closing: CancellationToken::new() };
        tokio::spawn(reap(host.closing.clone()));
        Ok(Arc::new(host))
    }

    /// Looks at the plugin directory: new and changed files are defined and unpacked, or taken from the
    /// cache; missing ones are removed from the catalogue. Files that are no providers are listed by
    /// [`Host::problems`].
    pub async fn scan(&self) {
        let changed = self.core.catalogue.scan(Eagerness::Now).await;
        self.core.providers_changed(&changed);
    }

    /// Keeps looking at the plugin directory until [`Host::shutdown`].
    pub fn watch(self: &Arc<Self>) {
        let (host, closing) = (Arc::downgrade(self), self.closing.clone());
        let every = self.core.limits.watch;
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    () = closing.cancelled() => return,
                    () = tokio::time::sleep(every) => {}
                }
                let Some(host) = host.upgrade() else { return };
                tokio::select! {
                    () = closing.cancelled() => return,
                    changed = host.core.catalogue.scan(Eagerness::WhenSettled) => host.core.providers_changed(&changed),
                }
            }
        });
    }

    /// All providers, sorted by name.
    pub fn providers(&self) -> Vec<Arc<Provider>> {
        self.core.catalogue.all()
    }

    /// One provider.
    pub fn provider(&self, name: &str) -> Option<Arc<Provider>> {
        self.core.catalogue.get(name)
    }

    /// Files of the plugin directory that are not usable, with the reason.
    pub fn problems(&self) -> Vec<Problem> {
        self.core.catalogue.problems()
    }

    /// The executable of a provider, for download.
    ///
    /// # Errors
    /// [`HostError::NoSuchProvider`].
    pub fn binary_path(&self, name: &str) -> Result<PathBuf, HostError> {
        self.provider(name).map(|p| p.path.clone()).ok_or_else(|| catalogue::no_such(name))
    }

    /// Takes a new executable: written aside, defined, renamed over the old one, mode 0700, unpacked;
    /// then the instances of the provider are stopped and started. Gives the provider and the number of
    /// bytes written.
    ///
    /// # Errors
    /// A name that cannot be a file name, a stream that breaks off or is too large, a full disk, or
    /// [`HostError::Define`]. After the last the file stays (wire-protocol §1.11), unless a working
    /// provider of that name is there: then that one stays.
    pub async fn upload<S, E>(&self, name: &str, data: S) -> Result<(Arc<Provider>, u64), HostError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: std::fmt::Display,
    {
        let taken = self.core.catalogue.upload(name, data).await?;
        self.core.providers_changed(&[name.to_owned()]);
        Ok(taken)
    }

    /// Removes the executable, the unpacked files and the provider, and stops its instances.
    ///
    /// # Errors
    /// No such provider, or the file cannot be removed.
    pub async fn delete_provider(&self, name: &str) -> Result<(), HostError> {
        self.core.catalogue.delete(name).await?;
        self.core.providers_changed(&[name.to_owned()]);
        Ok(())
    }

    /// Runs `define` and `unpack` of every provider again, without the cache, and restarts all instances.
    pub async fn redefine(&self) {
        let changed = self.core.catalogue.scan(Eagerness::Anew).await;
        self.core.providers_changed(&changed);
    }

    /// A plugin object was created or changed. Starts the instance; a running one is stopped and started
    /// when `Description`, `Provider` or `Params` differ (wire-protocol §1.12). Returns at once.
    pub fn upsert_plugin(&self, plugin: Plugin) {
        if self.closing.is_cancelled() {
            return;
        }
        let mut instances = self.core.instances.write().unwrap_or_else(PoisonError::into_inner);
        let after = match instances.get(plugin.name.as_str()) {
            Some(known) if !known.inbox.ending() => {
                known.inbox.wish(|w| w.plugin = Some(plugin));
                return;
            }
            Some(ending) => Some(ending.ended.clone()),
            None => None,
        };
        let instance = Instance::start(&self.core, plugin, after);
        instances.insert(Arc::clone(&instance.name), instance);
    }

    /// A plugin object was deleted: the instance is told to stop when this returns, so that a plugin of the same
    /// name may be made anew at once. The future ends when the instance has ended and is forgotten; whether it is
    /// awaited changes nothing about the stop.
    pub fn remove_plugin(&self, name: &str) -> impl Future<Output = ()> + Send + use<> {
        let going = self.instance(name).ok();
        if let Some(instance) = &going {
            instance.inbox.wish(|w| w.end = true);
        }
        let core = Arc::clone(&self.core);
        async move {
            let Some(instance) = going else { return };
            instance.ended.cancelled().await;
            let mut instances = core.instances.write().unwrap_or_else(PoisonError::into_inner);
            // It may have been created anew meanwhile.
            if instances.get(&instance.name).is_some_and(|i| Arc::ptr_eq(i, &instance)) {
                instances.remove(&instance.name);
            }
        }
    }

    /// Stops and starts an instance, for instance because its token became invalid. Returns at once.
    ///
    /// # Errors
    /// [`HostError::NoSuchPlugin`].
    pub fn restart_plugin(&self, name: &str) -> Result<(), HostError> {
        self.instance(name)?.inbox.wish(|w| w.restart = true);
        Ok(())
    }

    /// Sends `/config` again to a running instance, because its event stream was lost. Returns at once.
    ///
    /// # Errors
    /// [`HostError::NoSuchPlugin`].
    pub fn reconfigure(&self, name: &str) -> Result<(), HostError> {
        self.instance(name)?.inbox.wish(|w| w.reconfigure = true);
        Ok(())
    }

    /// The actions of configured instances for one command set (`machines`, …, `system`), in the order
    /// in which they were registered.
    pub fn actions(&self, set: &str) -> Vec<RegisteredAction> {
        self.core.registry.actions(set)
    }

    /// Name and provider of all instances that are not being deleted, sorted by name, whether they run or not.
    pub fn instances(&self) -> Vec<(Arc<str>, String)> {
        let instances = self.core.instances();
        let staying = instances.iter().filter(|instance| !instance.inbox.ending());
        staying.map(|instance| (Arc::clone(&instance.name), instance.provider())).collect()
    }

    /// Runs an action on an instance and gives the raw JSON of its answer. `Params` must be resolved and
    /// decrypted already.
    ///
    /// # Errors
    /// [`HostError`]; the plugin's own error is [`HostError::Plugin`].
    pub async fn invoke(
        &self,
        plugin: &str,
        action: &Action,
        deadline: Duration,
    ) -> Result<Bytes, HostError> {
        self.invoke_traced(plugin, action, deadline, &http::HeaderMap::new()).await
    }

    /// As [`Host::invoke`], and passes `X-Log-Request`, `X-Log-Token` and `X-Request-Id` of the caller on
    /// (wire-protocol §1.6).
    ///
    /// # Errors
    /// As [`Host::invoke`].
    pub async fn invoke_traced(
        &self,
        plugin: &str,
        action: &Action,
        deadline: Duration,
        caller: &http::HeaderMap,
    ) -> Result<Bytes, HostError> {
        let process = self.instance(plugin)?.process()?;
        let body = serde_json::to_vec(action).map_err(|e| HostError::Transport {
            plugin: plugin.to_owned(),
            what: "action",
            why: format!("the action cannot be written as JSON: {e}"),
            sent: false,
        })?;
        process.link.action(body.into(), deadline, caller).await
    }

    /// Queues an event for every configured instance whose provider has `HasPublish`. Never waits.
    pub fn publish(&self, event: &Arc<Event>) {
        self.core.registry.publish(|| serde_json::to_vec(&**event).ok().map(Bytes::from));
    }

    /// Passes a `/plugin-apis` request through to an instance: path and query unchanged, bodies streamed
    /// both ways, upgrades joined (wire-protocol §1.14). The answer is an error in JSON when there is no
    /// such running instance (404), it cannot be reached (502) or does not answer (504).
    /// `peer` is appended to `X-Forwarded-For`.
    pub async fn forward(
        &self,
        plugin: &str,
        request: http::Request<Body>,
        peer: Option<std::net::IpAddr>,
    ) -> http::Response<Body> {
        match self.instance(plugin).and_then(|i| i.process()) {
            Ok(process) => {
                forward::forward(Arc::clone(&process.link), request, peer, self.core.limits.forward_head)
                    .await
            }
            Err(_) => forward::not_found(request.method().as_str(), &request.uri().to_string()),
        }
    }

    /// All instances, sorted by name.
    pub fn status(&self) -> Vec<InstanceStatus> {
        self.core.instances().iter().map(|i| i.status()).collect()
    }

    /// One instance.
    pub fn plugin_status(&self, name: &str) -> Option<InstanceStatus> {
        self.instance(name).ok().map(|i| i.status())
    }

    /// Stops all instances and waits until their processes are gone. Call it before the API closes,
    /// because plugins use it while they stop (wire-protocol §1.10).
    pub async fn shutdown(&self) {
        self.closing.cancel();
        let instances = self.core.instances();
        for instance in &instances {
            instance.inbox.wish(|w| w.end = true);
        }
        for instance in &instances {
            instance.ended.cancelled().await;
        }
        self.core.keepers.close();
        self.core.keepers.wait().await;
        proc::end_all_adopted().await;
        self.core.room.close();
    }

    fn instance(&self, name: &str) -> Result<Arc<Instance>, HostError> {
        let instances = self.core.instances.read().unwrap_or_else(PoisonError::into_inner);
        instances.get(name).cloned().ok_or_else(|| HostError::NoSuchPlugin { plugin: name.to_owned() })
    }
}

/// Reaps daemonised grandchildren that ended while their plugin lives on.
async fn reap(closing: CancellationToken) {
    loop {
        tokio::select! {
            () = closing.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(2)) => proc::reap_adopted(),
        }
    }
}
