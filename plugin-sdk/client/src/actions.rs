//! Actions on objects and on the system (wire-protocol §3.8).

use crate::ClientError;
use crate::path::join;
use crate::query::Query;
use crate::transport::{API, Client};
use drp_protocol::{AvailableAction, JsonMap};
use reqwest::Method;
use serde_json::Value;

/// The path of an object's actions. Jobs have their own word, and the system needs no id.
fn actions_path(
    prefix: &str,
    id: &str,
    command: Option<&str>,
    plugin: Option<&str>,
) -> Result<String, ClientError> {
    let mut names = vec![prefix];
    if prefix != "system" {
        names.push(id);
    }
    names.push(if prefix == "jobs" { "plugin_actions" } else { "actions" });
    names.extend(command);
    let mut path = join(API, &names)?;
    if let Some(plugin) = plugin {
        Query::new().with("plugin", plugin).append_to(&mut path);
    }
    Ok(path)
}

impl Client {
    /// The actions that are possible on an object now: those whose required params resolve. For the prefix
    /// `system` the id is ignored. `plugin` limits them to one plugin instance.
    ///
    /// # Errors
    /// 404 when the object does not exist.
    pub async fn actions(
        &self,
        prefix: &str,
        id: &str,
        plugin: Option<&str>,
    ) -> Result<Vec<AvailableAction>, ClientError> {
        let path = actions_path(prefix, id, None, plugin)?;
        Ok(self.get_json::<Option<_>>(&path).await?.unwrap_or_default())
    }

    /// One action.
    ///
    /// # Errors
    /// 404 when nobody offers it, 400 when a required param is missing.
    pub async fn action(
        &self,
        prefix: &str,
        id: &str,
        command: &str,
        plugin: Option<&str>,
    ) -> Result<AvailableAction, ClientError> {
        self.get_json(&actions_path(prefix, id, Some(command), plugin)?).await
    }

    /// Runs an action and gives its result. It is never sent twice: a connection that breaks meanwhile is an
    /// error.
    ///
    /// # Errors
    /// 400 when params are missing or wrong; the plugin's own error with its own code.
    pub async fn run_action(
        &self,
        prefix: &str,
        id: &str,
        command: &str,
        plugin: Option<&str>,
        params: &JsonMap,
    ) -> Result<Value, ClientError> {
        self.send_json(Method::POST, &actions_path(prefix, id, Some(command), plugin)?, params).await
    }
}
