//! The daemon's log.

use super::events;
use crate::Failure;
use crate::commands::Context;
use crate::noun::{Noun, never};
use clap::FromArgMatches;
use drp_protocol::Line;
use serde_json::json;

/// `drp logs …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// The last lines
    Get,
    /// Print new lines as they come, until interrupted
    Watch,
}

pub(super) const NOUN: Noun = Noun {
    word: "logs",
    about: "The daemon's log",
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
    if let Verb::Watch = verb {
        let mut stream = events::open(cx, &["log.*.*"]).await?;
        while let Some(event) = events::next(cx, &mut stream).await? {
            let line: Line = serde_json::from_value(event.object.clone()).unwrap_or_default();
            cx.printer.item(&event.object, &text(&line))?;
        }
        return Ok(());
    }
    let lines = cx.client.logs().await?;
    if !cx.printer.for_eyes() {
        return cx.printer.value(&json!(lines));
    }
    lines.iter().try_for_each(|line| cx.printer.text(&text(line)))
}

fn text(line: &Line) -> String {
    let Line { time, level, service, principal, message, .. } = line;
    let who = if principal.is_empty() { service.clone() } else { format!("{service} ({principal})") };
    let message: String =
        message.trim_end().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    // Ties what the daemon and plugins did to the API request it was for.
    let request = line.data.as_array().into_iter().flatten().find_map(|data| data.get("request")?.as_str());
    let request = request.filter(|id| drp_protocol::wire::is_request_id(id));
    let request = request.map(|id| format!(" [{id}]")).unwrap_or_default();
    format!("{time} {:<5} {who}:{request} {message}", level.name())
}
