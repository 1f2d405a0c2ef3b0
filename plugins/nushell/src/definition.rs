//! What `define` prints for an extension.

use crate::commands::{Command, Kind, Module};
use crate::hosted::Host;
use drp_plugin_sdk::protocol::HostedExtension;
use drp_plugin_sdk::{Command as Action, Definition, Param, json};
use std::fmt::Write as _;
use std::time::Duration;

/// How long a command may run unless the plugin or the caller says otherwise: 1 h.
pub(crate) const TIMEOUT: u64 = 3600;
/// The most that can be said: a day.
pub(crate) const LONGEST: u64 = 24 * 3600;

/// Name of the param that says how long a command may run.
pub(crate) fn timeout_param(extension: &HostedExtension) -> String {
    extension.param("nushell-timeout")
}

/// The definition.
pub(crate) fn definition(extension: &HostedExtension, module: &Module) -> Definition<Host> {
    let mut definition = Definition::new(extension.plugin(), extension.version.clone())
        .describe(extension.description.clone())
        .document(documentation(extension, module))
        .auto_start()
        .stop_deadline(Duration::from_secs(8));
    for setting in &extension.settings {
        let schema = setting.schema.as_object().cloned().unwrap_or_default();
        let mut param =
            Param::with_schema(extension.param(&setting.name), schema).describe(setting.doc.clone());
        if setting.secure {
            param = param.secure();
        }
        if let Some(default) = setting.default.as_ref().filter(|_| !setting.secure) {
            param = param.default(default);
        }
        // Not required, even when the contract says so: what needs no credentials must run without them.
        definition = definition.optional(param);
    }
    let timeout = timeout_param(extension);
    let seconds = [("type", json!("integer")), ("minimum", json!(1)), ("maximum", json!(LONGEST))];
    let seconds = seconds.map(|(keyword, value)| (keyword.to_owned(), value)).into_iter().collect();
    let limit = Param::with_schema(timeout.clone(), seconds).default(TIMEOUT);
    definition = definition.optional(limit.describe("Seconds that a command of the extension may run"));
    for command in &module.commands {
        let mut action = Action::on("plugins", command.name.clone());
        for input in &command.inputs {
            action = if input.required {
                action.required(input.name.as_str())
            } else {
                action.optional(input.name.as_str())
            };
        }
        definition = definition.action(action.optional(timeout.as_str()));
    }
    definition
}

/// The commands and settings, for people.
fn documentation(extension: &HostedExtension, module: &Module) -> String {
    let mut text = format!("The {} `{}`, version {}.\n", extension.r#type, extension.name, extension.version);
    if !module.description.is_empty() {
        let _ = write!(text, "\n{}\n", module.description);
    }
    if !module.commands.is_empty() {
        text.push_str("\n## Actions\n");
    }
    for command in &module.commands {
        let _ = write!(text, "\n### {}\n", command.name);
        for part in [&command.description, &command.more].into_iter().filter(|part| !part.is_empty()) {
            let _ = write!(text, "\n{part}\n");
        }
        inputs(&mut text, command);
        if !["", "any", "nothing"].contains(&command.output.as_str()) {
            let _ = write!(text, "\nGives `{}`.\n", command.output);
        }
    }
    if !extension.settings.is_empty() {
        text.push_str("\n## Settings\n\n");
    }
    for setting in &extension.settings {
        let marks = [(setting.required, "required"), (setting.secure, "secure")];
        let marks: Vec<_> = marks.iter().filter(|(is, _)| *is).map(|(_, word)| *word).collect();
        let marks = if marks.is_empty() { String::new() } else { format!(" ({})", marks.join(", ")) };
        let _ = writeln!(text, "* `{}`{marks}: {}", extension.param(&setting.name), one_line(&setting.doc));
    }
    if !module.left_out.is_empty() {
        text.push_str("\n## Commands that are no actions\n\n");
        for (name, why) in &module.left_out {
            let _ = writeln!(text, "* `{}`: {why}", name.replace('`', "'"));
        }
    }
    text
}

fn inputs(text: &mut String, command: &Command) {
    for (n, input) in command.inputs.iter().enumerate() {
        let kind = match input.kind {
            Kind::Switch => "true or false".to_owned(),
            Kind::Rest => format!("list of `{}`", input.shape),
            _ => format!("`{}`", input.shape),
        };
        let must = if input.required { ", required" } else { "" };
        let start = if n == 0 { "\n" } else { "" };
        let about =
            if input.description.is_empty() { String::new() } else { format!(": {}", input.description) };
        let _ = writeln!(text, "{start}* `{}` ({kind}{must}){about}", input.name);
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}
