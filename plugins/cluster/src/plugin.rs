//! The hooks, and the definition of the provider that a cluster becomes.

use crate::core::{Core, REQUEST};
use crate::create::Wanted;
use crate::daemon::{Daemon, input};
use crate::plan::Cluster;
use crate::settings::{self, Settings};
use crate::state::TYPE;
use drp_plugin_sdk::protocol::extension_operations::CLUSTER;
use drp_plugin_sdk::protocol::{HostedExtension, JsonMap};
use drp_plugin_sdk::{
    Action, Actor, Command, Context, Definition, Error, Params, Plugin, Value, json, tracing,
};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// An operation gets this long to come to a point from which it can be taken up again.
const STOP_LIMIT: Duration = Duration::from_secs(8);

/// A registered cluster.
pub(crate) struct Engine {
    extension: HostedExtension,
    cluster: Cluster,
    core: RwLock<Option<Arc<Core>>>,
}

/// The definition of a cluster's provider: every operation of a cluster as an action on the plugin itself.
pub(crate) fn definition(extension: &HostedExtension) -> Definition<Engine> {
    let mut definition = Definition::new(extension.plugin(), extension.version.clone())
        .describe(match extension.description.as_str() {
            "" => format!("Cluster {}", extension.name),
            text => text.to_owned(),
        })
        .document(include_str!("about.md"))
        .auto_start()
        .store_objects(TYPE, json!({"Cluster": {"type": "string"}, "State": {"type": "string"}}))
        .stop_deadline(STOP_LIMIT + Duration::from_secs(2));
    for (param, required) in settings::params(extension) {
        definition = if required { definition.required(param) } else { definition.optional(param) };
    }
    for operation in CLUSTER {
        let mut command = Command::on("plugins", operation.name);
        for given in operation.inputs {
            command = match given.required {
                true => command.required(input(given.name)),
                false => command.optional(input(given.name)),
            };
        }
        if operation.check {
            command = command.optional(input("check"));
        }
        if operation.wait {
            command = command.optional(input("wait"));
        }
        definition = definition.action(command);
    }
    definition
}

impl Engine {
    pub(crate) fn new(extension: HostedExtension, cluster: Cluster) -> Self {
        Self { extension, cluster, core: RwLock::default() }
    }

    fn core(&self) -> Option<Arc<Core>> {
        self.core.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn configured(&self, ctx: &Context) -> Result<Arc<Core>, Error> {
        self.core().ok_or_else(|| ctx.error(409, "the plugin is not configured; look at its errors"))
    }
}

impl Plugin for Engine {
    async fn config(&self, ctx: &Context, params: Params) -> Result<(), Error> {
        let settings = Settings::read(&self.extension, &params)?;
        let core = match self.core() {
            Some(core) => {
                core.set_settings(settings);
                core
            }
            None => {
                let daemon = Daemon::new(ctx).await?;
                let core = Arc::new(Core::new(self.cluster.clone(), ctx.clone(), daemon, settings));
                *self.core.write().unwrap_or_else(PoisonError::into_inner) = Some(core.clone());
                core
            }
        };
        // Config may come again while an operation goes on, which knows more than the store.
        if !ctx.without_daemon() && !core.is_busy() {
            core.take_up().await?;
        }
        Ok(())
    }

    async fn stop(&self, _: &Context) {
        if let Some(core) = self.core()
            && tokio::time::timeout(STOP_LIMIT, core.operations.stop()).await.is_err()
        {
            tracing::warn!("an operation did not come to a stop; it is taken up at the next start");
        }
    }
}

impl Actor for Engine {
    async fn action(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let request = ctx.api_request().map_or_else(|| ctx.request_id().to_string(), str::to_owned);
        REQUEST.scope(request, self.serve(ctx, action)).await
    }
}

impl Engine {
    async fn serve(&self, ctx: &Context, action: Action) -> Result<Value, Error> {
        let core = self.configured(ctx)?;
        let params = &action.params;
        let flag = |name: &str| params.get::<bool>(name).map(Option::unwrap_or_default);
        if ctx.without_daemon()
            && !matches!(action.command.as_str(), "create" | "cluster-info" | "list-components")
        {
            let text = format!(
                "{}: the state of a cluster is in the store of a daemon, and there is none",
                action.command
            );
            return Err(core.error(409, text));
        }
        match action.command.as_str() {
            "cluster-info" => Ok(core.info()),
            "list-components" => core.list().await,
            "status" => Ok(core.status().await),
            "create" => {
                let config = params.get::<JsonMap>("config")?.unwrap_or_default();
                let wanted = Wanted::new(&core, &config)?;
                if flag("check")? {
                    return check(&core, &wanted, ctx.without_daemon()).await;
                }
                if ctx.without_daemon() {
                    return Err(core.error(409, "create: without a daemon only a check is possible"));
                }
                core.create(wanted, flag("wait")?).await
            }
            "delete" => {
                let config = params.get::<JsonMap>("config")?.unwrap_or_default();
                if let Some(field) = config.keys().find(|field| *field != "keep-data") {
                    return Err(core
                        .error(400, format!("delete: config: {field} is not known: it may hold keep-data")));
                }
                let keep_data = Params::from(config).get::<bool>("keep-data")?.unwrap_or_default();
                core.delete(flag("force")?, keep_data, flag("wait")?).await
            }
            "scale" => core.scale(params.require("replicas")?, params.get("component")?, flag("wait")?).await,
            "upgrade" => core.upgrade(params.require("version")?, flag("wait")?).await,
            "component-status" => core.component_status(&params.require::<String>("name")?).await,
            "restart-component" => core.restart_component(&params.require::<String>("name")?).await,
            _ => Err(action.unknown()),
        }
    }
}

/// The plan, and whether it could be carried out. Nothing changes, and nobody is asked but the daemon.
async fn check(core: &Arc<Core>, wanted: &Wanted, alone: bool) -> Result<Value, Error> {
    if alone {
        return Ok(wanted.checked(core, None, None));
    }
    let names: Vec<&str> = wanted.plan.components.iter().map(|part| part.name.as_str()).collect();
    let plugins = core.daemon.plugins_of(&names).await?;
    let held = core.deployment.lock().await;
    Ok(wanted.checked(core, Some(&plugins), held.as_ref()))
}
