//! The daemon's log.

use super::{Context, events};
use crate::Failure;
use crate::grammar::{LogsArgs, LogsVerb};
use drp_protocol::Line;
use serde_json::json;

pub(crate) async fn run(cx: &Context<'_>, args: LogsArgs) -> Result<(), Failure> {
    if let Some(LogsVerb::Watch) = args.verb {
        let mut stream = events::open(cx, &["log.*.*"]).await?;
        while let Some(event) = events::next(cx, &mut stream).await? {
            let line: Line = serde_json::from_value(event.object.clone()).unwrap_or_default();
            cx.printer.item(&event.object, &text(&line))?;
        }
        return Ok(());
    }
    let lines = cx.client.logs().await?;
    if cx.printer.format() != crate::Format::Table {
        return cx.printer.value(&json!(lines));
    }
    lines.iter().try_for_each(|line| cx.printer.text(&text(line)))
}

fn text(line: &Line) -> String {
    let Line { time, level, service, principal, message, .. } = line;
    let who = if principal.is_empty() { service.clone() } else { format!("{service} ({principal})") };
    let message: String =
        message.trim_end().chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }).collect();
    format!("{time} {:<5} {who}: {message}", level.name())
}
