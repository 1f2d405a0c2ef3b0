//! Who did what.

use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, noun};
use clap::Subcommand;
use drp_client::Query;
use serde_json::Value;

/// `drp audit …`.
#[derive(Debug, Subcommand)]
enum Verb {
    /// The newest entries of the audit log, oldest first
    List {
        /// Only of this principal, for instance user:ann
        #[arg(long, value_name = "PRINCIPAL")]
        who: Option<String>,
        /// Only this action, for instance login, update or action:poweron
        #[arg(long)]
        action: Option<String>,
        /// Only this kind of thing, for instance machines
        #[arg(long)]
        scope: Option<String>,
        /// Only this object
        #[arg(long)]
        key: Option<String>,
        /// Only what ended so
        #[arg(long, value_parser = ["ok", "refused", "failed"])]
        outcome: Option<String>,
        /// Only of the request with this id
        #[arg(long, value_name = "ID")]
        request: Option<String>,
        /// Only from then on, for instance 2026-01-31T12:00:00Z
        #[arg(long, value_name = "TIME")]
        since: Option<String>,
        /// At most this many
        #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=10_000))]
        limit: u64,
    },
}

pub(super) const NOUN: Noun = noun!("audit", "Who did what, from where, and how it ended", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    let Verb::List { who, action, scope, key, outcome, request, since, limit } = verb;
    let given = [
        ("who", who),
        ("action", action),
        ("scope", scope),
        ("key", key),
        ("outcome", outcome),
        ("request", request),
        ("since", since),
    ];
    let query = given
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .fold(Query::new().limit(limit), |query, (name, value)| query.with(name, value));
    let entries = cx.client.list::<Value>("audit", &query).await?.items;
    if !cx.printer.for_eyes() {
        return cx.printer.value(&Value::Array(entries));
    }
    entries.iter().try_for_each(|entry| cx.printer.text(&line(entry)))
}

/// An entry as one line. Names and ids come from callers and may hold anything.
fn line(entry: &Value) -> String {
    let text = |name: &str| entry[name].as_str().unwrap_or_default();
    let thing = match text("Key") {
        "" => text("Scope").to_owned(),
        key => format!("{}/{key}", text("Scope")),
    };
    let words = [
        text("Time"),
        text("Outcome"),
        text("Who"),
        text("From"),
        text("Action"),
        &thing,
        text("Detail"),
        text("Request"),
    ];
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join("  ");
    line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
