//! `create`: the plan, its components in order, and back when one fails.

use crate::core::Core;
use crate::plan::{Plan, merged, plan, startable};
use crate::state::{Cause, Deployment, Kind, Part, Phase, Undone};
use crate::trouble::Trouble;
use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::{CancellationToken, Error, Operation, Value, json};
use std::sync::Arc;
use tokio::task::JoinSet;

/// What a caller of `create` wants, planned.
pub(crate) struct Wanted {
    pub(crate) plan: Plan,
    config: JsonMap,
}

impl Wanted {
    /// The plan for a definition with the caller's changes; code 400 says what is wrong with them.
    pub(crate) fn new(core: &Core, config: &JsonMap) -> Result<Self, Error> {
        let refused = |e: crate::plan::PlanError| core.error(400, format!("create: {e}"));
        let changed = merged(&core.cluster, config).map_err(refused)?;
        Ok(Self { plan: plan(&changed).map_err(refused)?, config: config.clone() })
    }

    /// The record of check mode. `plugins` are those of the components, `None` when nobody could be asked.
    pub(crate) fn checked(
        &self,
        core: &Core,
        plugins: Option<&[Option<String>]>,
        stands: Option<&Deployment>,
    ) -> Value {
        let components: Vec<Value> = self
            .plan
            .components
            .iter()
            .enumerate()
            .map(|(at, part)| {
                json!({
                    "name": part.name, "type": part.r#type, "version": part.version, "level": part.level,
                    "dependencies": part.dependencies, "replicas": part.replicas, "config": part.config,
                    "plugin": plugins.and_then(|plugins| plugins.get(at)).cloned().flatten(),
                })
            })
            .collect();
        let missing = plugins.map(|plugins| missing(&self.plan, plugins)).unwrap_or_default();
        let mut issues: Vec<String> = missing.iter().map(|name| absent(name)).collect();
        let stands = stands.filter(|deployment| !deployment.phase.is_gone());
        if let Some(deployment) = stands {
            issues.push(format!("the cluster is {} already", deployment.phase.word()));
        }
        json!({
            "action": "create-cluster",
            "cluster": core.cluster.name,
            "version": core.cluster.version,
            "check_mode": true,
            "would_create": issues.is_empty(),
            "components": components,
            "plan": {"levels": self.plan.levels(), "parallel": core.settings().parallel},
            "requirements_check": {
                "checked": plugins.is_some(), "met": issues.is_empty(), "missing": missing, "issues": issues,
                "resources": core.cluster.resources,
            },
        })
    }
}

/// Components whose extension is not there.
fn missing(plan: &Plan, plugins: &[Option<String>]) -> Vec<String> {
    let pairs = plan.components.iter().zip(plugins);
    pairs.filter(|(_, plugin)| plugin.is_none()).map(|(part, _)| part.name.clone()).collect()
}

fn absent(component: &str) -> String {
    format!(
        "no extension is registered for component {component}: there is neither a plugin {component}-taskserv nor a plugin {component}"
    )
}

impl Core {
    /// Deploys the cluster.
    pub(crate) async fn create(self: &Arc<Self>, wanted: Wanted, wait: bool) -> Result<Value, Error> {
        self.operate("create", wait, move |core, operation, begun| async move {
            core.begin_create(&operation, wanted).await?;
            let _ = begun.send(core.begun("deploying").await);
            core.finish_create(&operation, None).await
        })
        .await
    }

    /// What is answered to who does not wait.
    pub(crate) async fn begun(&self, status: &str) -> Value {
        let components = self.results().await;
        json!({
            "success": true, "components": components, "cluster": self.cluster.name, "deployment_id": self.id(), "status": status,
            "message": format!("under way; `status` of plugin {} and events extensions.progress.{} show how far it is", self.id(), self.id()),
        })
    }

    async fn begin_create(&self, operation: &Operation, wanted: Wanted) -> Result<(), Error> {
        if let Some(deployment) = self.deployment.lock().await.as_ref()
            && !deployment.phase.is_gone()
        {
            let phase = deployment.phase;
            let advice = match phase {
                Phase::Running => "use scale or upgrade, or delete it first",
                Phase::Failed => "what is left of it has to be deleted first, with force when that fails",
                _ => "an operation was interrupted: start the plugin anew, or delete the cluster",
            };
            let text = format!("create: cluster {} is {} already: {advice}", self.cluster.name, phase.word());
            return Err(self.error(409, text));
        }
        let names: Vec<&str> = wanted.plan.components.iter().map(|part| part.name.as_str()).collect();
        let plugins = self.daemon.plugins_of(&names).await?;
        let missing = missing(&wanted.plan, &plugins);
        if !missing.is_empty() {
            let mut error =
                self.error(409, format!("create: cluster {} needs more extensions", self.cluster.name));
            error.messages.extend(missing.iter().map(|name| absent(name)));
            return Err(
                error.and("What to do: register them with `drp ext register`, or disable the components")
            );
        }
        let plugins = plugins.into_iter().flatten().collect();
        let Core { cluster, .. } = self;
        let mut deployment =
            Deployment::new(&self.id(), &cluster.name, &cluster.version, wanted.plan, plugins);
        deployment.config = wanted.config;
        *self.deployment.lock().await = Some(deployment);
        if let Err(trouble) = self.change(operation, |_| ()).await {
            // Nothing was done, so nothing is to be remembered.
            *self.deployment.lock().await = None;
            return Err(self.interrupted("create", &trouble));
        }
        self.tell("", "begun", "").await;
        Ok(())
    }

    /// Deploys what is not deployed yet; or undoes everything, when something failed before.
    pub(crate) async fn finish_create(
        self: &Arc<Self>,
        operation: &Operation,
        failed: Option<Cause>,
    ) -> Result<Value, Error> {
        let cause = match failed {
            Some(cause) => cause,
            None => match self.deploy(operation).await {
                Ok(()) => {
                    let ended = self.change(operation, |deployment| deployment.end(Phase::Running)).await;
                    ended.map_err(|trouble| self.interrupted("create", &trouble))?;
                    self.tell("", "running", "").await;
                    return Ok(self.created().await);
                }
                Err(Trouble::Failed(cause)) => cause,
                Err(trouble) => return Err(self.interrupted("create", &trouble)),
            },
        };
        self.undo_create(operation, cause)
            .await
            .map_err(|trouble| self.interrupted("create", &trouble))
            .and_then(Err)
    }

    /// All components, each after those it depends on, so many at once as the settings allow.
    async fn deploy(self: &Arc<Self>, operation: &Operation) -> Result<(), Trouble> {
        let aside = CancellationToken::new();
        let mut running: Vec<usize> = Vec::new();
        let mut set: JoinSet<(usize, Result<(), Trouble>)> = JoinSet::new();
        let mut failure: Option<Trouble> = None;
        loop {
            if failure.is_none() && !operation.cancelled().is_cancelled() {
                for at in self.next(&running).await {
                    running.push(at);
                    let (core, operation, aside) = (self.clone(), operation.clone(), aside.clone());
                    set.spawn(async move { (at, core.install(&operation, at, &aside).await) });
                }
            }
            match set.join_next().await {
                None => break,
                Some(Ok((at, outcome))) => {
                    running.retain(|running| *running != at);
                    match outcome {
                        Ok(()) | Err(Trouble::Aside) => {}
                        Err(trouble) => {
                            aside.cancel();
                            // An interruption goes before a failure: what failed may have failed for it.
                            if failure.is_none() || matches!(trouble, Trouble::Interrupted(_)) {
                                failure = Some(trouble);
                            }
                        }
                    }
                }
                Some(Err(panicked)) => {
                    aside.cancel();
                    failure.get_or_insert(Trouble::Interrupted(format!(
                        "a step ended by a fault of the engine: {panicked}"
                    )));
                }
            }
        }
        match failure {
            Some(trouble) => Err(trouble),
            None if operation.cancelled().is_cancelled() => Err(Trouble::stopping()),
            None => Ok(()),
        }
    }

    async fn next(&self, running: &[usize]) -> Vec<usize> {
        let held = self.deployment.lock().await;
        let Some(deployment) = held.as_ref() else { return Vec::new() };
        startable(&deployment.turns(running), &deployment.needs(), self.settings().parallel)
    }

    /// Removes what was deployed, the last first, and tells the cause and every step.
    async fn undo_create(&self, operation: &Operation, cause: Cause) -> Result<Error, Trouble> {
        let count = self
            .change(operation, |deployment| {
                deployment.phase = Phase::RollingBack;
                deployment.operation.cause = Some(cause.clone());
                deployment.components.len()
            })
            .await?;
        self.tell(&cause.component, "the cause of a rollback", &cause.error).await;
        for at in (0..count).rev() {
            let part = self.part(at).await?;
            if !part.stage.may_be_there() {
                continue;
            }
            let reason = self.remove(operation, at, true, false).await?.unwrap_or_default();
            let outcome = if reason.is_empty() { "done" } else { "failed" };
            let undone = Undone {
                component: part.name,
                step: "uninstall".to_owned(),
                outcome: outcome.to_owned(),
                reason: reason.clone(),
            };
            self.change(operation, |deployment| deployment.operation.undone(undone)).await?;
        }
        let (left, undone) = self
            .change(operation, |deployment| {
                let left: Vec<String> = deployment.left().into_iter().map(str::to_owned).collect();
                deployment.end(if left.is_empty() { Phase::RolledBack } else { Phase::Failed });
                (left, deployment.operation.rollback.clone())
            })
            .await?;
        self.tell("", if left.is_empty() { "rolled-back" } else { "failed" }, "").await;
        Ok(self.report(Kind::Create, &cause, &undone, &left))
    }

    /// The error of an operation that failed: the cause, every step of undoing, and what is left.
    pub(crate) fn report(&self, kind: Kind, cause: &Cause, undone: &[Undone], left: &[String]) -> Error {
        let mut error = self.error(
            500,
            format!(
                "{} of cluster {} failed at component {} ({}): {}",
                kind.word(),
                self.cluster.name,
                cause.component,
                cause.step,
                cause.error
            ),
        );
        for Undone { component, step, outcome, reason } in undone {
            error.messages.push(match reason.is_empty() {
                true => format!("rollback: {component}: {step} {outcome}"),
                false => format!("rollback: {component}: {step} {outcome}: {reason}"),
            });
        }
        error.and(match (kind, left.is_empty()) {
            (Kind::Create, true) => "nothing of the cluster is left".to_owned(),
            (Kind::Create, false) => format!(
                "something may be left of {}; What to do: mend the reason, then delete the cluster; with force it is forgotten even so",
                left.join(", ")
            ),
            (_, true) => "the cluster is as it was before".to_owned(),
            (_, false) => format!("not as before: {}; What to do: mend the reason and try again, or delete the cluster", left.join(", ")),
        })
    }

    pub(crate) fn interrupted(&self, what: &str, trouble: &Trouble) -> Error {
        let why = match trouble {
            Trouble::Interrupted(why) => why.clone(),
            Trouble::Failed(cause) => cause.error.clone(),
            Trouble::Aside => "another component failed".to_owned(),
        };
        let text = format!("{what} of cluster {} was interrupted: {why}", self.cluster.name);
        self.error(503, text).and("Where it was is stored; it is taken up when the plugin starts again")
    }

    async fn created(&self) -> Value {
        json!({
            "success": true, "cluster": self.cluster.name, "version": self.cluster.version,
            "deployment_id": self.id(), "components": self.results().await, "status": "running",
        })
    }

    /// How far each component is.
    async fn results(&self) -> Vec<Value> {
        let held = self.deployment.lock().await;
        let parts = held.as_ref().map(|deployment| deployment.components.as_slice()).unwrap_or_default();
        let result = |part: &Part| {
            json!({
                "component": part.name, "status": part.stage.word(), "version": part.version, "plugin": part.plugin,
                "replicas": part.replicas,
            })
        };
        parts.iter().map(result).collect()
    }
}
