//! A host without a daemon around it, with one echo plugin: for the promises about host and plugin alone.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use drp_host::{Backend, Host, HostConfig, InstanceChange, InstanceState, InstanceStatus, ProviderChange};
use drp_protocol::{Action, Error as ModelError, Event, JsonMap, Line, Plugin, PluginProvider, Secret};
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;

use super::{Bench, Result};

/// Name of the one instance.
pub(crate) const PLUGIN: &str = "echo";
const DEADLINE: Duration = Duration::from_secs(20);

/// Says yes to everything, and passes on how the instance does.
struct Quiet(mpsc::UnboundedSender<InstanceChange>);

impl Backend for Quiet {
    fn define_token(&self, _: &str) -> BoxFuture<'_, std::result::Result<Secret, ModelError>> {
        Box::pin(async { Ok(Secret::from("bench".to_owned())) })
    }

    fn run_token(&self, _: &str) -> BoxFuture<'_, std::result::Result<Secret, ModelError>> {
        Box::pin(async { Ok(Secret::from("bench".to_owned())) })
    }

    fn config_params<'a>(
        &'a self,
        plugin: &'a Plugin,
        _: &'a PluginProvider,
    ) -> BoxFuture<'a, std::result::Result<JsonMap, Vec<String>>> {
        Box::pin(async { Ok(plugin.params.clone()) })
    }

    fn register_store_objects<'a>(
        &'a self,
        _: &'a PluginProvider,
    ) -> BoxFuture<'a, std::result::Result<(), ModelError>> {
        Box::pin(async { Ok(()) })
    }

    fn publish(&self, _: &str, _: Event) -> BoxFuture<'_, std::result::Result<(), ModelError>> {
        Box::pin(async { Ok(()) })
    }

    fn log(&self, _: Line) {}

    fn objects(&self, _: &str) -> BoxFuture<'_, std::result::Result<Bytes, ModelError>> {
        Box::pin(async { Ok(Bytes::from_static(b"[]")) })
    }

    fn certificate(&self) -> Option<String> {
        None
    }

    fn provider_changed(&self, _: ProviderChange) -> BoxFuture<'_, std::result::Result<(), ModelError>> {
        Box::pin(async { Ok(()) })
    }

    fn instance_changed(&self, change: InstanceChange) -> BoxFuture<'_, ()> {
        let _ = self.0.send(change);
        Box::pin(async {})
    }
}

/// The host and its plugin.
pub(crate) struct Alone {
    host: Arc<Host>,
    changes: mpsc::UnboundedReceiver<InstanceChange>,
    _base: tempfile::TempDir,
}

impl Alone {
    /// Starts a host that knows the echo plugin; no instance runs yet.
    pub(crate) async fn start(bench: &Bench) -> Result<Alone> {
        let base = tempfile::Builder::new().prefix("host").tempdir_in(bench.sockets.path())?;
        let config = HostConfig::under(base.path());
        std::fs::create_dir_all(&config.plugin_dir)?;
        std::fs::copy(echo(bench)?, config.plugin_dir.join(PLUGIN))?;
        let (send, changes) = mpsc::unbounded_channel();
        let host = Host::start(config, Arc::new(Quiet(send))).await?;
        host.scan().await;
        if host.providers().is_empty() {
            return Err(format!("echo is no provider: {:?}", host.problems()).into());
        }
        Ok(Alone { host, changes, _base: base })
    }

    /// Spawns the instance and waits until it is configured.
    pub(crate) async fn spawn(&mut self) -> Result<()> {
        let plugin = Plugin { name: PLUGIN.into(), provider: "echo".into(), ..Plugin::default() };
        self.host.upsert_plugin(plugin);
        loop {
            let change =
                tokio::time::timeout(DEADLINE, self.changes.recv()).await?.ok_or("the host is gone")?;
            match change.state {
                InstanceState::Configured => return Ok(()),
                InstanceState::Failed | InstanceState::Quarantined => {
                    return Err(format!("echo did not start: {:?}", change.errors).into());
                }
                _ => {}
            }
        }
    }

    /// Stops the instance.
    pub(crate) async fn remove(&mut self) {
        self.host.remove_plugin(PLUGIN).await;
        while self.changes.try_recv().is_ok() {}
    }

    /// Runs the action.
    pub(crate) async fn invoke(&self, action: &Action) -> Result<Bytes> {
        Ok(self.host.invoke(PLUGIN, action, DEADLINE).await?)
    }

    pub(crate) fn status(&self) -> Result<InstanceStatus> {
        Ok(self.host.plugin_status(PLUGIN).ok_or("echo is not there")?)
    }

    pub(crate) async fn stop(self) {
        self.host.shutdown().await;
    }
}

/// The echo plugin of this build.
pub(crate) fn echo(bench: &Bench) -> Result<PathBuf> {
    bench.binary("echo")
}

/// An action on a machine of the size that the floors echo.
pub(crate) fn action(text: &str) -> Action {
    let mut action = Action {
        plugin: PLUGIN.into(),
        command: "echo".into(),
        command_set: "machines".into(),
        model: serde_json::json!({"Name": "m1", "Uuid": "6f1c4b9e-0000-4000-8000-000000000001"}),
        ..Action::default()
    };
    action.params.insert("echo/text".into(), text.into());
    action
}
