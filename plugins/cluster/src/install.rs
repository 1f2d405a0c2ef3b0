//! One component comes and goes.

use crate::core::Core;
use crate::health::Health;
use crate::state::{Part, Stage};
use crate::trouble::Trouble;
use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::{CancellationToken, Operation, tracing};

impl Core {
    /// Installs a component and waits until it is well. `install` is sent at most once in the life of a deployment: of
    /// one that was interrupted, `status` tells whether it went well.
    pub(crate) async fn install(
        &self,
        operation: &Operation,
        at: usize,
        aside: &CancellationToken,
    ) -> Result<(), Trouble> {
        let part = self.part(at).await?;
        let outcome = match part.stage {
            Stage::Pending => self.send_install(operation, at, &part).await,
            Stage::Installing => self.settle_install(operation, &part).await.map(|()| true),
            _ => Ok(true),
        };
        match outcome {
            Ok(true) => {}
            Ok(false) => return Ok(()),
            Err(Trouble::Failed(cause)) => {
                // What was never sent left nothing behind.
                let stage = self.part(at).await?.stage;
                let stage = if stage == Stage::Pending { Stage::Pending } else { Stage::Failed };
                self.enter(operation, at, stage, &cause.error).await?;
                return Err(Trouble::Failed(cause));
            }
            Err(other) => return Err(other),
        }
        self.enter(operation, at, Stage::Waiting, "").await?;
        let limit = self.settings().health;
        let well = |health: &Health| matches!(health, Health::Well(_));
        match self.wait_well(operation, &part, limit, Some(aside), well).await? {
            Health::Well(_) => self.enter(operation, at, Stage::Deployed, "").await,
            health => {
                let text = format!("it was not well within {} s: {}", limit.as_secs_f64(), health.text());
                self.enter(operation, at, Stage::Failed, &text).await?;
                Err(Trouble::failed(&part.name, "health", text))
            }
        }
    }

    /// `false`: it was there already.
    async fn send_install(&self, operation: &Operation, at: usize, part: &Part) -> Result<bool, Trouble> {
        let settings = self.settings();
        let stop = operation.cancelled();
        let offer = self.daemon.ready(stop, &part.plugin, "install", settings.start).await;
        let offer = offer.map_err(|e| e.of(&part.name, "install"))?;
        if let Health::Well(version) = self.look(part).await {
            let is = version.unwrap_or_default();
            if !part.version.is_empty() && !is.is_empty() && !same_version(&is, &part.version) {
                let text = format!(
                    "version {is} of it is there already and {} is wanted: upgrade it with `drp taskserv upgrade` first",
                    part.version
                );
                return Err(Trouble::failed(&part.name, "install", text));
            }
            self.enter(operation, at, Stage::Found, "").await?;
            return Ok(false);
        }
        self.before(operation, at, part, Stage::Installing).await?;
        let mut params = JsonMap::new();
        params.insert("config".to_owned(), Core::config(part, part.replicas).into());
        params.insert("wait".to_owned(), true.into());
        if !part.version.is_empty() {
            params.insert("version".to_owned(), part.version.clone().into());
        }
        let answer = self.daemon.call(stop, &part.plugin, &offer, params, settings.step).await;
        answer.map_err(|e| e.of(&part.name, "install"))?;
        Ok(true)
    }

    /// Writes what is about to be done, with the process that is told to.
    pub(crate) async fn before(
        &self,
        operation: &Operation,
        at: usize,
        part: &Part,
        stage: Stage,
    ) -> Result<(), Trouble> {
        let pid = self.daemon.pid(&part.plugin).await;
        self.change(operation, |deployment| {
            let part = &mut deployment.components[at];
            part.enter(stage);
            part.pid = pid;
        })
        .await?;
        self.tell(&part.name, stage.word(), "").await;
        Ok(())
    }

    /// Finds out how an installation went that was interrupted.
    async fn settle_install(&self, operation: &Operation, part: &Part) -> Result<(), Trouble> {
        let settings = self.settings();
        let ready = self.daemon.ready(operation.cancelled(), &part.plugin, "status", settings.start).await;
        ready.map_err(|e| e.of(&part.name, "status"))?;
        let limit = self.may_still_run(part).await;
        let health = match limit.is_zero() {
            // The process that installed it is gone: what is not there does not come any more.
            true => {
                self.wait_well(operation, part, settings.health, None, |h| {
                    !matches!(h, Health::Unknown(_) | Health::Unwell(_))
                })
                .await?
            }
            false => {
                self.tell(&part.name, Stage::Installing.word(), "it may still be installed").await;
                self.wait_well(operation, part, limit, None, |h| matches!(h, Health::Well(_))).await?
            }
        };
        match health {
            Health::Well(_) => Ok(()),
            health => {
                let text = format!("its installation was interrupted, and it is not well: {}", health.text());
                Err(Trouble::failed(&part.name, "install", text))
            }
        }
    }

    /// Removes a component; `Ok(Some(why))` when it could not be.
    pub(crate) async fn remove(
        &self,
        operation: &Operation,
        at: usize,
        force: bool,
        keep_data: bool,
    ) -> Result<Option<String>, Trouble> {
        let part = self.part(at).await?;
        match self.send_uninstall(operation, at, &part, force, keep_data).await {
            Ok(()) => {
                self.enter(operation, at, Stage::Removed, "").await?;
                Ok(None)
            }
            Err(Trouble::Failed(cause)) => {
                self.enter(operation, at, Stage::Left, &cause.error).await?;
                Ok(Some(cause.error))
            }
            Err(other) => Err(other),
        }
    }

    async fn send_uninstall(
        &self,
        operation: &Operation,
        at: usize,
        part: &Part,
        force: bool,
        keep_data: bool,
    ) -> Result<(), Trouble> {
        let settings = self.settings();
        let stop = operation.cancelled();
        let offer = self.daemon.ready(stop, &part.plugin, "uninstall", settings.start).await;
        let offer = offer.map_err(|e| e.of(&part.name, "uninstall"))?;
        // What was sent before a restart may still be under way; two at once would be worse than waiting.
        if operation_was_interrupted(part) {
            let limit = self.may_still_run(part).await;
            let (installing, removing) = (part.stage == Stage::Installing, part.stage == Stage::Removing);
            if !limit.is_zero() || removing {
                let enough = |health: &Health| match health {
                    Health::Absent => removing,
                    Health::Well(_) => installing,
                    _ => false,
                };
                let health = self.wait_well(operation, part, limit, None, enough).await?;
                if removing && health == Health::Absent {
                    return Ok(());
                }
            }
        }
        self.before(operation, at, part, Stage::Removing).await?;
        let mut params = JsonMap::new();
        params.insert("config".to_owned(), Core::config(part, part.replicas).into());
        if force {
            params.insert("force".to_owned(), true.into());
        }
        if keep_data {
            params.insert("keep-data".to_owned(), true.into());
        }
        let answer = self.daemon.call(stop, &part.plugin, &offer, params, settings.step).await;
        match answer.map_err(|e| e.of(&part.name, "uninstall")) {
            Ok(_) => Ok(()),
            Err(Trouble::Failed(cause)) => {
                // Who fails to remove what is not there has nothing left to remove.
                if self.look(part).await == Health::Absent {
                    tracing::warn!("{}: {}; it is not there", part.name, cause.error);
                    return Ok(());
                }
                Err(Trouble::Failed(cause))
            }
            Err(other) => Err(other),
        }
    }
}

/// Its stage says that a call was sent, and this process did not send it.
fn operation_was_interrupted(part: &Part) -> bool {
    matches!(part.stage, Stage::Installing | Stage::Removing)
}

/// Versions are the same with and without a leading `v`.
pub(crate) fn same_version(one: &str, other: &str) -> bool {
    one.strip_prefix('v').unwrap_or(one) == other.strip_prefix('v').unwrap_or(other)
}
