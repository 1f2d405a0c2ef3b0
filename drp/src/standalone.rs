//! One action of a plugin without a daemon, on the host's standalone functions.

use drp_cli::{Exit, Failure, OneAction};
use drp_host::{HostConfig, HostError, NoDaemon, PluginRun, define};
use drp_protocol::{Action, AvailableAction, JsonMap, Line};
use serde_json::Value;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// Longest an action may take.
const DEADLINE: Duration = Duration::from_secs(3600);

/// Defines and starts the plugin in a directory of its own, runs the action, and stops it.
pub(crate) fn run(one: &OneAction) -> Result<Value, Failure> {
    if !one.binary.exists() {
        return Err(Failure::new(Exit::NotFound, format!("{} does not exist", one.binary.display())));
    }
    let trouble = |e: &std::io::Error| Failure::io("the plugin cannot be set up", e);
    let room = tempfile::Builder::new().prefix("drp-run").tempdir().map_err(|e| trouble(&e))?;
    let runtime =
        tokio::runtime::Builder::new_multi_thread().enable_all().build().map_err(|e| trouble(&e))?;
    runtime.block_on(work(one, HostConfig::under(room.path())))
}

async fn work(one: &OneAction, config: HostConfig) -> Result<Value, Failure> {
    let definition = define(&one.binary, &config).await.map_err(failure)?;
    // On a machine only its own actions make sense, without one only those of the system.
    let set = if one.machine.is_null() { "system" } else { "machines" };
    let offered: Vec<&str> = definition
        .available_actions
        .iter()
        .filter(|a| a.command_set() == set)
        .map(|a| a.command.as_str())
        .collect();
    if !offered.contains(&one.action.as_str()) {
        let elsewhere = definition.available_actions.iter().any(|a| a.command == one.action);
        let failure = Failure::new(
            Exit::NotFound,
            format!("{} offers no action {} on {set}", definition.name, one.action),
        );
        return Err(if elsewhere && one.machine.is_null() {
            failure.hint("it acts on an object: give one with --machine JSON")
        } else {
            failure.hint(format!("it offers {}", offered.join(", ")))
        });
    }
    let action =
        definition.available_actions.iter().find(|a| a.command == one.action && a.command_set() == set);
    let params = params(one, action, &definition.content)?;
    if let Some(name) = definition.required_params.iter().find(|name| !one.config.contains_key(*name)) {
        return Err(Failure::new(
            Exit::Refused,
            format!("the plugin {} needs its param {name}", definition.name),
        )
        .hint(format!("give it with --config {name}=VALUE")));
    }
    let show = one.logs;
    let backend = Arc::new(NoDaemon::new(move |line: Line| report(&line, show), |_event| {}));
    let run = PluginRun::start(&one.binary, &definition.name, one.config.clone(), config, backend)
        .await
        .map_err(failure)?;
    let action = Action {
        model: one.machine.clone(),
        plugin: definition.name.clone(),
        command: one.action.clone(),
        command_set: set.to_owned(),
        params,
    };
    let answer = tokio::select! {
        answer = run.invoke(&action, DEADLINE) => answer.map_err(failure),
        _ = tokio::signal::ctrl_c() => Err(Failure::new(Exit::Interrupted, "interrupted")),
    };
    run.stop().await;
    let answer = answer?;
    serde_json::from_slice(&answer)
        .map_err(|e| Failure::new(Exit::General, format!("the plugin's answer is not JSON: {e}")))
}

/// The params of the action: those given, the machine's own, and the defaults of those that the plugin's content
/// declares. Without a daemon there are no profiles.
fn params(one: &OneAction, action: Option<&AvailableAction>, content: &str) -> Result<JsonMap, Failure> {
    let mut params = one.machine.get("Params").and_then(Value::as_object).cloned().unwrap_or_default();
    params.extend(one.params.clone());
    let Some(action) = action else { return Ok(params) };
    let declared = drp_content::parse("the plugin's content", content).unwrap_or_default();
    let declared = declared.sections.get("params");
    for name in action.required_params.iter().chain(&action.optional_params) {
        let default = declared.and_then(|all| all.get(name)?.get("Schema")?.get("default"));
        if let Some(default) = default.filter(|_| !params.contains_key(name)) {
            params.insert(name.clone(), default.clone());
        }
    }
    match action.required_params.iter().find(|name| !params.contains_key(*name)) {
        Some(name) => {
            Err(Failure::new(Exit::Refused, format!("Action {} Missing Parameter {name}", one.action))
                .hint(format!("give it with --param {name}=VALUE, or in Params of --machine")))
        }
        None => Ok(params),
    }
}

/// Warnings and worse are always shown, the rest on request.
fn report(line: &Line, all: bool) {
    if all || line.level >= drp_protocol::Level::Warn {
        let _ = writeln!(std::io::stderr(), "{}: {}: {}", line.service, line.level, line.message.trim_end());
    }
}

fn failure(error: HostError) -> Failure {
    let exit = match error.code() {
        404 => Exit::NotFound,
        401 | 403 => Exit::Denied,
        400..=499 => Exit::Refused,
        504 => Exit::Timeout,
        _ => Exit::General,
    };
    Failure::new(exit, error.to_string())
}
