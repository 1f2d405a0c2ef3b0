//! A task service as a plugin.

use crate::apply::{self, apply};
use crate::journal::Journal;
use crate::machine::Machine;
use crate::plan::{Plan, shown};
use crate::record::Record;
use crate::remove::{self, Manner, remove};
use crate::settings::{Connections, Settings};
use crate::state::{Phase, State};
use crate::{TaskservError, health, look};
use drp_plugin_sdk::protocol::HostedExtension;
use drp_plugin_sdk::{Action, Actor, Context, Error, Params, Plugin, Value, json};
use drp_protocol::JsonMap;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::Semaphore;

/// So many operations run at a time.
const AT_ONCE: usize = 16;

/// A task service: a version record, templates, and where it is installed. [`run`](Self::run) makes a plugin of it.
pub struct Taskserv {
    pub(crate) extension: HostedExtension,
    pub(crate) record: Record,
    templates: Option<PathBuf>,
    settings: RwLock<Arc<Settings>>,
    connections: Connections,
    turns: Semaphore,
}

/// What an operation is asked.
struct Asked {
    config: JsonMap,
    version: Option<String>,
    check: bool,
    force: bool,
    keep_data: bool,
}

impl Asked {
    fn read(action: &Action) -> Result<Self, Error> {
        let params = &action.params;
        let flag = |name: &str| params.get::<bool>(name).map(Option::unwrap_or_default);
        Ok(Self {
            config: params.get("config")?.unwrap_or_default(),
            version: params.get("version")?,
            check: flag("check")?,
            force: flag("force")?,
            keep_data: flag("keep-data")?,
        })
    }
}

impl Taskserv {
    /// The one that a registered extension describes: its version record and the `templates/` of its folder.
    ///
    /// # Errors
    /// [`TaskservError::Record`] names the field of the version record that cannot be.
    pub fn new(extension: HostedExtension) -> Result<Self, TaskservError> {
        let Some(record) = &extension.taskserv else {
            return Err(TaskservError::Record(format!(
                "{} has none: schemas/version.ncl wants a field taskserv_version",
                extension.name
            )));
        };
        let record = Record::read(record)?;
        let templates = Some(extension.root.join("templates"));
        Ok(Self {
            record,
            templates,
            settings: RwLock::new(Arc::new(Settings::new(&extension.plugin(), JsonMap::new()))),
            connections: Connections::default(),
            turns: Semaphore::new(AT_ONCE),
            extension,
        })
    }

    /// The same with templates of another folder.
    #[must_use]
    pub fn templates(mut self, folder: impl Into<PathBuf>) -> Self {
        self.templates = Some(folder.into());
        self
    }

    fn settings(&self) -> Arc<Settings> {
        self.settings.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn plan(&self, asked: &Asked, config: JsonMap, version: Option<&str>) -> Result<Plan, TaskservError> {
        let settings = self.settings();
        let root = settings.root(asked.config.get("target"))?;
        Plan::new(&self.record, config, version, &settings, &root, self.templates.as_ref())
    }

    async fn act(&self, ctx: &Context, action: &Action, asked: &Asked) -> Result<Value, TaskservError> {
        let command = action.command.as_str();
        let settings = self.settings();
        let sources = settings.sources()?;
        if command == "taskserv-info" {
            return Ok(self.info());
        }
        let config = asked.config.clone();
        if asked.check {
            let wanted =
                matches!(command, "install" | "upgrade").then_some(asked.version.as_deref()).flatten();
            let plan = self.plan(asked, config, wanted)?;
            return Ok(json!({
                "action": command, "service": plan.record.name, "version": plan.record.version, "check_mode": true,
                format!("would_{command}"): true,
                // Nobody asks the machine: that would want credentials.
                "requirements": self.requirements(&plan), "plan": shown(&plan),
            }));
        }
        if command == "get-available-versions"
            && let Some(versions) = look::known(&self.record, &sources)
        {
            return Ok(json!(versions));
        }
        let machine = settings.machine(asked.config.get("target"), &self.connections)?;
        let answer = self.on(&machine, ctx, command, asked, config).await;
        self.connections.done(machine).await;
        answer
    }

    async fn on(
        &self,
        machine: &Machine,
        ctx: &Context,
        command: &str,
        asked: &Asked,
        config: JsonMap,
    ) -> Result<Value, TaskservError> {
        let sources = self.settings().sources()?;
        let changing = Journal::new(ctx, command, &apply::STEPS);
        match command {
            "install" => {
                let plan = self.plan(asked, config, asked.version.as_deref())?;
                let done = apply(machine, &plan, &sources, &changing).await?;
                Ok(self.installed(machine, &plan, &changing, done.changed).await)
            }
            "configure" | "upgrade" => {
                let here = self.plan(asked, config.clone(), None)?;
                let state = self.state(machine, &here).await?;
                // What was configured stays, as far as nothing else is said.
                let mut config = state.config.clone();
                config.extend(asked.config.clone());
                let version =
                    if command == "upgrade" { asked.version.clone() } else { Some(state.version.clone()) };
                if version.as_deref().is_none_or(str::is_empty) {
                    return Err(TaskservError::Config("upgrade wants a version".to_owned()));
                }
                let plan = self.plan(asked, config, version.as_deref())?;
                let done = apply(machine, &plan, &sources, &changing).await?;
                let mut answer = self.installed(machine, &plan, &changing, done.changed).await;
                answer["previous_version"] = json!(done.before);
                Ok(answer)
            }
            "uninstall" => {
                let plan = self.plan(asked, config, None)?;
                let journal = Journal::new(ctx, command, &remove::STEPS);
                remove(machine, &plan, Manner { force: asked.force, keep_data: asked.keep_data }, &journal)
                    .await
            }
            "status" => look::status(machine, &self.as_installed(machine, asked).await?).await,
            "restart" => {
                let plan = self.as_installed(machine, asked).await?;
                let state = self.state(machine, &plan).await?;
                let Some(unit) = &state.unit else {
                    return Err(TaskservError::State(format!("{} has no unit to restart", plan.record.name)));
                };
                let journal = Journal::new(ctx, command, &["restart", "health"]);
                journal
                    .step("restart", async {
                        machine.run(&["systemctl", "restart", unit], "systemctl restart").await.map(|_| true)
                    })
                    .await?;
                let health =
                    journal.step("health", async { health::wait(machine, &plan).await.map(|_| false) }).await;
                health.map_err(|cause| journal.changed(cause, "it was restarted"))?;
                Ok(json!({"success": true, "service": plan.record.name, "status": "running"}))
            }
            "get-current-version" => {
                Ok(json!(look::current(machine, &self.plan(asked, config, None)?).await?))
            }
            "get-available-versions" => Ok(json!(look::available(machine, &self.record, &sources).await?)),
            "check-updates" => {
                let plan = self.plan(asked, config, None)?;
                let current = look::current(machine, &plan).await?;
                let versions = match look::known(&plan.record, &sources) {
                    Some(versions) => versions,
                    None => look::available(machine, &plan.record, &sources).await?,
                };
                Ok(look::updates(&plan.record, &current, &versions))
            }
            _ => Err(TaskservError::Config(format!("there is no operation {command}"))),
        }
    }

    async fn state(&self, machine: &Machine, plan: &Plan) -> Result<State, TaskservError> {
        let name = &plan.record.name;
        match State::read(machine, &plan.here).await? {
            Some(State { phase: Phase::Changing, .. }) => Err(TaskservError::State(format!(
                "a change of {name} on {} did not end; install or uninstall it",
                machine.ssh.target()
            ))),
            Some(state) => Ok(state),
            None => Err(TaskservError::State(format!("{name} is not installed on {}", machine.ssh.target()))),
        }
    }

    /// The plan of what is there, so that its own configuration says how its health is looked at.
    async fn as_installed(&self, machine: &Machine, asked: &Asked) -> Result<Plan, TaskservError> {
        let plan = self.plan(asked, asked.config.clone(), None)?;
        let Some(state) = State::read(machine, &plan.here).await? else { return Ok(plan) };
        let mut config = state.config;
        config.extend(asked.config.clone());
        let version = Some(state.version).filter(|version| !version.is_empty());
        self.plan(asked, config, version.as_deref())
    }

    async fn installed(&self, machine: &Machine, plan: &Plan, journal: &Journal<'_>, changed: bool) -> Value {
        let health = health::look(machine, plan).await;
        let health = health.unwrap_or_else(|error| Err(error.to_string()));
        json!({
            "success": true, "service": plan.record.name, "version": plan.record.version,
            "status": if plan.has_unit() { "running" } else { "installed" },
            "health": health::told(&health), "changed": changed, "steps": journal.told(),
        })
    }

    fn requirements(&self, plan: &Plan) -> Vec<String> {
        let programs = crate::fetch::programs(plan).into_iter().map(|name| match name {
            "curl" => "curl or wget".to_owned(),
            name => name.to_owned(),
        });
        programs.chain(plan.record.dependencies.iter().map(|other| other.name.clone())).collect()
    }

    fn info(&self) -> Value {
        let Record { name, version, install, service, dependencies, .. } = &self.record;
        let paths = |path: &Option<String>| path.iter().cloned().collect::<Vec<_>>();
        json!({
            "name": name, "version": version, "type": "taskserv", "description": self.extension.description,
            "dependencies": dependencies.iter().map(|other| &other.name).collect::<Vec<_>>(),
            "ports": service.ports,
            "config_files": paths(&install.config_path),
            "data_directories": paths(&install.data_path),
        })
    }
}

impl Plugin for Taskserv {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let mut all = JsonMap::new();
        for setting in &self.extension.settings {
            let value = params.value(&self.extension.param(&setting.name)).or(setting.default.as_ref());
            if let Some(value) = value {
                all.insert(setting.name.clone(), value.clone());
            }
        }
        let settings = Settings::new(&self.extension.plugin(), all);
        settings.sources().map_err(|error| error.told(&ctx.name(), "config"))?;
        *self.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        Ok(())
    }
}

impl Actor for Taskserv {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let asked = Asked::read(&action)?;
        let _turn = self.turns.acquire().await.map_err(ctx.failed(500))?;
        let stopping = ctx.cancelled();
        let work = self.act(ctx, &action, &asked);
        tokio::select! {
            answer = work => answer.map_err(|error| error.told(&action.plugin, &action.command)),
            () = stopping.cancelled() => Err(ctx.error(
                503,
                format!(
                    "the plugin was stopped during {}; what was before is kept on the machine, and the next install or uninstall goes back to it",
                    action.command
                ),
            )),
        }
    }
}
