//! What profiles have alone: profiles in them.

use crate::Failure;
use crate::commands::{Context, edit};
use crate::noun::{Noun, noun};
use clap::Subcommand;

/// Verbs of profiles alone.
#[derive(Debug, Subcommand)]
#[command(rename_all = "lower")]
enum Verb {
    /// Add profiles to a profile
    AddProfile {
        /// Name of the profile
        id: String,
        /// Names of the profiles to add
        #[arg(required = true)]
        profiles: Vec<String>,
    },
    /// Remove profiles from a profile
    RemoveProfile {
        /// Name of the profile
        id: String,
        /// Names of the profiles to remove
        #[arg(required = true)]
        profiles: Vec<String>,
    },
}

pub(super) const NOUN: Noun = noun!("profiles", "", Verb, run);

async fn run(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::AddProfile { id, profiles } => edit::add(cx, prefix, &id, "Profiles", &profiles, None).await,
        Verb::RemoveProfile { id, profiles } => edit::remove(cx, prefix, &id, "Profiles", &profiles).await,
    }
}
