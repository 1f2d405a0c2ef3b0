//! Events.

use crate::commands::Context;
use crate::noun::{Noun, noun};
use crate::{Exit, Failure, input};
use drp_client::{EventStream, Incoming};
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
        Verb::Watch { patterns } => {
            let patterns: Vec<&str> = patterns.iter().map(String::as_str).collect();
            let mut stream = open(cx, &patterns).await?;
            while let Some(event) = next(cx, &mut stream).await? {
                let Event { time, r#type, action, key, principal, .. } = &event;
                cx.printer.item(&json!(event), &format!("{time}  {type}.{action}.{key}  {principal}"))?;
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
