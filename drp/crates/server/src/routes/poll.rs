//! Showing one object, at once or when it changes (wire-protocol §3.6).

use super::objects::tagged;
use crate::http::{Answer, Call, Reply};
use drp_objects::{Delivery, ListQuery, parse_ttl};
use http::StatusCode;
use http::header::IF_NONE_MATCH;
use std::time::Duration;
use tokio::time::Instant;

/// Longest wait of a poll.
const LONGEST: Duration = Duration::from_secs(600);

pub(super) async fn show(call: &Call, prefix: &str, id: &str, query: &ListQuery) -> Answer {
    let objects = &call.app.objects;
    let known = call.header(IF_NONE_MATCH.as_str()).trim();
    if known.is_empty() {
        return Ok(tagged(StatusCode::OK, objects.view(prefix, id, query)?));
    }
    // Listen first: a change between the look and the wait would else be missed.
    let mut events = objects.events().subscribe();
    let end = Instant::now() + wait(call);
    loop {
        let seen = objects.view(prefix, id, query)?;
        let tag = format!("\"{}\"", seen.revision);
        if !known.split(',').any(|t| t.trim() == tag || t.trim().trim_matches('"') == tag.trim_matches('"')) {
            return Ok(tagged(StatusCode::OK, seen));
        }
        loop {
            match tokio::time::timeout_at(end, events.next()).await {
                Ok(Some(Delivery::Event(event))) if event.kind() == prefix && event.key() == seen.key => {
                    break;
                }
                Ok(Some(Delivery::Gap { .. })) => break,
                Ok(Some(Delivery::Event(_))) => {}
                Ok(None) | Err(_) => return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with("etag", &tag)),
            }
        }
    }
}

/// `Prefer: wait=<duration>` (RFC 7240 §4.3, with the units of this API).
fn wait(call: &Call) -> Duration {
    let prefer = call.header("prefer");
    let wait = prefer.split([',', ';']).filter_map(|part| part.split_once('='));
    let wait = wait.filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait")).map(|(_, value)| value);
    let wait = wait.filter_map(|value| parse_ttl(value.trim().trim_matches('"'))).next();
    wait.unwrap_or_default().min(LONGEST)
}
