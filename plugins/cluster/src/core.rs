//! What all operations share: the state, one operation at a time, and what is told while it goes on.

use crate::daemon::Daemon;
use crate::health::Health;
use crate::plan::Cluster;
use crate::settings::Settings;
use crate::state::{Deployment, Part, Stage};
use crate::trouble::{Trouble, line};
use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::{Context, Error, Operation, Operations, Value, json, tracing};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, oneshot};
use tokio::time::{Instant, sleep};

/// The key of the one operation.
const ONE: &str = "cluster";

/// The operation that the stored state says nothing of.
pub(crate) const RESTART: &str = "restart-component";
/// How long an operation may take from its stored end to its own.
const ENDS_WITHIN: Duration = Duration::from_secs(5);

tokio::task_local! {
    /// The API request that an operation is asked for by, as logs know it.
    pub(crate) static REQUEST: String;
}

/// A cluster at work.
pub(crate) struct Core {
    pub(crate) cluster: Cluster,
    pub(crate) ctx: Context,
    pub(crate) daemon: Daemon,
    settings: RwLock<Settings>,
    /// The operation that is or was under way.
    doing: RwLock<&'static str>,
    /// Who asked for it; nobody for one that a restart took up.
    request: RwLock<Option<String>>,
    /// As it is stored. Held while it is written, never while a component is called.
    pub(crate) deployment: Mutex<Option<Deployment>>,
    pub(crate) operations: Operations,
}

/// Says that an operation has begun, to callers who do not wait for its end.
pub(crate) type Begun = oneshot::Sender<Value>;

impl Core {
    pub(crate) fn new(cluster: Cluster, ctx: Context, daemon: Daemon, settings: Settings) -> Self {
        Self {
            cluster,
            ctx,
            daemon,
            settings: RwLock::new(settings),
            doing: RwLock::new("an operation"),
            request: RwLock::default(),
            deployment: Mutex::new(None),
            operations: Operations::new(1),
        }
    }

    pub(crate) fn settings(&self) -> Settings {
        *self.settings.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn set_settings(&self, settings: Settings) {
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = settings;
    }

    /// Name of the plugin object, which is the id of the deployment.
    pub(crate) fn id(&self) -> String {
        self.ctx.name()
    }

    pub(crate) fn error(&self, code: u16, text: impl Into<String>) -> Error {
        Error::new(code, "plugin", text).on("plugins", self.id())
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.operations.is_under_way(ONE)
    }

    /// Runs an operation, the only one of the cluster. Gives its record when `wait`ed for; else what it says once it has
    /// begun, and it goes on.
    pub(crate) async fn operate<F>(
        self: &Arc<Self>,
        what: &'static str,
        wait: bool,
        work: impl FnOnce(Arc<Self>, Operation, Begun) -> F + Send + 'static,
    ) -> Result<Value, Error>
    where
        F: Future<Output = Result<Value, Error>> + Send + 'static,
    {
        self.let_end().await;
        let (say_begun, begun) = oneshot::channel();
        let (say_end, end) = oneshot::channel();
        let core = self.clone();
        let request = REQUEST.try_with(Clone::clone).ok();
        let started = self.operations.start(ONE, move |operation| async move {
            *core.doing.write().unwrap_or_else(PoisonError::into_inner) = what;
            *core.request.write().unwrap_or_else(PoisonError::into_inner) = request;
            let outcome = work(core, operation, say_begun).await;
            if let Err(error) = &outcome {
                tracing::error!("{what}: {}", line(error));
            }
            let _ = say_end.send(outcome);
        });
        if !started {
            let busy = *self.doing.read().unwrap_or_else(PoisonError::into_inner);
            let text = format!(
                "{what}: {busy} of cluster {} is under way; `status` shows how far it is",
                self.cluster.name
            );
            return Err(self.error(409, text));
        }
        if !wait && let Ok(record) = begun.await {
            return Ok(record);
        }
        end.await.unwrap_or_else(|_| {
            Err(self.error(500, format!("{what} ended without a result; see the log of the plugin")))
        })
    }

    /// Waits for an operation whose end is stored and that is about to end, so that who sees its end is not refused.
    async fn let_end(&self) {
        let doing = *self.doing.read().unwrap_or_else(PoisonError::into_inner);
        let at_rest = self.deployment.lock().await.as_ref().is_some_and(|d| !d.phase.is_under_way());
        if at_rest && doing != RESTART && self.is_busy() {
            let _ = tokio::time::timeout(ENDS_WITHIN, self.operations.ended(ONE)).await;
        }
    }

    /// Changes the state and stores it. What cannot be stored is not begun.
    pub(crate) async fn change<T>(
        &self,
        operation: &Operation,
        change: impl FnOnce(&mut Deployment) -> T,
    ) -> Result<T, Trouble> {
        let mut held = self.deployment.lock().await;
        let Some(deployment) = held.as_mut() else {
            return Err(Trouble::Interrupted("nothing is known of a deployment".to_owned()));
        };
        let result = change(deployment);
        self.daemon.save(deployment, operation.cancelled()).await.map_err(Trouble::Interrupted)?;
        Ok(result)
    }

    /// A component as it is known.
    pub(crate) async fn part(&self, at: usize) -> Result<Part, Trouble> {
        let held = self.deployment.lock().await;
        let part = held.as_ref().and_then(|deployment| deployment.components.get(at)).cloned();
        part.ok_or_else(|| Trouble::Interrupted("nothing is known of the component".to_owned()))
    }

    /// Moves a component to a stage, with an error or none, and says so.
    pub(crate) async fn enter(
        &self,
        operation: &Operation,
        at: usize,
        stage: Stage,
        error: &str,
    ) -> Result<(), Trouble> {
        let name = self
            .change(operation, |deployment| {
                let part = &mut deployment.components[at];
                part.enter(stage);
                part.blame(error);
                part.name.clone()
            })
            .await?;
        self.tell(&name, stage.word(), error).await;
        Ok(())
    }

    /// Tells how far an operation is: a log line and an event `extensions.progress.<plugin>`.
    pub(crate) async fn tell(&self, component: &str, step: &str, message: &str) {
        let held = self.deployment.lock().await.clone();
        let (command, phase) = held.as_ref().map_or(("", ""), |d| (d.operation.kind.word(), d.phase.word()));
        let percent = held.as_ref().and_then(Deployment::percent);
        let of = if component.is_empty() { "the cluster" } else { component };
        let text = match message.is_empty() {
            true => format!("{of} is {step}"),
            false => format!("{of} is {step}: {message}"),
        };
        tracing::info!(command, "{text}");
        let request = self.request.read().unwrap_or_else(PoisonError::into_inner).clone();
        let object = json!({
            "plugin": self.id(), "command": command, "request": request, "percent": percent, "text": text,
            "cluster": self.cluster.name, "phase": phase, "component": component, "step": step, "message": message,
        });
        if let Err(error) = self.ctx.publish("extensions", "progress", self.id(), object).await {
            tracing::debug!("progress could not be published: {}", line(&error));
        }
    }

    /// What a component's operations get as `config`: its configuration, with `replicas` where it shall have several.
    pub(crate) fn config(part: &Part, replicas: u64) -> JsonMap {
        let mut config = part.config.clone();
        if replicas > 1 || config.contains_key("replicas") {
            config.insert("replicas".to_owned(), replicas.into());
        }
        config
    }

    /// How a component is now.
    pub(crate) async fn look(&self, part: &Part) -> Health {
        self.daemon.health(&part.plugin, &Self::config(part, part.replicas), self.settings().step).await
    }

    /// Waits until a component is well, for so long at most. `aside` fires when another one failed meanwhile.
    pub(crate) async fn wait_well(
        &self,
        operation: &Operation,
        part: &Part,
        limit: Duration,
        aside: Option<&drp_plugin_sdk::CancellationToken>,
        enough: impl Fn(&Health) -> bool,
    ) -> Result<Health, Trouble> {
        let end = Instant::now() + limit;
        let never = drp_plugin_sdk::CancellationToken::new();
        let aside = aside.unwrap_or(&never);
        loop {
            let health = tokio::select! {
                () = operation.cancelled().cancelled() => return Err(Trouble::stopping()),
                () = aside.cancelled() => return Err(Trouble::Aside),
                health = self.look(part) => health,
            };
            if enough(&health) || Instant::now() > end {
                return Ok(health);
            }
            tokio::select! {
                () = operation.cancelled().cancelled() => return Err(Trouble::stopping()),
                () = aside.cancelled() => return Err(Trouble::Aside),
                () = sleep(self.settings().interval) => {}
            }
        }
    }

    /// How long a call that was sent before a restart may still be under way: not at all when the process that got it is
    /// gone, else as long as a step may take.
    pub(crate) async fn may_still_run(&self, part: &Part) -> Duration {
        let now = self.daemon.pid(&part.plugin).await;
        if part.pid.is_some() && now.is_some() && part.pid != now {
            return Duration::ZERO;
        }
        let since = time_since(&part.since);
        self.settings().step.saturating_sub(since)
    }
}

/// How long ago a time of the state was.
fn time_since(text: &str) -> Duration {
    let then: drp_plugin_sdk::protocol::Time =
        serde_json::from_value(Value::String(text.to_owned())).unwrap_or_default();
    let nanos = drp_plugin_sdk::protocol::Time::now().unix_nanos() - then.unix_nanos();
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}
