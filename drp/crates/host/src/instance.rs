//! One plugin instance as the host and its callers see it (wire-protocol §1.12).

mod controller;

use crate::core::Core;
use crate::inbox::Inbox;
use crate::lines::Gate;
use crate::process::{Output, Process};
use crate::{HostError, InstanceState, InstanceStatus};
use controller::Controller;
use drp_protocol::Plugin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio_util::sync::CancellationToken;

/// An instance as the host holds it.
pub(crate) struct Instance {
    pub(crate) name: Arc<str>,
    pub(crate) inbox: Inbox,
    /// Cancelled when the controller has ended and nothing of the instance is left.
    pub(crate) ended: CancellationToken,
    /// The process while it is configured.
    serving: RwLock<Option<Arc<Process>>>,
    view: Mutex<View>,
    output: Output,
    gate: Arc<Gate>,
    dropped_events: Arc<AtomicU64>,
}

struct View {
    provider: String,
    state: InstanceState,
    errors: Vec<String>,
    restarts: u64,
    process: Option<Arc<Process>>,
}

impl Instance {
    /// Makes an instance and its controller. With `after`, the controller waits until an earlier
    /// instance of the same name has ended.
    pub(crate) fn start(core: &Arc<Core>, plugin: Plugin, after: Option<CancellationToken>) -> Arc<Self> {
        let view = View {
            provider: plugin.provider.clone(),
            state: InstanceState::Created,
            errors: plugin.plugin_errors.clone(),
            restarts: 0,
            process: None,
        };
        let instance = Arc::new(Self {
            name: plugin.name.as_str().into(),
            inbox: Inbox::default(),
            ended: CancellationToken::new(),
            serving: RwLock::default(),
            view: Mutex::new(view),
            output: Output::default(),
            gate: Arc::new(Gate::new(core.limits.log_rate)),
            dropped_events: Arc::default(),
        });
        let controller = Controller::new(core, &instance, plugin);
        tokio::spawn(async move {
            if let Some(after) = after {
                after.cancelled().await;
            }
            controller.run().await;
        });
        instance
    }

    /// The process, when it is configured.
    pub(crate) fn process(&self) -> Result<Arc<Process>, HostError> {
        let serving = self.serving.read().unwrap_or_else(PoisonError::into_inner);
        serving.clone().ok_or_else(|| HostError::NotRunning {
            plugin: self.name.to_string(),
            state: self.view(|v| v.state).to_string(),
        })
    }

    pub(crate) fn provider(&self) -> String {
        self.view(|v| v.provider.clone())
    }

    pub(crate) fn status(&self) -> InstanceStatus {
        let (stdout, stderr) = (self.output.stdout.all(), self.output.stderr.all());
        self.view(|view| InstanceStatus {
            name: self.name.to_string(),
            provider: view.provider.clone(),
            state: view.state,
            pid: view.process.as_ref().map(|p| p.pid),
            uptime: view.process.as_ref().map(|p| p.started.elapsed()),
            restarts: view.restarts,
            in_flight: view.process.as_ref().map_or(0, |p| p.link.in_flight()),
            dropped_events: self.dropped_events.load(Ordering::Relaxed),
            dropped_lines: self.gate.dropped(),
            errors: view.errors.clone(),
            stdout,
            stderr,
        })
    }

    fn view<T>(&self, look: impl FnOnce(&mut View) -> T) -> T {
        look(&mut self.view.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn serve(&self, process: Option<Arc<Process>>) {
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = process;
    }
}
