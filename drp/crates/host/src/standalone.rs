//! Running a plugin without a daemon, for its author: define, start, run actions, stop.

use crate::environment::Environment;
use crate::from_plugin::Reporter;
use crate::lines::Gate;
use crate::once::Once;
use crate::process::{Launch, Output, Process};
use crate::records::Records;
use crate::sockets::{self, SocketRoom};
use crate::{Backend, HostConfig, HostError, InstanceChange, ProviderChange, kernel};
use bytes::Bytes;
use drp_protocol::{Action, Error, Event, JsonMap, Line, Plugin, PluginProvider, Secret, wire};
use futures_util::future::BoxFuture;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

/// Asks an executable for its definition, as the static catalogue does: with the token `catalog`, so that
/// a plugin with a validator needs no API (wire-protocol §1.2). The file may have any name.
///
/// # Errors
/// [`HostError::Define`], with the diagnosis in words.
pub async fn define(binary: &Path, config: &HostConfig) -> Result<PluginProvider, HostError> {
    sockets::private_dir(&config.scratch_dir)?;
    let once = Once {
        environment: Environment::new(config),
        scratch: config.scratch_dir.clone(),
        limits: Arc::new(config.limits.clone()),
    };
    once.define_any(&absolute(binary)?, &Secret::new(wire::TOKEN_CATALOG.to_owned())).await
}

/// One plugin process that a program runs itself.
///
/// ```no_run
/// # async fn example() -> Result<(), drp_host::HostError> {
/// use drp_host::{HostConfig, NoDaemon, PluginRun};
/// use std::{path::Path, sync::Arc, time::Duration};
///
/// let config = HostConfig::under("/tmp/try");
/// let params = Default::default();
/// let backend = Arc::new(NoDaemon::new(|line| tracing::info!("{line}"), |_event| {}));
/// let run = PluginRun::start(Path::new("./echo"), "echo", params, config, backend).await?;
/// let action = drp_protocol::Action { command: "echo".into(), ..Default::default() };
/// let answer = run.invoke(&action, Duration::from_secs(10)).await?;
/// run.stop().await;
/// # Ok(()) }
/// ```
pub struct PluginRun {
    process: Process,
    leaving: mpsc::Receiver<Error>,
    _records: Arc<Records>,
    room: SocketRoom,
}

impl PluginRun {
    /// Starts `listen` and sends `/config` with these params and `Name`.
    ///
    /// # Errors
    /// It does not get to `READY!`, or `/config` fails.
    pub async fn start(
        binary: &Path,
        name: &str,
        mut params: JsonMap,
        config: HostConfig,
        backend: Arc<dyn Backend>,
    ) -> Result<Self, HostError> {
        let limits = Arc::new(config.limits.clone());
        let records = Records::open(&config.comm_root)?;
        let room = SocketRoom::open(&config.comm_root)?;
        sockets::private_dir(&config.scratch_dir)?;
        kernel::become_subreaper()
            .map_err(|e| HostError::io("cannot become subreaper in", "/proc/self", e))?;
        let refused = |error| HostError::Refused { provider: name.to_owned(), error: Box::new(error) };
        let token = backend.run_token(name).await.map_err(refused)?;
        let gate = Arc::new(Gate::new(limits.log_rate));
        let (leaving_sender, leaving) = mpsc::channel(4);
        let process = Process::start(Launch {
            reporter: Reporter { plugin: name.into(), backend, gate },
            binary: absolute(binary)?,
            sockets: room.pair(name),
            token,
            environment: Environment::new(&config),
            scratch: config.scratch_dir.clone(),
            limits: Arc::clone(&limits),
            output: Output::default(),
            leaving: leaving_sender,
            records: Arc::clone(&records),
            keepers: TaskTracker::new(),
        })
        .await?;
        params.insert("Name".to_owned(), name.into());
        let body = serde_json::to_vec(&params).map_err(|e| HostError::Transport {
            plugin: name.to_owned(),
            what: "config",
            why: e.to_string(),
            sent: false,
        })?;
        let run = Self { process, leaving, _records: records, room };
        match run.process.link.tell("config", body.into(), limits.config).await {
            Ok(()) => Ok(run),
            Err(e) => {
                run.stop().await;
                Err(e)
            }
        }
    }

    /// Runs an action and gives the raw JSON of the answer.
    ///
    /// # Errors
    /// [`HostError`]; the plugin's own error is [`HostError::Plugin`].
    pub async fn invoke(&self, action: &Action, deadline: Duration) -> Result<Bytes, HostError> {
        let body = serde_json::to_vec(action).map_err(|e| HostError::Transport {
            plugin: self.process.link.plugin.to_string(),
            what: "action",
            why: e.to_string(),
            sent: false,
        })?;
        self.process.link.action(body.into(), deadline, &http::HeaderMap::new()).await
    }

    /// Posts an event to `/publish`.
    ///
    /// # Errors
    /// [`HostError`].
    pub async fn publish(&self, event: &Event, deadline: Duration) -> Result<(), HostError> {
        let body = serde_json::to_vec(event).unwrap_or_default();
        self.process.link.tell("publish", body.into(), deadline).await
    }

    /// Why the plugin said it leaves, if it did.
    pub fn left(&mut self) -> Option<Error> {
        self.leaving.try_recv().ok()
    }

    /// Returns when the process ended by itself, with how it ended.
    pub async fn ended(&self) -> String {
        self.process.gone().await;
        self.process.how()
    }

    /// Process id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.pid
    }

    /// Stops it and returns when it is gone.
    pub async fn stop(self) {
        self.process.stop().await;
        self.room.close();
    }
}

/// A relative name without a slash would be looked for on `PATH`, and the plugin runs in another directory.
fn absolute(binary: &Path) -> Result<PathBuf, HostError> {
    std::path::absolute(binary).map_err(|e| HostError::io("cannot find", binary, e))
}

/// A backend for [`PluginRun`]: no objects, no API; log lines and events go to two functions.
pub struct NoDaemon {
    log: Box<dyn Fn(Line) + Send + Sync>,
    event: Box<dyn Fn(Event) + Send + Sync>,
}

impl NoDaemon {
    /// With functions that take the log lines and the events of the plugin. They must not block.
    pub fn new(
        log: impl Fn(Line) + Send + Sync + 'static,
        event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Self {
        Self { log: Box::new(log), event: Box::new(event) }
    }
}

fn at_once<'a, T: Send + 'a>(value: T) -> BoxFuture<'a, T> {
    Box::pin(std::future::ready(value))
}

impl Backend for NoDaemon {
    fn define_token(&self, _provider: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        at_once(Ok(Secret::new(wire::TOKEN_CATALOG.to_owned())))
    }

    fn run_token(&self, _plugin: &str) -> BoxFuture<'_, Result<Secret, Error>> {
        // Never empty: a wrapper-built plugin would panic (wire-protocol §1.2).
        at_once(Ok(Secret::new(wire::TOKEN_NO_DAEMON.to_owned())))
    }

    fn config_params<'a>(
        &'a self,
        plugin: &'a Plugin,
        _provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<JsonMap, Vec<String>>> {
        at_once(Ok(plugin.params.clone()))
    }

    fn register_store_objects<'a>(
        &'a self,
        _provider: &'a PluginProvider,
    ) -> BoxFuture<'a, Result<(), Error>> {
        at_once(Ok(()))
    }

    fn publish(&self, _plugin: &str, event: Event) -> BoxFuture<'_, Result<(), Error>> {
        (self.event)(event);
        at_once(Ok(()))
    }

    fn log(&self, line: Line) {
        (self.log)(line);
    }

    fn objects(&self, _prefix: &str) -> BoxFuture<'_, Result<Bytes, Error>> {
        at_once(Ok(Bytes::from_static(b"[]")))
    }

    fn certificate(&self) -> Option<String> {
        None
    }

    fn provider_changed(&self, _change: ProviderChange) -> BoxFuture<'_, Result<(), Error>> {
        at_once(Ok(()))
    }

    fn instance_changed(&self, _change: InstanceChange) -> BoxFuture<'_, ()> {
        at_once(())
    }
}
