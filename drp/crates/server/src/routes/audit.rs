//! GET `/audit`: who did what.

use crate::audit::Wanted;
use crate::http::{Answer, Call, Reply};
use drp_protocol::Error;
use http::Method;
use std::sync::Arc;

/// Entries when nothing else is asked for.
const USUAL: usize = 1_000;
/// Entries at most.
const MOST: usize = 10_000;

/// GET `/audit?who=&action=&scope=&key=&outcome=&request=&since=&limit=`: the newest entries that fit, oldest first.
pub(super) async fn route(call: &Call) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    call.claim("audit", "list", "")?;
    let text = |name: &str| call.query.get(name).unwrap_or_default().to_owned();
    let wrong = |text: String| Error::new(406, "GET", text).on("audit", "");
    let limit = match text("limit").as_str() {
        "" => USUAL,
        limit => limit.parse().map_err(|_| wrong(format!("Limit not valid: {limit}")))?,
    };
    let since = match text("since") {
        since if since.is_empty() => None,
        since => Some(serde_json::from_value(since.as_str().into()).map_err(|_| {
            wrong(format!("since: {since:?} is not an RFC 3339 time such as 2026-01-31T12:00:00Z"))
        })?),
    };
    let wanted = Wanted {
        who: text("who"),
        action: text("action"),
        scope: text("scope"),
        key: text("key"),
        outcome: text("outcome"),
        request: text("request"),
        since,
        limit: limit.min(MOST),
    };
    let audit = Arc::clone(&call.app.audit);
    let failed =
        |why: String| Error::new(500, "GET", format!("the audit log cannot be read: {why}")).on("audit", "");
    let read = tokio::task::spawn_blocking(move || audit.read(&wanted)).await;
    let found = read.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
    let count = found.len().to_string();
    Ok(Reply::ok(&found).with("x-drp-list-count", &count))
}
