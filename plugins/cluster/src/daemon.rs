//! The daemon: its store, and the plugins of components.

use crate::health::Health;
use crate::plan::same_name;
use crate::state::{Deployment, TYPE};
use crate::trouble::CallError;
use drp_plugin_sdk::client::{Client, ClientError, Query};
use drp_plugin_sdk::protocol::{AvailableAction, JsonMap};
use drp_plugin_sdk::{CancellationToken, Param};
use drp_plugin_sdk::{Context, Error, Value, json, tracing};
use serde::Deserialize;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// Deadline of a call to the daemon itself.
const API_LIMIT: Duration = Duration::from_secs(20);
/// Deadline of an action of a component, whatever the settings say.
const MOST: Duration = Duration::from_secs(3_700);
/// How long a look at a component may take.
const STATUS_LIMIT: Duration = Duration::from_secs(30);
/// How often a plugin that is not there yet is looked for.
const LOOK: Duration = Duration::from_millis(200);
/// A stop of the daemon ends calls in flight a moment before the plugin itself is told to stop. A failure that this may
/// be is believed only after this long.
const BELIEVED_AFTER: Duration = Duration::from_millis(1_000);
/// How long a write is tried again.
const WRITE_LIMIT: Duration = Duration::from_secs(30);

/// The daemon of this plugin.
#[derive(Debug, Clone)]
pub(crate) struct Daemon {
    client: Client,
}

impl Daemon {
    pub(crate) async fn new(ctx: &Context) -> Result<Self, Error> {
        Ok(Self { client: ctx.client_within(MOST).await? })
    }

    /// The stored deployment.
    pub(crate) async fn load(&self, id: &str) -> Result<Option<Deployment>, Error> {
        let object: Value = match bounded(self.client.get(TYPE, id)).await {
            Ok(object) => object,
            Err(error) if error.code == 404 => return Ok(None),
            Err(error) => return Err(error.and("The state of the cluster could not be read")),
        };
        let deployment = object.get("Deployment").cloned().unwrap_or_default();
        Deployment::deserialize(deployment).map(Some).map_err(|e| {
            let text = format!("what is stored of the cluster does not read as a deployment: {e}");
            Error::new(409, "plugin", text).on(TYPE, id)
        })
    }

    /// Stores a deployment; the daemon answers when it is on disk. It is tried again for a while, unless `stop` fires.
    pub(crate) async fn save(&self, deployment: &Deployment, stop: &CancellationToken) -> Result<(), String> {
        let object = json!({
            "Id": deployment.id,
            "Description": format!("cluster {} {}: {}", deployment.cluster, deployment.version, deployment.phase.word()),
            "Cluster": deployment.cluster,
            "Version": deployment.version,
            "State": deployment.phase,
            "Deployment": deployment,
        });
        let end = Instant::now() + WRITE_LIMIT;
        loop {
            let error = match self.write(&deployment.id, &object).await {
                Ok(()) => return Ok(()),
                Err(error) => error,
            };
            let text =
                format!("the state of the cluster could not be stored: {}", crate::trouble::line(&error));
            if Instant::now() > end || (400..500).contains(&error.code) {
                return Err(text);
            }
            tracing::warn!("{text}; trying again");
            tokio::select! {
                () = stop.cancelled() => return Err(text),
                () = sleep(LOOK * 2) => {}
            }
        }
    }

    async fn write(&self, id: &str, object: &Value) -> Result<(), Error> {
        match bounded(self.client.put::<Value>(TYPE, id, object, false)).await {
            Err(error) if error.code == 404 => {
                bounded(self.client.create::<Value>(TYPE, object)).await.map(drop)
            }
            other => other.map(drop),
        }
    }

    /// Names of the plugin objects that exist.
    async fn plugins(&self) -> Result<Vec<String>, Error> {
        let query = Query::new().slim("Params,Meta");
        let list = bounded(self.client.list::<Value>("plugins", &query)).await?;
        let name = |plugin: &Value| plugin.get("Name").and_then(Value::as_str).map(str::to_owned);
        Ok(list.items.iter().filter_map(name).collect())
    }

    /// The plugin of each component: `<name>-taskserv`, where there is none `<name>`. `None`: neither is there.
    pub(crate) async fn plugins_of(&self, components: &[&str]) -> Result<Vec<Option<String>>, Error> {
        let plugins = self.plugins().await?;
        let find = |wanted: &str| {
            let exact = plugins.iter().find(|plugin| *plugin == wanted);
            exact.or_else(|| plugins.iter().find(|plugin| same_name(plugin, wanted))).cloned()
        };
        Ok(components.iter().map(|name| find(&format!("{name}-taskserv")).or_else(|| find(name))).collect())
    }

    /// The process of a plugin, when it runs and we may know.
    pub(crate) async fn pid(&self, plugin: &str) -> Option<u64> {
        let status = bounded(self.client.status()).await.ok()?;
        let mut plugins = status.get("Plugins")?.as_array()?.iter();
        plugins.find(|status| status["Name"] == plugin)?["Pid"].as_u64()
    }

    /// What a plugin offers under a name, if it does now.
    pub(crate) async fn offer(&self, plugin: &str, command: &str) -> Result<AvailableAction, Error> {
        bounded(self.client.action("plugins", plugin, command, Some(plugin))).await
    }

    /// Waits until a plugin runs and offers an operation, for so long at most.
    pub(crate) async fn ready(
        &self,
        stop: &CancellationToken,
        plugin: &str,
        command: &str,
        limit: Duration,
    ) -> Result<AvailableAction, CallError> {
        let end = Instant::now() + limit;
        loop {
            let error = match self.offer(plugin, command).await {
                Ok(action) => return Ok(action),
                Err(error) => error,
            };
            if Instant::now() > end {
                let text = format!(
                    "plugin {plugin} does not offer {command} after {} s: {}",
                    limit.as_secs_f64(),
                    crate::trouble::line(&error)
                );
                return Err(CallError::Failed(Error::new(503, "plugin", text).on("plugins", plugin)));
            }
            tokio::select! {
                () = stop.cancelled() => return Err(CallError::Interrupted),
                () = sleep(LOOK) => {}
            }
        }
    }

    /// Runs an operation of a component, once. Params that the operation does not take are left out.
    pub(crate) async fn call(
        &self,
        stop: &CancellationToken,
        plugin: &str,
        offer: &AvailableAction,
        params: JsonMap,
        limit: Duration,
    ) -> Result<Value, CallError> {
        let takes =
            |name: &String| offer.required_params.contains(name) || offer.optional_params.contains(name);
        let (params, left_out): (JsonMap, JsonMap) = params.into_iter().partition(|(name, _)| takes(name));
        if !left_out.is_empty() {
            let names: Vec<&str> = left_out.keys().map(String::as_str).collect();
            tracing::debug!("{plugin} {}: it takes no {}", offer.command, names.join(", "));
        }
        let call = self.client.run_action("plugins", plugin, &offer.command, Some(plugin), &params);
        let answer = tokio::select! {
            () = stop.cancelled() => return Err(CallError::Interrupted),
            answer = timeout(limit, call) => answer,
        };
        let error = match answer {
            Ok(Ok(record)) => match refusal(&record) {
                None => return Ok(record),
                Some(text) => {
                    return Err(CallError::Failed(Error::new(500, "plugin", text).on("plugins", plugin)));
                }
            },
            Ok(Err(error)) => Error::from(error),
            Err(_) => {
                let text =
                    format!("{plugin} did not answer {} within {} s", offer.command, limit.as_secs_f64());
                return Err(CallError::Failed(Error::new(504, "plugin", text).on("plugins", plugin)));
            }
        };
        if matches!(error.code, 502..=504) {
            tokio::select! {
                () = stop.cancelled() => return Err(CallError::Interrupted),
                () = sleep(BELIEVED_AFTER) => {}
            }
        }
        Err(CallError::Failed(error))
    }

    /// How a component is now.
    pub(crate) async fn health(&self, plugin: &str, config: &JsonMap, limit: Duration) -> Health {
        let look = async {
            let offer = self.client.action("plugins", plugin, "status", Some(plugin)).await?;
            let mut params = JsonMap::new();
            if offer.required_params.iter().chain(&offer.optional_params).any(|name| name == "config") {
                params.insert("config".to_owned(), Value::Object(config.clone()));
            }
            self.client.run_action("plugins", plugin, "status", Some(plugin), &params).await
        };
        let limit = limit.min(STATUS_LIMIT);
        match timeout(limit, look).await {
            Ok(Ok(record)) => Health::of(&record),
            Ok(Err(error)) => {
                let asked = matches!(&error, ClientError::Api(error) if error.r#type == "GET" || error.r#type == "INVOKE");
                let error = Error::from(error);
                // The daemon's own 404 says that the plugin is not there, which says nothing of what it installed.
                if asked { Health::Unknown(crate::trouble::line(&error)) } else { Health::failed(&error) }
            }
            Err(_) => Health::Unknown(format!("no answer within {} s", limit.as_secs_f64())),
        }
    }
}

/// What a record says that reports a failure instead of failing.
fn refusal(record: &Value) -> Option<String> {
    if record.get("success") != Some(&Value::Bool(false)) {
        return None;
    }
    let why = ["error", "message"].into_iter().find_map(|field| record.get(field).and_then(Value::as_str));
    Some(why.unwrap_or("its record says `success: false`").to_owned())
}

/// A call to the daemon itself.
async fn bounded<T>(call: impl Future<Output = Result<T, ClientError>>) -> Result<T, Error> {
    match timeout(API_LIMIT, call).await {
        Ok(answer) => answer.map_err(Error::from),
        Err(_) => Err(Error::new(504, "API", "the daemon did not answer in time")),
    }
}

/// Params of the operations, by name only: every cluster has them, and content that declares one twice is refused.
pub(crate) fn input(name: &str) -> Param {
    Param::named(name)
}
