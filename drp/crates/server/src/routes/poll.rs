//! Showing one object, at once or when it changes (wire-protocol §3.6).

use super::objects::tagged;
use crate::http::{Answer, Call, Reply};
use drp_objects::{ListQuery, Pattern, parse_ttl};
use drp_protocol::Error;
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
    let end = Instant::now() + wait(call);
    let mut events = None;
    loop {
        let seen = objects.view(prefix, id, query)?;
        let tag = format!("\"{}\"", seen.revision);
        if !known.split(',').any(|t| matches(t, &tag)) {
            return Ok(tagged(StatusCode::OK, seen));
        }
        let Some(events) = &mut events else {
            // Listen, then look again: a change between a look and the wait would else be missed.
            events = Some(objects.events().subscribe_to(Pattern::of(prefix, Some(&seen.key)).into()));
            continue;
        };
        match tokio::time::timeout_at(end, events.next()).await {
            // The event, or a mark that some were lost: look again, if that is still allowed.
            Ok(Some(_)) => {
                let who = call.pass.renewed(objects, &call.who);
                let who = who.ok_or_else(|| Error::new(403, "AUTH", "Validation failed"))?;
                objects.authorize(&who, call.parts.uri.path(), prefix, "get", id)?;
                if query.decode {
                    objects.authorize(&who, call.parts.uri.path(), prefix, "getSecure", id)?;
                }
            }
            Ok(None) | Err(_) => return Ok(Reply::empty(StatusCode::NOT_MODIFIED).with("etag", &tag)),
        }
    }
}

/// Whether an entity tag is meant (RFC 9110 §13.1.2: weakly compared). Some clients leave the quotes out.
fn matches(given: &str, tag: &str) -> bool {
    let given = given.trim();
    let given = given.strip_prefix("W/").unwrap_or(given);
    given == "*" || given.trim_matches('"') == tag.trim_matches('"')
}

/// `Prefer: wait=<duration>` (RFC 7240 §4.3, with the units of this API).
fn wait(call: &Call) -> Duration {
    let prefer = call.header("prefer");
    let wait = prefer.split([',', ';']).filter_map(|part| part.split_once('='));
    let wait = wait.filter(|(name, _)| name.trim().eq_ignore_ascii_case("wait")).map(|(_, value)| value);
    let wait = wait.filter_map(|value| parse_ttl(value.trim().trim_matches('"'))).next();
    wait.unwrap_or_default().min(LONGEST)
}
