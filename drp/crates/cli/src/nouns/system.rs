//! The daemon itself.

use crate::Failure;
use crate::commands::{Context, actions, backup, status};
use crate::grammar::{CallArgs, PluginFlag};
use crate::noun::{Noun, noun};

/// `drp system …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Is the daemon up, and how are its plugins
    Status,
    /// Copy the store of a local daemon to a file, while it runs
    Backup {
        /// File to write; it must not exist
        #[arg(value_hint = clap::ValueHint::FilePath)]
        file: std::path::PathBuf,
    },
    /// Actions that are possible now
    Actions(PluginFlag),
    /// One action
    Action {
        /// Name of the action
        command: String,
        /// Which plugin.
        #[command(flatten)]
        plugin: PluginFlag,
    },
    /// Run an action
    Runaction {
        /// Name of the action
        command: String,
        /// What it is given.
        #[command(flatten)]
        call: CallArgs,
    },
}

pub(super) const NOUN: Noun = noun!("system", "The daemon itself, and actions on it", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Status => status::run(cx).await,
        Verb::Backup { file } => backup::run(cx, &file).await,
        Verb::Actions(plugin) => actions::list(cx, "system", "", &plugin).await,
        Verb::Action { command, plugin } => actions::show(cx, "system", "", &command, &plugin).await,
        Verb::Runaction { command, call } => actions::run_action(cx, "system", "", &command, &call).await,
    }
}
