//! `cluster`: the engine that deploys clusters which have only schemas (extensions §8). `cluster --extension RECORD
//! define|unpack|listen …` is the plugin of one registered cluster; without `--extension` it is a provider that says so.

mod alter;
mod core;
mod create;
mod daemon;
mod delete;
mod health;
mod install;
mod plan;
mod plugin;
mod record;
mod resume;
mod settings;
mod show;
mod state;
mod targets;
mod trouble;

use drp_plugin_sdk::{Definition, Plugin};
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

/// The program without an extension.
struct Idle;

impl Plugin for Idle {}

fn main() -> ExitCode {
    let mut arguments: Vec<OsString> = std::env::args_os().skip(1).collect();
    if arguments.first().is_none_or(|word| word != "--extension") {
        return Definition::new("cluster", env!("CARGO_PKG_VERSION"))
            .describe("Deploys clusters that are registered as extensions")
            .document("The host of clusters that have only schemas. The daemon starts it with `--extension` and the record of a registered cluster; by itself it does nothing.")
            .run_with(Idle, arguments);
    }
    let rest = arguments.split_off(arguments.len().min(2));
    let Some(path) = arguments.get(1) else {
        return failed("--extension wants the record of a registered cluster: a file with JSON");
    };
    match record::read(path.as_ref()) {
        Ok((extension, cluster)) => {
            plugin::definition(&extension).run_with(plugin::Engine::new(extension, cluster), rest)
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn failed(text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "Error: {text}");
    ExitCode::FAILURE
}
