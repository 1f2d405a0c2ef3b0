//! What a cluster says about itself, and `restart-component`.

use crate::core::{Core, RESTART};
use crate::health::Health;
use crate::install::same_version;
use crate::plan::plan;
use crate::state::{Deployment, Part, Phase, Stage};
use crate::trouble::line;
use drp_plugin_sdk::protocol::JsonMap;
use drp_plugin_sdk::{Error, Value, json};
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

impl Core {
    /// `cluster-info`.
    pub(crate) fn info(&self) -> Value {
        let parts = self.cluster.components.iter();
        let components: Vec<Value> = parts
            .map(|part| {
                json!({
                    "name": part.name, "type": part.r#type, "version": part.version, "enabled": part.enabled,
                    "dependencies": part.dependencies,
                })
            })
            .collect();
        json!({
            "name": self.cluster.name, "version": self.cluster.version, "type": "cluster",
            "description": self.cluster.description, "components": components,
            "required_resources": self.cluster.resources, "network": self.cluster.network,
            "features": self.cluster.features,
        })
    }

    /// `list-components`: what is deployed, else what would be.
    pub(crate) async fn list(&self) -> Result<Value, Error> {
        let held = self.deployment.lock().await;
        let standing = held.as_ref().filter(|deployment| !deployment.phase.is_gone());
        if let Some(deployment) = standing {
            return Ok(deployment.components.iter().map(listed).collect());
        }
        let plan = plan(&self.cluster).map_err(|e| self.error(409, format!("list-components: {e}")))?;
        let planned = Deployment::new("", "", "", plan.clone(), vec![String::new(); plan.components.len()]);
        Ok(planned.components.iter().map(listed).collect())
    }

    /// `status`: what is stored, what the components say now, and where that differs.
    pub(crate) async fn status(self: &Arc<Self>) -> Value {
        let stored = self.deployment.lock().await.clone();
        let Some(deployment) = stored else {
            return json!({
                "cluster": self.cluster.name, "version": self.cluster.version, "status": "absent",
                "healthy": false, "components": [], "drift": [],
            });
        };
        let busy = self.is_busy();
        let healths = self.look_at_all(&deployment).await;
        let mut drift = Vec::new();
        let mut components = Vec::new();
        for (part, health) in deployment.components.iter().zip(&healths) {
            let differs = if busy { None } else { differs(part, health) };
            drift.extend(differs.as_ref().map(|text| json!({"component": part.name, "difference": text})));
            let mut shown = listed(part);
            shown["health"] = seen(health);
            shown["drift"] = json!(differs);
            components.push(shown);
        }
        let well = |(part, health): (&Part, &Health)| part.stage.is_up() && matches!(health, Health::Well(_));
        let healthy =
            deployment.phase == Phase::Running && deployment.components.iter().zip(&healths).all(well);
        let mut status = json!({
            "cluster": deployment.cluster,
            "version": deployment.version,
            "deployment_id": deployment.id,
            "status": if deployment.phase == Phase::Running && !healthy { "degraded" } else { deployment.phase.word() },
            "phase": deployment.phase.word(),
            "healthy": healthy,
            "under_way": busy,
            "interrupted": !busy && deployment.phase.is_under_way(),
            "operation": deployment.operation,
            "components": components,
            "drift": drift,
        });
        if !same_version(&deployment.version, &self.cluster.version) && !deployment.phase.is_gone() {
            status["upgrade_available"] = json!(self.cluster.version);
        }
        status
    }

    async fn look_at_all(self: &Arc<Self>, deployment: &Deployment) -> Vec<Health> {
        let turns = Arc::new(Semaphore::new(self.settings().parallel));
        let mut set = JoinSet::new();
        for (at, part) in deployment.components.iter().cloned().enumerate() {
            let (core, turns) = (self.clone(), turns.clone());
            set.spawn(async move {
                let _turn = turns.acquire_owned().await;
                (at, core.look(&part).await)
            });
        }
        let mut healths =
            vec![Health::Unknown("it could not be asked".to_owned()); deployment.components.len()];
        while let Some(looked) = set.join_next().await {
            if let Ok((at, health)) = looked {
                healths[at] = health;
            }
        }
        healths
    }

    /// `component-status`.
    pub(crate) async fn component_status(&self, name: &str) -> Result<Value, Error> {
        let part = self.deployed_part("component-status", name).await?;
        let health = self.look(&part).await;
        let mut shown = listed(&part);
        shown["health"] = seen(&health);
        shown["drift"] = json!(if self.is_busy() { None } else { differs(&part, &health) });
        Ok(shown)
    }

    /// `restart-component`: restarts it and waits until it is well.
    pub(crate) async fn restart_component(self: &Arc<Self>, name: &str) -> Result<Value, Error> {
        let part = self.deployed_part("restart-component", name).await?;
        self.operate(RESTART, true, move |core, operation, _| async move {
            let failed = |why: String| core.error(500, format!("restart-component: {}: {why}", part.name));
            let settings = core.settings();
            let stop = operation.cancelled();
            let why = |error| match error {
                crate::trouble::CallError::Failed(error) => failed(line(&error)),
                crate::trouble::CallError::Interrupted => failed("the plugin is being stopped".to_owned()),
            };
            let offer =
                core.daemon.ready(stop, &part.plugin, "restart", settings.start).await.map_err(why)?;
            core.tell(&part.name, "restarting", "").await;
            let mut params = JsonMap::new();
            params.insert("config".to_owned(), Self::config(&part, part.replicas).into());
            core.daemon.call(stop, &part.plugin, &offer, params, settings.step).await.map_err(why)?;
            let well = |health: &Health| matches!(health, Health::Well(_));
            let health = core.wait_well(&operation, &part, settings.health, None, well).await;
            let health = health.map_err(|trouble| core.interrupted("restart-component", &trouble))?;
            if !well(&health) {
                return Err(failed(format!("it was restarted and is not well: {}", health.text())));
            }
            core.tell(&part.name, "restarted", "").await;
            Ok(json!({"success": true, "component": part.name, "status": "running", "health": seen(&health)}))
        })
        .await
    }

    async fn deployed_part(&self, what: &str, name: &str) -> Result<Part, Error> {
        let held = self.deployment.lock().await;
        let Some(deployment) = held.as_ref() else {
            return Err(self.error(409, format!("{what}: cluster {} is not deployed", self.cluster.name)));
        };
        let at = deployment.position(name).ok_or_else(|| self.no_component(what, deployment, name))?;
        Ok(deployment.components[at].clone())
    }
}

fn listed(part: &Part) -> Value {
    json!({
        "name": part.name, "type": part.r#type, "version": part.version, "plugin": part.plugin,
        "dependencies": part.dependencies, "level": part.level, "replicas": part.replicas,
        "status": part.stage.word(), "since": part.since, "error": part.error,
    })
}

/// The record of a component's health now.
fn seen(health: &Health) -> Value {
    match health {
        Health::Well(version) => json!({"healthy": true, "status": health.word(), "version": version}),
        _ => json!({"healthy": false, "status": health.word(), "error": health.text()}),
    }
}

/// Where what is stored and what is there differ.
fn differs(part: &Part, health: &Health) -> Option<String> {
    let stored = part.stage.word();
    match (part.stage, health) {
        (stage, Health::Well(Some(version)))
            if stage.is_up() && !part.version.is_empty() && !same_version(version, &part.version) =>
        {
            Some(format!("version {} is stored, {version} is there", part.version))
        }
        (stage, Health::Well(_)) if stage.is_up() => None,
        (stage, _) if stage.is_up() => Some(format!("stored as {stored}, but: {}", health.text())),
        (Stage::Pending | Stage::Removed, Health::Well(_)) => {
            Some(format!("stored as {stored}, but it is there and healthy"))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::differs;
    use crate::health::Health;
    use crate::state::{Part, Stage};
    use drp_plugin_sdk::json;

    #[test]
    fn drift_is_what_differs() {
        let mut part: Part = serde_json::from_value(json!({
            "name": "a", "type": "taskserv", "plugin": "a-taskserv", "version": "1.0.0", "replicas": 1, "stage": "deployed",
        }))
        .unwrap();
        let well = |version: &str| Health::Well(Some(version.to_owned()));
        assert_eq!(differs(&part, &well("v1.0.0")), None);
        assert!(differs(&part, &well("2.0.0")).unwrap().contains("2.0.0 is there"));
        assert!(differs(&part, &Health::Absent).unwrap().contains("not installed"));
        part.stage = Stage::Removed;
        assert_eq!(differs(&part, &Health::Absent), None);
        assert!(differs(&part, &well("1.0.0")).unwrap().contains("is there and healthy"));
        part.stage = Stage::Failed;
        assert_eq!(differs(&part, &Health::Absent), None, "nobody says that it works");
    }
}
