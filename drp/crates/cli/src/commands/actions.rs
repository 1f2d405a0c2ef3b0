//! Actions.

use super::{Context, bulk, objects};
use crate::grammar::{ActionVerb, CallArgs, ManyArgs, PluginFlag};
use crate::{Failure, hints, input};
use drp_client::ClientError;
use drp_protocol::JsonMap;
use serde_json::{Value, json};

const COLUMNS: &[(&str, &str)] = &[
    ("Command", "/Command"),
    ("Provider", "/Provider"),
    ("Required", "/RequiredParams"),
    ("Optional", "/OptionalParams"),
];

pub(crate) async fn run(cx: &Context<'_>, prefix: &str, verb: ActionVerb) -> Result<(), Failure> {
    match verb {
        ActionVerb::Actions { id, plugin } => list(cx, prefix, &id, &plugin).await,
        ActionVerb::Action { id, command, plugin } => show(cx, prefix, &id, &command, &plugin).await,
        ActionVerb::Runaction { id, command, call, many } if many.any() => {
            // Without an ID each word is one place further left.
            let words = command.into_iter().chain(call.params);
            let call = CallArgs { params: words.collect(), ..call };
            bulk::run(cx, prefix, &id, &call, &many).await
        }
        ActionVerb::Runaction { many: ManyArgs { parallel: Some(_), .. }, .. } => {
            Err(Failure::usage("--parallel is for many objects")
                .hint("name them with --filter FILTER, --all or --ids FILE"))
        }
        ActionVerb::Runaction { id, command, call, .. } => {
            run_action(cx, prefix, &id, &command.unwrap_or_default(), &call).await
        }
    }
}

pub(crate) async fn list(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    plugin: &PluginFlag,
) -> Result<(), Failure> {
    let found = cx.client.actions(prefix, id, plugin.plugin.as_deref()).await;
    let actions = objects::known(cx, prefix, id, found).await?;
    let actions: Vec<Value> = actions.iter().map(|a| json!(a)).collect();
    cx.printer.list(&actions, COLUMNS)
}

pub(crate) async fn show(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    command: &str,
    plugin: &PluginFlag,
) -> Result<(), Failure> {
    match cx.client.action(prefix, id, command, plugin.plugin.as_deref()).await {
        Ok(action) => cx.printer.value(&json!(action)),
        Err(error) => Err(explain(cx, prefix, id, command, error).await),
    }
}

pub(crate) async fn run_action(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    command: &str,
    call: &CallArgs,
) -> Result<(), Failure> {
    let params = params(&call.params)?;
    let path = if prefix == "system" {
        format!("system/actions/{command}")
    } else {
        format!("{prefix}/{id}/actions/{command}")
    };
    if cx.globals.dry_run
        && let Err(error) = cx.client.action(prefix, id, command, call.plugin.plugin.as_deref()).await
        && !provided(&error, &params)
    {
        return Err(explain(cx, prefix, id, command, error).await);
    }
    if cx.dry("POST", &path, &Value::Object(params.clone()))? {
        return Ok(());
    }
    match cx.client.run_action(prefix, id, command, call.plugin.plugin.as_deref(), &params).await {
        Ok(result) => cx.printer.value(&result),
        Err(error) => Err(explain(cx, prefix, id, command, error).await),
    }
}

/// The daemon misses a param that will be passed.
pub(crate) fn provided(error: &ClientError, params: &JsonMap) -> bool {
    let ClientError::Api(api) = error else { return false };
    api.messages.iter().all(|message| {
        message.rsplit_once(" Missing Parameter ").is_some_and(|(_, param)| params.contains_key(param.trim()))
    })
}

/// One map, or names and values by turns.
pub(crate) fn params(words: &[String]) -> Result<JsonMap, Failure> {
    match words {
        [] => Ok(JsonMap::new()),
        // A word alone is a name whose value was forgotten.
        [one] if one.contains('/') && !one.contains([':', '{', ' ', '@']) => Err(without_value(one)),
        [one] => input::map(one),
        pairs if pairs.len() % 2 == 0 => pairs
            .chunks_exact(2)
            .map(|pair| {
                let value = if pair[1] == "-" { input::text("-")? } else { pair[1].clone() };
                Ok((pair[0].clone(), input::parse(&value, &format!("the value of {}", pair[0]))?))
            })
            .collect(),
        odd => Err(without_value(&odd[odd.len() - 1])),
    }
}

fn without_value(name: &str) -> Failure {
    Failure::usage(format!("the param {name} has no value"))
        .hint("give names and values by turns, or one map")
}

/// No plugin offers the action, or the object is not there. The plugin's own "not found" is about something else.
pub(crate) fn nobody_offers(error: &ClientError) -> bool {
    match error {
        ClientError::Api(api) if api.r#type == "INVOKE" => {
            api.messages.iter().any(|m| m.starts_with("Action ") && m.to_lowercase().ends_with("not found"))
        }
        ClientError::Api(api) => api.code == 404 && matches!(api.r#type.as_str(), "GET" | "POST"),
        _ => false,
    }
}

/// Adds the actions that look like one that nobody offers.
pub(crate) async fn explain(
    cx: &Context<'_>,
    prefix: &str,
    id: &str,
    command: &str,
    error: ClientError,
) -> Failure {
    let unknown = nobody_offers(&error);
    let failure = Failure::action(error);
    if !unknown {
        return failure;
    }
    let failure = Failure { exit: crate::Exit::NotFound, ..failure };
    match cx.client.actions(prefix, id, None).await {
        Ok(actions) => {
            let names: Vec<&str> = actions.iter().map(|a| a.command.as_str()).collect();
            match hints::did_you_mean(command, names) {
                Some(hint) => failure.hint(hint),
                None if prefix == "system" => failure.hint("`drp system actions` lists what is possible"),
                None => failure.hint(format!("`drp {prefix} actions {id}` lists what is possible")),
            }
        }
        Err(error) => match objects::known::<()>(cx, prefix, id, Err(error)).await {
            Err(other) => Failure { hints: other.hints, ..failure },
            Ok(()) => failure,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::params;
    use serde_json::json;

    #[test]
    fn pairs_and_maps() {
        let words = |w: &[&str]| w.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        assert_eq!(
            json!(params(&words(&["a/b", "10", "c", "x y"])).unwrap()),
            json!({"a/b": 10, "c": "x y"})
        );
        assert_eq!(json!(params(&words(&["{a: 1}"])).unwrap()), json!({"a": 1}));
        assert!(params(&words(&["a/b"])).unwrap_err().message.contains("a/b has no value"));
        assert!(params(&words(&["a", "1", "b"])).unwrap_err().message.contains("param b"));
    }
}
