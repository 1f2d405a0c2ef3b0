//! `scale` and `upgrade`: components change one after the other, and back when one fails.

use crate::core::Core;
use crate::health::Health;
use crate::install::same_version;
use crate::plan::MOST_REPLICAS;
use crate::state::{Cause, Former, Kind, Part, Phase, Stage, Undone};
use crate::trouble::Trouble;
use drp_plugin_sdk::protocol::{AvailableAction, JsonMap};
use drp_plugin_sdk::{Error, Operation, Value, json};
use std::sync::Arc;

impl Core {
    /// Gives a component so many replicas; without a name, all components of type `application`.
    pub(crate) async fn scale(
        self: &Arc<Self>,
        replicas: u64,
        component: Option<String>,
        wait: bool,
    ) -> Result<Value, Error> {
        if !(1..=MOST_REPLICAS).contains(&replicas) {
            return Err(self.error(400, format!("scale: replicas: {}", crate::plan::REPLICAS)));
        }
        self.operate("scale", wait, move |core, operation, begun| async move {
            let targets = {
                let held = core.deployment.lock().await;
                let deployment = core.standing(held.as_ref(), "scale")?;
                core.to_scale(deployment, replicas, component.as_deref())?
            };
            core.begin_alter(&operation, Kind::Scale, targets, "").await?;
            let _ = begun.send(core.begun("scaling").await);
            core.finish_alter(&operation, None).await
        })
        .await
    }

    /// Brings the components to the versions of the registered definition, which must be this one.
    pub(crate) async fn upgrade(self: &Arc<Self>, version: String, wait: bool) -> Result<Value, Error> {
        self.operate("upgrade", wait, move |core, operation, begun| async move {
            let targets = {
                let held = core.deployment.lock().await;
                let deployment = core.standing(held.as_ref(), "upgrade")?;
                core.to_upgrade(deployment, &version)?
            };
            core.begin_alter(&operation, Kind::Upgrade, targets, &core.cluster.version).await?;
            let _ = begun.send(core.begun("upgrading").await);
            core.finish_alter(&operation, None).await
        })
        .await
    }

    async fn begin_alter(
        &self,
        operation: &Operation,
        kind: Kind,
        targets: Vec<(usize, Former)>,
        version: &str,
    ) -> Result<(), Error> {
        let phase = if kind == Kind::Scale { Phase::Scaling } else { Phase::Upgrading };
        self.change(operation, |deployment| {
            deployment.begin(kind, phase);
            version.clone_into(&mut deployment.operation.version);
            for (at, target) in targets {
                deployment.components[at].target = Some(target);
            }
        })
        .await
        .map_err(|trouble| self.interrupted(kind.word(), &trouble))
    }

    /// Changes what is not changed yet; or changes everything back, when something failed before.
    pub(crate) async fn finish_alter(
        &self,
        operation: &Operation,
        failed: Option<Cause>,
    ) -> Result<Value, Error> {
        let kind =
            self.deployment.lock().await.as_ref().map_or(Kind::Scale, |deployment| deployment.operation.kind);
        let interrupted = |trouble: Trouble| self.interrupted(kind.word(), &trouble);
        let cause = match failed {
            Some(cause) => cause,
            None => match self.alter_all(operation, kind).await {
                Ok(components) => {
                    self.tell("", "running", "").await;
                    return Ok(json!({
                        "success": true, "cluster": self.cluster.name, "deployment_id": self.id(),
                        "status": "running", "components": components,
                    }));
                }
                Err(Trouble::Failed(cause)) => cause,
                Err(trouble) => return Err(interrupted(trouble)),
            },
        };
        Err(self.undo_alter(operation, kind, cause).await.map_err(interrupted)?)
    }

    async fn alter_all(&self, operation: &Operation, kind: Kind) -> Result<Vec<Value>, Trouble> {
        let count = self.change(operation, |deployment| deployment.components.len()).await?;
        for at in 0..count {
            let part = self.part(at).await?;
            let Some(target) = part.target.clone() else { continue };
            if part.former.is_some() && part.stage == Stage::Deployed {
                continue;
            }
            if let Err(trouble) = self.alter(operation, kind, at, &part, &target).await {
                if let Trouble::Failed(cause) = &trouble {
                    self.change(operation, |deployment| deployment.components[at].blame(&cause.error))
                        .await?;
                }
                return Err(trouble);
            }
        }
        self.change(operation, |deployment| {
            let changed = deployment.components.iter().filter(|part| part.former.is_some());
            let shown = |part: &Part| json!({
                "component": part.name, "status": part.stage.word(), "version": part.version, "replicas": part.replicas,
            });
            let list = changed.map(shown).collect();
            let version = std::mem::take(&mut deployment.operation.version);
            if !version.is_empty() {
                deployment.version = version;
            }
            deployment.end(Phase::Running);
            list
        })
        .await
    }

    async fn alter(
        &self,
        operation: &Operation,
        kind: Kind,
        at: usize,
        part: &Part,
        target: &Former,
    ) -> Result<(), Trouble> {
        let limit = self.settings().health;
        let reached = |health: &Health| match (kind, health) {
            (Kind::Upgrade, Health::Well(Some(version))) => same_version(version, &target.version),
            (_, health) => matches!(health, Health::Well(_)),
        };
        if part.stage == Stage::Changing && kind == Kind::Upgrade {
            // It was interrupted. An upgrade is sent once; only a status with the new version says that it went well.
            let limit = self.may_still_run(part).await.max(limit);
            let health = self.wait_well(operation, part, limit, None, reached).await?;
            if !matches!(&health, Health::Well(Some(version)) if same_version(version, &target.version)) {
                let text = format!(
                    "its upgrade was interrupted and did not come to {}: {}",
                    target.version,
                    shown_health(&health)
                );
                return Err(Trouble::failed(&part.name, kind.word(), text));
            }
        } else {
            self.send_change(operation, kind, at, part, target, Stage::Changing).await?;
            let health = self.wait_well(operation, part, limit, None, reached).await?;
            if !reached(&health) {
                let text =
                    format!("it was not well within {} s: {}", limit.as_secs_f64(), shown_health(&health));
                return Err(Trouble::failed(&part.name, "health", text));
            }
        }
        self.change(operation, |deployment| settle(&mut deployment.components[at], target)).await?;
        self.tell(&part.name, Stage::Deployed.word(), "").await;
        Ok(())
    }

    /// Sends the one call that changes a component, after what it was is written.
    async fn send_change(
        &self,
        operation: &Operation,
        kind: Kind,
        at: usize,
        part: &Part,
        target: &Former,
        stage: Stage,
    ) -> Result<(), Trouble> {
        let (offer, params) = self.change_call(operation, kind, part, target).await?;
        self.change(operation, |deployment| {
            let part = &mut deployment.components[at];
            if part.former.is_none() {
                part.former = Some(Former { version: part.version.clone(), replicas: part.replicas });
            }
        })
        .await?;
        self.before(operation, at, part, stage).await?;
        let (stop, limit) = (operation.cancelled(), self.settings().step);
        let answer = self.daemon.call(stop, &part.plugin, &offer, params, limit).await;
        answer.map_err(|e| e.of(&part.name, kind.word()))?;
        Ok(())
    }

    /// The action and its params: `upgrade`; for replicas `scale`, or `configure` where there is none.
    async fn change_call(
        &self,
        operation: &Operation,
        kind: Kind,
        part: &Part,
        target: &Former,
    ) -> Result<(AvailableAction, JsonMap), Trouble> {
        let (stop, limit) = (operation.cancelled(), self.settings().start);
        let mut params = JsonMap::new();
        if kind == Kind::Upgrade {
            let offer = self.daemon.ready(stop, &part.plugin, "upgrade", limit).await;
            params.insert("version".to_owned(), target.version.clone().into());
            params.insert("config".to_owned(), Self::config(part, part.replicas).into());
            return Ok((offer.map_err(|e| e.of(&part.name, "upgrade"))?, params));
        }
        // It runs when it offers `status`; then what it does not offer it does not have.
        let running = self.daemon.ready(stop, &part.plugin, "status", limit).await;
        running.map_err(|e| e.of(&part.name, "scale"))?;
        params.insert("config".to_owned(), Self::config_with(part, target.replicas).into());
        params.insert("replicas".to_owned(), target.replicas.into());
        for command in ["scale", "configure"] {
            if let Ok(offer) = self.daemon.offer(&part.plugin, command).await {
                return Ok((offer, params));
            }
        }
        let text = format!("{} offers neither scale nor configure, so it cannot be scaled", part.plugin);
        Err(Trouble::failed(&part.name, "scale", text))
    }

    /// The configuration that says how many, also when it is one.
    fn config_with(part: &Part, replicas: u64) -> JsonMap {
        let mut config = part.config.clone();
        config.insert("replicas".to_owned(), replicas.into());
        config
    }

    /// Changes back what was changed, the last first.
    async fn undo_alter(&self, operation: &Operation, kind: Kind, cause: Cause) -> Result<Error, Trouble> {
        let count = self
            .change(operation, |deployment| {
                deployment.phase = Phase::RollingBack;
                deployment.operation.cause = Some(cause.clone());
                deployment.components.len()
            })
            .await?;
        self.tell(&cause.component, "the cause of a rollback", &cause.error).await;
        let mut left = Vec::new();
        for at in (0..count).rev() {
            let part = self.part(at).await?;
            let Some(former) = part.former.clone() else { continue };
            let reason = match self.restore(operation, kind, at, &part, &former).await {
                Ok(()) => String::new(),
                Err(Trouble::Failed(cause)) => cause.error,
                Err(trouble) => return Err(trouble),
            };
            let good = reason.is_empty();
            if !good {
                left.push(part.name.clone());
            }
            let undone = Undone {
                component: part.name.clone(),
                step: "restore".to_owned(),
                outcome: if good { "done" } else { "failed" }.to_owned(),
                reason,
            };
            self.change(operation, |deployment| {
                let part = &mut deployment.components[at];
                if good {
                    settle(part, &former);
                    part.former = None;
                } else {
                    part.enter(Stage::Failed);
                    part.blame(&undone.reason);
                }
                deployment.operation.undone(undone);
            })
            .await?;
        }
        let undone = self
            .change(operation, |deployment| {
                deployment.end(if left.is_empty() { Phase::Running } else { Phase::Failed });
                deployment.operation.rollback.clone()
            })
            .await?;
        self.tell("", if left.is_empty() { "running" } else { "failed" }, "").await;
        Ok(self.report(kind, &cause, &undone, &left))
    }

    async fn restore(
        &self,
        operation: &Operation,
        kind: Kind,
        at: usize,
        part: &Part,
        former: &Former,
    ) -> Result<(), Trouble> {
        if kind == Kind::Upgrade && former.version.is_empty() {
            return Err(Trouble::failed(&part.name, "restore", "its former version is not known"));
        }
        self.send_change(operation, kind, at, part, former, Stage::Changing).await?;
        let limit = self.settings().health;
        let well = |health: &Health| matches!(health, Health::Well(_));
        match self.wait_well(operation, part, limit, None, well).await? {
            Health::Well(_) => Ok(()),
            health => Err(Trouble::failed(
                &part.name,
                "restore",
                format!("it is not well again: {}", health.text()),
            )),
        }
    }
}

/// The component is now so.
fn settle(part: &mut Part, now: &Former) {
    part.version.clone_from(&now.version);
    part.replicas = now.replicas;
    part.enter(Stage::Deployed);
}

fn shown_health(health: &Health) -> String {
    match health {
        Health::Well(Some(version)) => format!("healthy, version {version}"),
        other => other.text(),
    }
}
