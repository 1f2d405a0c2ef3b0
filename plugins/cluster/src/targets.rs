//! What `scale` and `upgrade` have to change.

use crate::core::Core;
use crate::install::same_version;
use crate::plan::{merged, plan, same_name};
use crate::state::{Deployment, Former, Part, Phase, Stage};
use drp_plugin_sdk::Error;
use drp_plugin_sdk::protocol::JsonMap;

impl Core {
    pub(crate) fn to_scale(
        &self,
        deployment: &Deployment,
        replicas: u64,
        component: Option<&str>,
    ) -> Result<Vec<(usize, Former)>, Error> {
        let chosen: Vec<usize> = match component {
            Some(name) => {
                vec![deployment.position(name).ok_or_else(|| self.no_component("scale", deployment, name))?]
            }
            None => {
                let parts = deployment.components.iter().enumerate();
                let own = |part: &Part| part.r#type == "application" && part.stage != Stage::Found;
                parts.filter(|(_, part)| own(part)).map(|(at, _)| at).collect()
            }
        };
        if chosen.is_empty() {
            let text = "scale: no component is of type application: name the component that shall be scaled";
            return Err(self.error(400, text));
        }
        let mut targets = Vec::new();
        for at in chosen {
            let part = &deployment.components[at];
            if part.stage == Stage::Found {
                let text = format!(
                    "scale: {} was there before the cluster: scale it by its own extension",
                    part.name
                );
                return Err(self.error(409, text));
            }
            targets.push((at, Former { version: part.version.clone(), replicas }));
        }
        Ok(targets)
    }

    pub(crate) fn to_upgrade(
        &self,
        deployment: &Deployment,
        version: &str,
    ) -> Result<Vec<(usize, Former)>, Error> {
        let registered = &self.cluster.version;
        if !same_version(version, registered) {
            let text = format!("upgrade: the registered definition is version {registered}, not {version}");
            return Err(self
                .error(409, text)
                .and("What to do: register that version of the cluster's extension first"));
        }
        let refused = |e: crate::plan::PlanError| self.error(409, format!("upgrade: {e}"));
        // What the caller of `create` changed stays changed, components that were left out stay out.
        let changes: JsonMap = deployment
            .config
            .iter()
            .filter(|(field, _)| !["name", "version"].contains(&field.as_str()))
            .map(|(field, value)| (field.clone(), value.clone()))
            .collect();
        let wanted = plan(&merged(&self.cluster, &changes).map_err(refused)?).map_err(refused)?;
        let known = |name: &str| deployment.position(name).is_some();
        let new: Vec<&str> =
            wanted.components.iter().map(|part| part.name.as_str()).filter(|name| !known(name)).collect();
        let gone = |part: &&Part| !wanted.components.iter().any(|new| same_name(&new.name, &part.name));
        let gone: Vec<&str> =
            deployment.components.iter().filter(gone).map(|part| part.name.as_str()).collect();
        if !new.is_empty() || !gone.is_empty() {
            let text = format!(
                "upgrade: version {registered} has other components (new: {}; gone: {})",
                shown(&new),
                shown(&gone)
            );
            return Err(self.error(409, text).and("What to do: delete the cluster and create it anew"));
        }
        let mut targets = Vec::new();
        for (at, part) in deployment.components.iter().enumerate() {
            let new = wanted.components.iter().find(|new| same_name(&new.name, &part.name));
            let Some(new) =
                new.filter(|new| !new.version.is_empty() && !same_version(&new.version, &part.version))
            else {
                continue;
            };
            if part.stage == Stage::Found {
                let text = format!(
                    "upgrade: {} was there before the cluster: upgrade it by its own extension",
                    part.name
                );
                return Err(self.error(409, text));
            }
            targets.push((at, Former { version: new.version.clone(), replicas: part.replicas }));
        }
        Ok(targets)
    }

    /// The deployment that can be changed.
    pub(crate) fn standing<'a>(
        &self,
        deployment: Option<&'a Deployment>,
        what: &str,
    ) -> Result<&'a Deployment, Error> {
        let phase = deployment.map_or("not deployed", |deployment| deployment.phase.word());
        deployment.filter(|deployment| deployment.phase == Phase::Running).ok_or_else(|| {
            self.error(409, format!("{what}: cluster {} is {phase}; it has to be running", self.cluster.name))
        })
    }

    pub(crate) fn no_component(&self, what: &str, deployment: &Deployment, name: &str) -> Error {
        let names: Vec<&str> = deployment.components.iter().map(|part| part.name.as_str()).collect();
        self.error(
            404,
            format!("{what}: {name:?} is no component of the cluster: they are {}", names.join(", ")),
        )
    }
}

fn shown(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
