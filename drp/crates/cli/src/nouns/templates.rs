//! What templates have alone: their text comes from a file.

use crate::commands::Context;
use crate::noun::{Noun, noun};
use crate::{Failure, input};
use clap::{Subcommand, ValueHint};
use drp_client::{Patch, Query};
use serde_json::{Value, json};

/// Verbs of templates alone.
#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a template of a text file, or put the text into the one that is there
    Upload {
        /// The file, - for standard input
        #[arg(value_hint = ValueHint::FilePath)]
        file: String,
        /// The word as
        #[arg(value_name = "as", value_parser = ["as"], hide_possible_values = true)]
        word: String,
        /// ID of the template
        id: String,
    },
}

pub(super) const NOUN: Noun = noun!("templates", "", Verb, run);

async fn run(cx: &Context<'_>, prefix: &str, verb: Verb) -> Result<(), Failure> {
    let Verb::Upload { file, id, .. } = verb;
    let path = if file == "-" || file.starts_with('@') { file } else { format!("@{file}") };
    let contents = input::text(&path)?;
    let stored: Value = if cx.client.exists(prefix, &id).await? {
        let old: Value = cx.client.get_with(prefix, &id, &Query::new()).await?;
        let patch = Patch::new().test("/Contents", old["Contents"].clone()).replace("/Contents", contents);
        if cx.dry("PATCH", &format!("{prefix}/{id}"), &json!(patch))? {
            return Ok(());
        }
        cx.client.patch(prefix, &id, &patch, cx.globals.force).await?
    } else {
        let body = json!({ "ID": id, "Contents": contents });
        if cx.dry("POST", prefix, &body)? {
            return Ok(());
        }
        cx.client.create(prefix, &body).await?
    };
    cx.printer.short(&stored)
}
