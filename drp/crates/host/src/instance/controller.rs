//! The controller of one plugin instance (wire-protocol §1.12).

mod crash;

use super::Instance;
use crate::core::Core;
use crate::from_plugin::Reporter;
use crate::host::RegisteredAction;
use crate::process::{Launch, Process};
use crate::publisher::Publisher;
use crate::{HostError, InstanceChange, InstanceState, Provider, diagnose};
use bytes::Bytes;
use crash::Death;
use drp_protocol::{Error, Level, Plugin};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// How long a process whose connection broke may take to end.
const LAST_BREATH: Duration = Duration::from_millis(500);

/// What came of a start.
enum Launched {
    /// Configured.
    Live(Arc<Process>, Arc<Provider>),
    /// Does not run until something changes.
    Rest,
    /// The process died on the way, or did not come up.
    Died(Death),
    /// Something changed meanwhile: look again.
    Again,
}

/// The task that starts, watches and stops the processes of one instance.
pub(super) struct Controller {
    core: Arc<Core>,
    instance: Arc<Instance>,
    reporter: Reporter,
    plugin: Plugin,
    /// Something changed that asks for a start, or a stop and a start.
    dirty: bool,
    end: bool,
    reconfigure: bool,
    /// The daemon was told that it serves.
    announced: bool,
    /// The `PluginErrors` that the daemon has; unknown after it changed the object.
    told: Option<Vec<String>>,
    crashes: VecDeque<Instant>,
    leaving: mpsc::Receiver<Error>,
    leaving_sender: mpsc::Sender<Error>,
}

impl Controller {
    pub(super) fn new(core: &Arc<Core>, instance: &Arc<Instance>, plugin: Plugin) -> Self {
        let reporter = Reporter {
            plugin: Arc::clone(&instance.name),
            backend: Arc::clone(&core.backend),
            gate: Arc::clone(&instance.gate),
        };
        let (leaving_sender, leaving) = mpsc::channel(4);
        let told = Some(plugin.plugin_errors.clone());
        Self {
            core: Arc::clone(core),
            instance: Arc::clone(instance),
            reporter,
            plugin,
            dirty: true,
            end: false,
            reconfigure: false,
            announced: false,
            told,
            crashes: VecDeque::new(),
            leaving,
            leaving_sender,
        }
    }

    pub(super) async fn run(mut self) {
        loop {
            self.absorb();
            if self.end {
                break;
            }
            if !self.dirty {
                self.instance.inbox.news().await;
                continue;
            }
            self.dirty = false;
            self.reconfigure = false;
            while self.leaving.try_recv().is_ok() {}
            let died = match self.launch().await {
                Launched::Live(process, provider) => self.live(process, provider).await,
                Launched::Died(how) => Some(how),
                Launched::Rest => None,
                Launched::Again => {
                    self.dirty = true;
                    None
                }
            };
            let Some(how) = died else { continue };
            // One that says that it leaves and then ends has not crashed.
            match self.leaving.try_recv() {
                Ok(error) => self.left(error).await,
                Err(_) => self.after_crash(how).await,
            }
        }
        if self.instance.view(|v| v.state) != InstanceState::Stopped {
            self.change(InstanceState::Stopped, None).await;
        }
        self.instance.ended.cancel();
    }

    /// Takes the wishes that have come.
    fn absorb(&mut self) {
        let wishes = self.instance.inbox.take();
        self.end |= wishes.end;
        self.reconfigure |= wishes.reconfigure;
        let mut fresh = wishes.restart;
        if let Some(plugin) = wishes.plugin {
            // Changes of Meta or PluginErrors do not restart: the daemon itself writes the latter.
            fresh |= self.plugin.description != plugin.description
                || self.plugin.provider != plugin.provider
                || self.plugin.params != plugin.params;
            self.instance.view(|v| v.provider.clone_from(&plugin.provider));
            self.plugin = plugin;
            self.told = None;
        }
        if fresh {
            self.dirty = true;
            self.crashes.clear();
        }
    }

    fn interrupted(&mut self) -> bool {
        self.absorb();
        self.end || self.dirty
    }

    /// Waits until something asks this instance to stop.
    async fn interruption(&mut self) {
        while !self.interrupted() {
            self.instance.inbox.news().await;
        }
    }

    async fn launch(&mut self) -> Launched {
        let Some(provider) = self.core.catalogue.get(&self.plugin.provider) else {
            let mut errors = vec![format!("Missing Plugin Provider: {}", self.plugin.provider)];
            errors.extend(self.core.catalogue.problem_of(&self.plugin.provider));
            return self.rest(InstanceState::Stopped, errors).await;
        };
        let params = self.core.backend.config_params(&self.plugin, &provider.definition).await;
        if let Err(errors) = params {
            return self.rest(InstanceState::Stopped, errors).await;
        }
        // What went wrong before a crash stays until it runs again; anything older says nothing about this start.
        let cleared = self.crashes.is_empty().then(Vec::new);
        self.change(InstanceState::Starting, cleared).await;
        let process = match self.spawn(&provider).await {
            Ok(Some(process)) => Arc::new(process),
            Ok(None) => return Launched::Again,
            Err(e) => {
                let errors = match e {
                    HostError::Start { why, spawned: true, .. } => {
                        vec!["Failed to start plugin - didn't respond cleanly".to_owned(), why]
                    }
                    HostError::Start { why, .. } => {
                        vec![format!("Failed to start plugin - didn't start: {why}")]
                    }
                    other => vec![format!("Failed to start plugin - didn't start: {other}")],
                };
                // A file that cannot be run stays so until somebody puts another there. Everything else may pass.
                if diagnose::file(&provider.path).is_some() {
                    return self.rest(InstanceState::Failed, errors).await;
                }
                return Launched::Died(Death::NotStarted(errors));
            }
        };
        self.instance.view(|v| v.process = Some(Arc::clone(&process)));
        self.change(InstanceState::Configuring, Some(Vec::new())).await;
        let configured = self.configure(&process, &provider).await;
        if let Some(outcome) = self.after_config(&process, configured).await {
            return outcome;
        }
        self.register(&process, &provider);
        self.change(InstanceState::Configured, Some(Vec::new())).await;
        Launched::Live(process, provider)
    }

    /// Starts the process; `None` when something changed meanwhile.
    async fn spawn(&mut self, provider: &Provider) -> Result<Option<Process>, HostError> {
        let failed = |e: Error| HostError::Start {
            plugin: self.instance.name.to_string(),
            why: format!("no token for it: {e}"),
            spawned: false,
        };
        let token = self.core.backend.run_token(&self.instance.name).await.map_err(failed)?;
        if token.expose().is_empty() {
            return Err(failed(Error::new(500, "plugins", "the token is empty")));
        }
        let launch = Launch {
            reporter: self.reporter.clone(),
            binary: provider.path.clone(),
            sockets: self.core.room.pair(&self.instance.name),
            token,
            environment: self.core.environment.clone(),
            scratch: self.core.config.scratch_dir.clone(),
            limits: Arc::clone(&self.core.limits),
            output: self.instance.output.clone(),
            leaving: self.leaving_sender.clone(),
            records: Arc::clone(&self.core.records),
            keepers: self.core.keepers.clone(),
        };
        let starting = Process::start(launch);
        tokio::select! {
            biased;
            result = starting => result.map(Some),
            // Dropping the start ends the process.
            () = self.interruption() => Ok(None),
        }
    }

    /// Sends `/config`. A wish to stop waits for its answer, but not for ever. No lock is held: the
    /// plugin calls back before it answers.
    async fn configure(&mut self, process: &Arc<Process>, provider: &Provider) -> Result<(), ConfigError> {
        let backend = Arc::clone(&self.core.backend);
        backend.register_store_objects(&provider.definition).await.map_err(ConfigError::Own)?;
        let params = backend.config_params(&self.plugin, &provider.definition).await;
        let mut params = params.map_err(ConfigError::Params)?;
        params.insert("Name".to_owned(), self.plugin.name.clone().into());
        let body = serde_json::to_vec(&params).map_err(|e| ConfigError::Params(vec![e.to_string()]))?;
        let (deadline, patience) = (self.core.limits.config, self.core.limits.stop);
        let link = Arc::clone(&process.link);
        let mut call = std::pin::pin!(link.tell("config", Bytes::from(body), deadline));
        let result = tokio::select! {
            biased;
            result = &mut call => result,
            () = async {
                self.interruption().await;
                tokio::time::sleep(patience).await;
            } => return Err(ConfigError::Interrupted),
        };
        result.map_err(ConfigError::Call)
    }

    /// Deals with a `/config` that failed, or that succeeded too late.
    async fn after_config(
        &mut self,
        process: &Arc<Process>,
        configured: Result<(), ConfigError>,
    ) -> Option<Launched> {
        let failed = match configured {
            Ok(()) if self.interrupted() => {
                self.deregister();
                self.halt(process).await;
                return Some(Launched::Again);
            }
            Ok(()) => return None,
            Err(failed) => failed,
        };
        self.deregister();
        let (errors, died, withdraw) = match failed {
            ConfigError::Interrupted => {
                process.kill().await;
                self.forget_process();
                return Some(Launched::Again);
            }
            ConfigError::Params(errors) => (errors, false, None),
            ConfigError::Own(e) => (vec![e.to_string()], false, None),
            ConfigError::Call(HostError::Plugin { error, .. }) if error.code == 403 => {
                (vec![error.to_string()], false, Some(error.to_string()))
            }
            ConfigError::Call(HostError::Plugin { error, .. }) => (vec![error.to_string()], false, None),
            ConfigError::Call(e) => {
                let died = match &e {
                    HostError::Gone { .. } => true,
                    // One that dies closes its socket a moment before its end is seen.
                    HostError::Transport { .. } => process.gone_within(LAST_BREATH).await,
                    _ => false,
                };
                (vec![e.to_string()], died, None)
            }
        };
        self.halt(process).await;
        if let Some(why) = withdraw {
            self.withdraw(why);
        }
        if died {
            return Some(Launched::Died(Death::Crashed(errors.join("; "))));
        }
        Some(self.rest(InstanceState::Failed, errors).await)
    }

    fn register(&self, process: &Arc<Process>, provider: &Provider) {
        let definition = &provider.definition;
        let publisher = definition.has_publish.then(|| {
            let (link, reporter) = (Arc::clone(&process.link), self.reporter.clone());
            Publisher::start(link, reporter, &self.core.limits, Arc::clone(&self.instance.dropped_events))
        });
        let actions = definition.available_actions.iter().map(|action| RegisteredAction {
            plugin: Arc::clone(&self.instance.name),
            action: Arc::new(action.clone()),
        });
        self.instance.serve(Some(Arc::clone(process)));
        self.core.registry.add(actions.collect(), publisher);
    }

    /// The configured life. Gives how the process died, or `None` when it was stopped.
    async fn live(&mut self, process: Arc<Process>, provider: Arc<Provider>) -> Option<Death> {
        loop {
            if self.interrupted() {
                self.stop(&process).await;
                self.change(InstanceState::Stopped, None).await;
                return None;
            }
            if std::mem::take(&mut self.reconfigure) {
                self.reporter.host(Level::Info, "is configured again");
                let configured = self.configure(&process, &provider).await;
                match self.after_config(&process, configured).await {
                    None => {}
                    Some(Launched::Died(how)) => return Some(how),
                    Some(Launched::Again) => {
                        self.change(InstanceState::Stopped, None).await;
                        self.dirty = true;
                        return None;
                    }
                    Some(_) => return None,
                }
            }
            let left = tokio::select! {
                biased;
                () = process.gone() => {
                    self.deregister();
                    process.cleaned_up().await;
                    self.forget_process();
                    return Some(Death::Crashed(format!("it {}", process.how())));
                }
                error = self.leaving.recv() => error,
                () = self.instance.inbox.news() => None,
            };
            if let Some(error) = left {
                self.stop(&process).await;
                self.left(error).await;
                return None;
            }
        }
    }

    /// The plugin said that it leaves (wire-protocol §1.8).
    async fn left(&mut self, error: Error) {
        if error.code == 403 {
            self.withdraw(error.to_string());
            // The change of the catalogue gives the final PluginErrors.
            self.change(InstanceState::Stopped, Some(vec![error.to_string()])).await;
            return;
        }
        let said = if error == Error::default() { "it left".to_owned() } else { error.to_string() };
        self.change(InstanceState::Stopped, Some(vec![said])).await;
    }

    /// Takes the provider out of the catalogue, beside this task: the catalogue may be busy defining.
    fn withdraw(&self, why: String) {
        let (core, provider) = (Arc::clone(&self.core), self.plugin.provider.clone());
        tokio::spawn(async move {
            core.catalogue.withdraw(&provider, why).await;
            core.providers_changed(&[provider]);
        });
    }

    fn deregister(&self) {
        self.core.registry.remove(&self.instance.name);
        self.instance.serve(None);
    }

    async fn stop(&mut self, process: &Arc<Process>) {
        self.deregister();
        self.change(InstanceState::Stopping, None).await;
        self.halt(process).await;
    }

    async fn halt(&mut self, process: &Arc<Process>) {
        process.stop().await;
        self.forget_process();
    }

    fn forget_process(&self) {
        self.instance.view(|v| v.process = None);
    }

    async fn rest(&mut self, state: InstanceState, errors: Vec<String>) -> Launched {
        self.change(state, Some(errors)).await;
        Launched::Rest
    }

    async fn change(&mut self, state: InstanceState, errors: Option<Vec<String>>) {
        let announce = match state.event_action() {
            Some("configed") => !std::mem::replace(&mut self.announced, true),
            Some(_) => std::mem::take(&mut self.announced),
            None => false,
        };
        let plugin = self.instance.name.to_string();
        self.instance.view(|view| {
            view.state = state;
            if let Some(new) = &errors {
                view.errors.clone_from(new);
            }
        });
        // Each is a write of the daemon: only what is new to it.
        let errors = errors.filter(|new| self.told.as_ref() != Some(new));
        if errors.is_some() {
            self.told.clone_from(&errors);
        }
        self.core.backend.instance_changed(InstanceChange { plugin, state, errors, announce }).await;
    }
}

enum ConfigError {
    /// The params do not fit.
    Params(Vec<String>),
    /// The daemon refused something.
    Own(Error),
    /// The call or the plugin failed.
    Call(HostError),
    /// Asked to stop, and the plugin did not come to an end with it.
    Interrupted,
}
