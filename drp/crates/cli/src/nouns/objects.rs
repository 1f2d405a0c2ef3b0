//! Which types of objects there are.

use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, noun};
use serde_json::json;

/// `drp objects …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// List the types of objects, those that plugins added too
    List,
}

pub(super) const NOUN: Noun = noun!("objects", "Types of objects", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    let Verb::List = verb;
    cx.printer.value(&json!(cx.client.prefixes().await?))
}
