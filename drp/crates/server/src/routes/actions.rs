//! Actions of plugins (wire-protocol §3.8).

use crate::http::{Answer, Call, Failure, JSON_LIMIT, Reply};
use drp_host::{InstanceState, InstanceStatus};
use drp_objects::Candidate;
use drp_protocol::{Action, Error, JsonMap};
use http::Method;
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a plugin that is starting is waited for.
const STARTING: Duration = Duration::from_secs(10);
/// How often it is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// How long an action may take: firmware updates and inventories are slow.
const DEADLINE: Duration = Duration::from_secs(3_600);

/// `/<set>/<id>/actions[/<command>]`, and the same for jobs and the system.
pub(super) async fn route(call: Call, set: &str, id: &str, command: Option<&&str>) -> Answer {
    let plugin = call.query.get("plugin").map(str::to_owned);
    let objects = call.app.objects.clone();
    // The system is the profile `global` (wire-protocol §3.8); claims on it name no object.
    let (id, shown) = if set == "system" { ("global", "") } else { (id, id) };
    match (call.method(), command) {
        (&Method::GET | &Method::HEAD, None) => {
            call.claim(set, "actions", shown)?;
            Ok(Reply::ok(&objects.list_actions(
                set,
                id,
                plugin.as_deref(),
                &candidates(&call, set, None)?,
            )?))
        }
        (&Method::GET | &Method::HEAD, Some(command)) => {
            call.claim(set, &format!("action:{command}"), shown)?;
            let offered = candidates(&call, set, Some(command))?;
            Ok(Reply::ok(&objects.one_action(set, id, command, plugin.as_deref(), &offered)?))
        }
        (&Method::POST, Some(command)) => {
            call.claim(set, &format!("action:{command}"), shown)?;
            run(call, set, id, command, plugin.as_deref()).await
        }
        _ => call.not_allowed(),
    }
}

/// Fills, announces, invokes. Nothing is locked while the plugin works: it calls back before it answers.
async fn run(mut call: Call, set: &str, id: &str, command: &str, plugin: Option<&str>) -> Answer {
    let bytes = call.optional_json(JSON_LIMIT).await?;
    let body: Option<JsonMap> = if bytes.is_empty() { None } else { call.decode(&bytes)? };
    let body = body.unwrap_or_default();
    Ok(Reply::raw(invoke(&call, set, id, command, plugin, &body).await?))
}

/// Fills, announces, invokes; gives the plugin's JSON.
pub(super) async fn invoke(
    call: &Call,
    set: &str,
    id: &str,
    command: &str,
    plugin: Option<&str>,
    body: &JsonMap,
) -> Result<bytes::Bytes, Failure> {
    let offered = wait_for_offer(call, set, command, plugin).await?;
    let objects = &call.app.objects;
    let action = objects.fill_action(set, id, command, plugin, body, &offered)?;
    announce(call, set, id, &action);
    tracing::debug!(request = %call.id, plugin = action.plugin, command, set, id, "action");
    let host = call.app.host()?;
    let began = Instant::now();
    let answer = host
        .invoke_traced(&action.plugin, &action, DEADLINE, call.headers())
        .await
        .map_err(drp_protocol::Error::from);
    let result = match &answer {
        Ok(_) => "ok",
        Err(error) if error.code < 500 => "refused",
        Err(_) => "failed",
    };
    let chosen = offered.iter().find(|offer| offer.plugin == action.plugin);
    call.app.metrics.action(chosen.map_or("", |offer| &offer.action.provider), result, began);
    Ok(answer?)
}

/// The event of an action (wire-protocol §3.8 step 6). Secure values are opened in `Params` for the plugin alone, so
/// the event leaves those params out.
fn announce(call: &Call, set: &str, id: &str, action: &Action) {
    let objects = &call.app.objects;
    let key =
        objects.resolve(set, id).unwrap_or_else(|| if set == "system" { "global" } else { id }.to_owned());
    let params = action.params.iter().filter(|(name, _)| !objects.is_secure_param(name)).collect();
    let Action { model, plugin, command, command_set, .. } = action;
    let announced = Announced { command, command_set, model, params, plugin };
    let object = serde_json::to_vec(&announced).unwrap_or_default();
    objects.events().publish_json(set, command, key, call.who.name.clone(), object.into());
}

/// An action as its event shows it. Borrowed: the object it acts on is not copied for subscribers that may not exist.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Announced<'a> {
    command: &'a str,
    command_set: &'a str,
    model: &'a Value,
    params: BTreeMap<&'a String, &'a Value>,
    plugin: &'a str,
}

/// What is offered for a command. A plugin that offers it and is just starting, after a change of its params for
/// instance, is waited for.
async fn wait_for_offer(
    call: &Call,
    set: &str,
    command: &str,
    plugin: Option<&str>,
) -> Result<Vec<Candidate>, Failure> {
    let end = tokio::time::Instant::now() + STARTING;
    loop {
        let offered = candidates(call, set, Some(command))?;
        let enough = offered.iter().any(|offer| plugin.is_none_or(|plugin| offer.plugin == plugin));
        if enough {
            return Ok(offered);
        }
        let Some(coming) = coming(call, set, command, plugin)? else { return Ok(offered) };
        let pausing = coming.state == InstanceState::Restarting;
        if pausing || tokio::time::Instant::now() > end {
            let why = match coming.errors.is_empty() {
                true => "it is not ready yet".to_owned(),
                false => coming.errors.join("; "),
            };
            let text = format!("plugin {} is {}: {why}; try again in a moment", coming.name, coming.state);
            return Err(Error::new(503, "INVOKE", text).on("plugins", coming.name).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A plugin that offers the command and will serve it once it has started, preferably one that starts just now.
fn coming(
    call: &Call,
    set: &str,
    command: &str,
    plugin: Option<&str>,
) -> Result<Option<InstanceStatus>, Failure> {
    let host = call.app.host()?;
    let offers = |provider: &str| {
        let provider = call.app.providers.get(provider);
        provider.is_some_and(|p| {
            p.available_actions.iter().any(|a| a.command == command && a.command_set() == set)
        })
    };
    let coming = host.status().into_iter().filter(|instance| {
        use InstanceState::{Configured, Configuring, Created, Restarting, Starting, Stopping};
        // Actions are registered a moment after the state changes.
        matches!(instance.state, Created | Starting | Configuring | Configured | Stopping | Restarting)
            && plugin.is_none_or(|plugin| instance.name == plugin)
            && offers(&instance.provider)
    });
    Ok(coming.min_by_key(|instance| instance.state == InstanceState::Restarting))
}

/// What running plugins offer for a set, in the order in which they registered it.
fn candidates(call: &Call, set: &str, command: Option<&str>) -> Result<Vec<Candidate>, Failure> {
    let offered = call.app.host()?.actions(set).into_iter();
    let wanted = offered.filter(|offer| command.is_none_or(|command| offer.action.command == command));
    Ok(wanted
        .map(|offer| Candidate { plugin: offer.plugin.to_string(), action: (*offer.action).clone() })
        .collect())
}
