//! Changes that take time: 202, a task, and following it to its end (DSP0266, "Asynchronous operations").

use crate::client::Client;
use crate::error::Error;
use crate::message::{Message, clean};
use crate::transport::Answer;
use reqwest::Method;
use serde_json::Value;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// Longest that a task is followed. What takes longer is a firmware update, and that is not ours.
const LONGEST: Duration = Duration::from_secs(300);
/// Pause between two looks when the service names none, and the longest it may name.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);

/// Follows the task of an accepted change until it has ended.
pub(crate) async fn follow(
    client: &mut Client,
    method: &Method,
    path: &str,
    accepted: &Answer,
) -> Result<(), Error> {
    let in_body = || {
        let body = accepted.body.as_ref()?;
        let link = body.get("TaskMonitor").or_else(|| body.get("@odata.id"))?;
        Some(link.as_str()?.to_owned())
    };
    // Accepted and nothing to follow: whoever asked reads the state back anyway.
    let Some(monitor) = accepted.location().or_else(in_body) else { return Ok(()) };
    let begun = Instant::now();
    let mut pause = accepted.retry_after();
    loop {
        sleep(pause.unwrap_or(PAUSE).min(LONGEST_PAUSE)).await;
        let look = match client.call(&Method::GET, &monitor, None, None).await {
            Ok(look) => look,
            // The monitor goes away when its task has ended.
            Err(Error::Unsupported { .. }) => return Ok(()),
            // Busy with what it was asked for. As an error it would say that the change was turned away.
            Err(Error::Busy { retry_after, .. }) if begun.elapsed() <= LONGEST => {
                pause = retry_after;
                continue;
            }
            Err(error) => return Err(late(client, error)),
        };
        pause = look.retry_after();
        let state = look.body.as_ref().and_then(|b| b.get("TaskState")).and_then(Value::as_str);
        match state {
            None if look.status.as_u16() != 202 => return Ok(()),
            Some("Completed") => {
                let status = look.body.as_ref().and_then(|b| b.get("TaskStatus")).and_then(Value::as_str);
                return match status {
                    None | Some("OK" | "") => Ok(()),
                    Some(status) => Err(ended(client, method, path, status, &look)),
                };
            }
            Some(state @ ("Exception" | "Killed" | "Cancelled" | "Interrupted")) => {
                return Err(ended(client, method, path, state, &look));
            }
            _ => {}
        }
        if begun.elapsed() > LONGEST {
            return Err(Error::Silent {
                bmc: client.bmc().to_owned(),
                request: format!("{method} {path} with the end of its task"),
                waited: LONGEST,
                maybe_done: true,
            });
        }
    }
}

fn ended(client: &Client, method: &Method, path: &str, state: &str, look: &Answer) -> Error {
    let messages = look.body.as_ref().and_then(|b| b.get("Messages")).and_then(|m| m.get(0));
    let said = messages
        .map(|m| {
            let field = |name| m.get(name).and_then(Value::as_str).map(clean).unwrap_or_default();
            Message { id: field("MessageId"), text: field("Message") }
        })
        .unwrap_or_else(|| Message::ours("no reason given"));
    let request = format!("{method} {path}");
    Error::Task { bmc: client.bmc().to_owned(), request, state: clean(state), said }
}

/// The change was accepted before this happened, so that nothing here may read as a refusal of it.
fn late(client: &Client, error: Error) -> Error {
    match error {
        Error::Busy { .. } | Error::Refused { .. } | Error::Credentials { .. } | Error::Exhausted { .. } => {
            let (bmc, request) = (client.bmc().to_owned(), "the question for an accepted task".to_owned());
            Error::Protocol { bmc, request, what: error.to_string(), maybe_done: true }
        }
        Error::Unreachable { bmc, why, .. } => Error::Unreachable { bmc, why, maybe_done: true },
        Error::Silent { bmc, request, waited, .. } => {
            Error::Silent { bmc, request, waited, maybe_done: true }
        }
        Error::Protocol { bmc, request, what, .. } => {
            Error::Protocol { bmc, request, what, maybe_done: true }
        }
        other => other,
    }
}
