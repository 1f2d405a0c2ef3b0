//! `drp plugin run`: one action of a plugin, without a daemon.

use crate::grammar::PluginRun;
use crate::printer::Printer;
use crate::{Failure, Hooks, OneAction, input};
use drp_protocol::JsonMap;
use serde_json::Value;

pub(crate) fn run(run: PluginRun, printer: &Printer, hooks: &dyn Hooks) -> Result<(), Failure> {
    let machine = match &run.machine {
        Some(text) => Value::Object(input::map(text)?),
        None => Value::Null,
    };
    let action = OneAction {
        params: assignments(&run.params)?,
        config: assignments(&run.config)?,
        seen: seen(run.params.iter().chain(&run.config)),
        binary: run.binary,
        action: run.action,
        machine,
        logs: run.logs,
    };
    printer.value(&hooks.plugin_run(&action)?)
}

/// The names of what was not read from standard input.
fn seen<'a>(words: impl Iterator<Item = &'a String>) -> Vec<String> {
    let assigned = words.filter_map(|word| word.split_once('='));
    assigned.filter(|(_, value)| *value != "-").map(|(name, _)| name.to_owned()).collect()
}

fn assignments(words: &[String]) -> Result<JsonMap, Failure> {
    words
        .iter()
        .map(|word| {
            let (name, value) =
                word.split_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(|| {
                    // The word may hold a secret: only its place is told.
                    Failure::usage("a param must look like NAME=VALUE")
                })?;
            let text = if value == "-" { input::text("-")? } else { value.to_owned() };
            Ok((name.to_owned(), input::parse(text.trim_end_matches('\n'), &format!("the value of {name}"))?))
        })
        .collect()
}
