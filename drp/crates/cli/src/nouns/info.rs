//! What the daemon says about itself.

use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, never};
use clap::FromArgMatches;
use serde_json::json;

/// `drp info …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// All of it
    Get,
    /// Exit with 0 when the daemon answers and takes the credentials
    Check,
}

pub(super) const NOUN: Noun = Noun {
    word: "info",
    about: "What the daemon says about itself",
    augment: |command| {
        <Verb as clap::Subcommand>::augment_subcommands(command)
            .subcommand_required(false)
            .arg_required_else_help(false)
    },
    has: <Verb as clap::Subcommand>::has_subcommand,
    run: |cx, _, matches| {
        Box::pin(async move {
            let verb = matches.subcommand().and_then(|_| Verb::from_arg_matches(matches).ok());
            run(cx, verb.unwrap_or(Verb::Get)).await
        })
    },
    alone: never,
};

async fn run(cx: &Context<'_>, verb: Verb) -> Result<(), Failure> {
    let info = cx.client.info().await?;
    match verb {
        Verb::Get => cx.printer.value(&json!(info)),
        Verb::Check => Ok(()),
    }
}
