//! One action of a plugin without a daemon, on the host's standalone functions.

use drp_cli::{Exit, Failure, OneAction};
use drp_host::{HostConfig, HostError, NoDaemon, PluginRun, define};
use drp_protocol::{Action, AvailableAction, JsonMap, Line, PluginProvider};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

/// The objects of one prefix in a bundle.
type Section = BTreeMap<String, JsonMap>;

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
    let action = chosen(one, &definition)?;
    let set = action.command_set();
    let content = drp_content::parse("the plugin's content", &definition.content).unwrap_or_default();
    let declared = content.sections.get("params");
    warn_of_secrets(one, declared);
    let params = params(one, action, declared)?;
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
        // An object that was not given has no fields, and the system is no object.
        model: if one.machine.is_null() && set != "system" { json!({}) } else { one.machine.clone() },
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

/// The action that is meant: on a machine one of its own; without one that of the system, or the only one of that name.
fn chosen<'a>(one: &OneAction, definition: &'a PluginProvider) -> Result<&'a AvailableAction, Failure> {
    let actions = &definition.available_actions;
    let named: Vec<&AvailableAction> = actions.iter().filter(|a| a.command == one.action).collect();
    let on = |set: &str| named.iter().copied().find(|a| a.command_set() == set);
    let found = match named.as_slice() {
        _ if !one.machine.is_null() => on("machines"),
        [only] => Some(*only),
        _ => on("system"),
    };
    if let Some(action) = found {
        return Ok(action);
    }
    if one.machine.is_null() && !named.is_empty() {
        let sets: Vec<&str> = named.iter().map(|a| a.command_set()).collect();
        let several = format!("{} offers {} on {}", definition.name, one.action, sets.join(" and on "));
        return Err(Failure::usage(several).hint("give a machine with --machine JSON to act on it"));
    }
    let whole = if one.machine.is_null() { "" } else { " on machines" };
    let fits = |a: &&AvailableAction| one.machine.is_null() || a.command_set() == "machines";
    let offered: Vec<&str> = actions.iter().filter(fits).map(|a| a.command.as_str()).collect();
    let failure =
        Failure::new(Exit::NotFound, format!("{} offers no action {}{whole}", definition.name, one.action));
    Err(match named.first() {
        Some(_) => failure.hint("it acts on something else: leave --machine out"),
        None => failure.hint(format!("it offers {}", offered.join(", "))),
    })
}

/// A secret belongs on standard input: the command line is there for everybody on the host to read.
fn warn_of_secrets(one: &OneAction, declared: Option<&Section>) {
    let secure = |name: &&String| {
        declared.and_then(|all| all.get(*name)?.get("Secure")).and_then(Value::as_bool).unwrap_or(false)
    };
    for name in one.seen.iter().filter(secure) {
        let _ = writeln!(
            std::io::stderr(),
            "warning: others on this host could see the secret on the command line: write {name}=- and pipe it in"
        );
    }
}

/// The params of the action: those given, the machine's own, and the defaults of those that the plugin's content
/// declares. Without a daemon there are no profiles.
fn params(one: &OneAction, action: &AvailableAction, declared: Option<&Section>) -> Result<JsonMap, Failure> {
    let mut params = one.machine.get("Params").and_then(Value::as_object).cloned().unwrap_or_default();
    params.extend(one.params.clone());
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
pub(crate) fn report(line: &Line, all: bool) {
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
