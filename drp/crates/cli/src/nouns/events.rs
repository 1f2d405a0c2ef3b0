//! Events.

use crate::commands::Context;
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, input};
use drp_client::{EventStream, Incoming, Resumable};
use drp_protocol::Event;
use serde_json::json;

/// `drp events …`.
#[derive(Debug, clap::Subcommand)]
enum Verb {
    /// Print events as they come, until interrupted
    Watch {
        /// TYPE.ACTION.KEY, each part * or a comma list
        #[arg(default_value = "*.*.*")]
        patterns: Vec<String>,
        /// Begin after the event of this id, or with 0 for all that the daemon still keeps. Each event then shows its
        /// id, and what is lost shows as a gap
        #[arg(long, value_name = "ID")]
        from: Option<String>,
    },
    /// Publish an event
    Post {
        /// Event as JSON or YAML, - for standard input, @FILE for a file
        event: String,
    },
}

pub(super) const NOUN: Noun = noun!("events", "Events", Verb, run);

async fn run(cx: &Context<'_>, _: &str, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Watch { patterns, from } => {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            if let Some(from) = from {
                return resume(cx, &patterns, &from).await;
            }
            let mut stream = open(cx, &patterns).await?;
            while let Some(event) = next(cx, &mut stream).await? {
                cx.printer.item(&json!(event), &text(&event))?;
            }
            Ok(())
        }
        Verb::Post { event } => {
            let mut event: Event = serde_json::from_value(input::map(&event)?.into())
                .map_err(|e| Failure::usage(format!("this is not an event: {e}")))?;
            if event.time.is_empty() {
                event.time = drp_protocol::Time::now().to_string();
            }
            if cx.dry("POST", "events", &json!(event))? {
                return Ok(());
            }
            Ok(cx.client.post_event(&event).await?)
        }
    }
}

fn text(event: &Event) -> String {
    let Event { time, r#type, action, key, principal, .. } = event;
    format!("{time}  {type}.{action}.{key}  {principal}")
}

/// The stream that knows where it was. What it prints is enough to go on from later.
async fn resume(cx: &Context<'_>, patterns: &[&str], from: &str) -> Result<(), Failure> {
    let mut stream = cx.client.resumable_events(patterns, Some(from)).await?;
    loop {
        match stream.next().await? {
            Resumable::Event { id, event } => {
                let mut shown = json!(event);
                shown["Id"] = json!(id);
                cx.printer.item(&shown, &format!("{id}  {}", text(&event)))?;
            }
            Resumable::Gap { id, epoch, from, to } => {
                let last = to.map_or("its end".to_owned(), |to| to.to_string());
                let text = format!("{id}  events from {from} to {last} of {epoch} are lost");
                cx.printer
                    .item(&json!({ "Id": id, "Gap": { "Epoch": epoch, "From": from, "To": to } }), &text)?;
            }
            _ => {}
        }
    }
}

/// A stream with its patterns registered.
pub(crate) async fn open(cx: &Context<'_>, patterns: &[&str]) -> Result<EventStream, Failure> {
    let stream = cx.client.events().await?;
    for pattern in patterns {
        stream.register(pattern).await?;
    }
    Ok(stream)
}

/// The next event. Gaps are told on standard error, so that nothing is lost silently.
pub(crate) async fn next(cx: &Context<'_>, stream: &mut EventStream) -> Result<Option<Event>, Failure> {
    loop {
        match stream.next().await {
            Some(Ok(Incoming::Event(event))) => return Ok(Some(*event)),
            Some(Ok(Incoming::Missed(count))) => {
                cx.printer.warn(&format!("{count} events were dropped here"))
            }
            Some(Ok(Incoming::Lost)) => cx.printer.warn("the connection is lost; trying again"),
            Some(Ok(_)) => cx.printer.warn("the connection is there again; events may be missing here"),
            Some(Err(error)) => return Err(error.into()),
            None => return Err(Failure::new(Exit::General, "the event stream ended")),
        }
    }
}
