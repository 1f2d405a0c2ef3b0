//! What `define` prints, and the command line.

use crate::{Taskserv, TaskservError};
use drp_plugin_sdk::protocol::extension_operations::TASKSERV;
use drp_plugin_sdk::protocol::wire;
use drp_plugin_sdk::{Command, Definition, Param};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

/// Longest record of an extension, in bytes.
const RECORD: u64 = 16 << 20;

impl Taskserv {
    /// The plugin.
    #[must_use]
    pub fn definition(&self) -> Definition<Self> {
        let extension = &self.extension;
        let mut definition = Definition::new(extension.plugin(), extension.version.clone())
            .describe(extension.description.clone())
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
            // Not required, even when the contract says so: what needs no credentials runs without them.
            definition = definition.optional(param);
        }
        for operation in TASKSERV {
            let mut command = Command::on("plugins", operation.name);
            let mut inputs: Vec<&str> = Vec::new();
            for input in operation.inputs {
                inputs.push(input.name);
                command =
                    if input.required { command.required(input.name) } else { command.optional(input.name) };
            }
            // Which machine is meant stands in `config.target`, so every operation takes it.
            let marks = [(operation.check, "check"), (operation.wait, "wait"), (true, "config")];
            for (_, name) in marks.into_iter().filter(|(yes, name)| *yes && !inputs.contains(name)) {
                command = command.optional(name);
            }
            definition = definition.action(command);
        }
        definition
    }

    /// Runs it as a plugin, with the words of the command line after the program's name. Return it from `main`.
    pub fn run(self, words: impl IntoIterator<Item = OsString>) -> ExitCode {
        self.definition().run_with(self, words)
    }
}

/// The host of task services that are data only: `--extension RECORD`, then the words of a plugin. Return it from `main`.
pub fn host(words: impl IntoIterator<Item = OsString>) -> ExitCode {
    let mut words: Vec<OsString> = words.into_iter().collect();
    let listens = words.iter().any(|word| word == "listen");
    let outcome = match words.first().and_then(|word| word.to_str()) {
        Some("--extension") if words.len() >= 2 => {
            let rest = words.split_off(2);
            read(&words[1]).map(|taskserv| taskserv.run(rest))
        }
        _ => Err(TaskservError::Record(
            "Usage: taskserv --extension RECORD <command>; the daemon runs it for registered extensions"
                .to_owned(),
        )),
    };
    outcome.unwrap_or_else(|error| {
        if listens {
            let _ = writeln!(std::io::stdout(), "{}", wire::FAILED);
        }
        let _ = writeln!(std::io::stderr(), "Error: {error}");
        ExitCode::FAILURE
    })
}

fn read(path: &OsStr) -> Result<Taskserv, TaskservError> {
    let wrong = |problem: String| TaskservError::Record(format!("{}: {problem}", path.to_string_lossy()));
    let size = std::fs::metadata(path).map_err(|error| wrong(error.to_string()))?.len();
    if size > RECORD {
        return Err(wrong(format!("it has {size} bytes, and a record has {RECORD} at most")));
    }
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let extension = serde_json::from_slice(&text)
        .map_err(|error| wrong(format!("it is no record of an extension: {error}")))?;
    Taskserv::new(extension)
}
