//! What stages have alone: profiles, tasks and a boot environment.

use crate::Failure;
use crate::commands::{Context, edit};
use crate::noun::{Noun, noun};
use clap::Subcommand;
use serde_json::json;

/// Verbs of stages alone.
#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Verb {
    /// Add profiles to a stage
    AddProfile {
        /// Name of the stage
        id: String,
        /// Names of the profiles
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Remove profiles from a stage
    RemoveProfile {
        /// Name of the stage
        id: String,
        /// Names of the profiles
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Add tasks at the end of a stage
    AddTask {
        /// Name of the stage
        id: String,
        /// Names of the tasks
        #[arg(required = true)]
        tasks: Vec<String>,
    },
    /// Remove tasks from a stage
    RemoveTask {
        /// Name of the stage
        id: String,
        /// Names of the tasks
        #[arg(required = true)]
        tasks: Vec<String>,
    },
    /// Give a stage a boot environment
    BootEnv {
        /// Name of the stage
        id: String,
        /// Name of the boot environment
        bootenv: String,
    },
}

pub(super) const NOUN: Noun = noun!("stages", "", Verb, run);

async fn run(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::AddProfile { id, profiles } => edit::add(cx, prefix, &id, "Profiles", &profiles, None).await,
        Verb::RemoveProfile { id, profiles } => edit::remove(cx, prefix, &id, "Profiles", &profiles).await,
        Verb::AddTask { id, tasks } => edit::add(cx, prefix, &id, "Tasks", &tasks, None).await,
        Verb::RemoveTask { id, tasks } => edit::remove(cx, prefix, &id, "Tasks", &tasks).await,
        Verb::BootEnv { id, bootenv } => edit::set(cx, prefix, &id, &json!({ "BootEnv": bootenv })).await,
    }
}
