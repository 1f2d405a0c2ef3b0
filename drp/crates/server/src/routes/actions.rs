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
    let (action, provider) = fill(call, set, id, command, plugin, body).await?;
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
    call.app.metrics.action(&provider, result, began);
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

/// Fills an action for the plugin that the object and the order of names choose, whoever runs just now. When that one
/// is just starting, after a change of its params for instance, it is waited for; no other takes its place.
async fn fill(
    call: &Call,
    set: &str,
    id: &str,
    command: &str,
    plugin: Option<&str>,
    body: &JsonMap,
) -> Result<(Action, String), Failure> {
    let end = tokio::time::Instant::now() + STARTING;
    loop {
        let running = candidates(call, set, Some(command))?;
        let all = with_idle(call, set, command, &running)?;
        let action = call.app.objects.fill_action(set, id, command, plugin, body, &all)?;
        if let Some(chosen) = running.into_iter().find(|offer| offer.plugin == action.plugin) {
            return Ok((action, chosen.action.provider));
        }
        // Deleted meanwhile: the next look is at those that stay.
        let Some(status) = call.app.host()?.plugin_status(&action.plugin) else { continue };
        if !will_run(&status) || tokio::time::Instant::now() > end {
            let why = match status.errors.is_empty() {
                true => "it is not ready yet".to_owned(),
                false => status.errors.join("; "),
            };
            let text = format!("plugin {} is {}: {why}; try again in a moment", status.name, status.state);
            return Err(Error::new(503, "INVOKE", text).on("plugins", status.name).into());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// Whether it will serve in a moment. Actions are registered a moment after the state changes, and a restart passes
/// through `Stopped`, without errors.
fn will_run(instance: &InstanceStatus) -> bool {
    use InstanceState::{Configured, Configuring, Created, Starting, Stopped, Stopping};
    match instance.state {
        Created | Starting | Configuring | Configured | Stopping => true,
        Stopped => instance.errors.is_empty(),
        _ => false,
    }
}

/// What all plugins offer for a command, in the order of their names: running ones as they registered it, others as
/// their providers define it.
fn with_idle(
    call: &Call,
    set: &str,
    command: &str,
    running: &[Candidate],
) -> Result<Vec<Candidate>, Failure> {
    let mut all = running.to_vec();
    for (plugin, provider) in call.app.host()?.instances() {
        if running.iter().any(|offer| offer.plugin == *plugin) {
            continue;
        }
        let Some(provider) = call.app.providers.get(&provider) else { continue };
        let mut offered = provider.available_actions.into_iter();
        if let Some(action) = offered.find(|a| a.command == command && a.command_set() == set) {
            all.push(Candidate { plugin: plugin.to_string(), action });
        }
    }
    all.sort_by(|one, other| one.plugin.cmp(&other.plugin));
    Ok(all)
}

/// What running plugins offer for a set, in the order of their names: the order in which they registered it would
/// change with every restart.
fn candidates(call: &Call, set: &str, command: Option<&str>) -> Result<Vec<Candidate>, Failure> {
    let offered = call.app.host()?.actions(set).into_iter();
    let wanted = offered.filter(|offer| command.is_none_or(|command| offer.action.command == command));
    let mut wanted: Vec<_> = wanted
        .map(|offer| Candidate { plugin: offer.plugin.to_string(), action: (*offer.action).clone() })
        .collect();
    wanted.sort_by(|one, other| one.plugin.cmp(&other.plugin));
    Ok(wanted)
}
