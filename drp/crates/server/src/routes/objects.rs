//! Every type of object: list, create, show, replace, patch, delete (wire-protocol §3.4, §3.5).

use super::poll;
use crate::http::{Answer, Call, Failure, JSON_LIMIT, Reply};
use drp_objects::{Fetched, ListQuery, Listing, Patch};
use http::{Method, StatusCode};
use serde_json::Value;

/// `/<prefix>`.
pub(super) async fn all(mut call: Call, prefix: &str) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            let query = list_query(&call, prefix, "")?;
            let objects = call.app.objects.clone();
            let who = call.who.clone();
            let prefix = prefix.to_owned();
            // A list of thousands takes milliseconds: other requests need not wait behind it.
            let listing = tokio::task::spawn_blocking(move || objects.list(&who, &prefix, &query)).await;
            let listing = listing.map_err(|e| drp_protocol::Error::new(500, "GET", e.to_string()))??;
            Ok(counted(listing))
        }
        Method::POST => {
            call.claim(prefix, "create", "")?;
            let body: Value = call.json().await?;
            let created = call.app.objects.create(&call.who, prefix, body).await?;
            call.story.about(&created.key);
            Ok(tagged(StatusCode::CREATED, created))
        }
        _ => call.not_allowed(),
    }
}

/// `/<prefix>/<id>`.
pub(super) async fn one(mut call: Call, prefix: &str, id: &str) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim(prefix, "get", id)?;
            let query = list_query(&call, prefix, id)?;
            poll::show(&call, prefix, id, &query).await
        }
        Method::PUT => {
            call.claim(prefix, "update", id)?;
            let force = call.query.is_set("force");
            let body: Value = call.json().await?;
            let changed = call.app.objects.replace_with(&call.who, prefix, id, body, force).await?;
            Ok(tagged(StatusCode::OK, changed))
        }
        Method::PATCH => {
            let force = call.query.is_set("force");
            let patch = Patch::parse(&call.json_bytes(JSON_LIMIT).await?)?.forced(force);
            call.claim_patch(prefix, id, "", &patch)?;
            let changed = call.app.objects.patch(&call.who, prefix, id, &patch).await?;
            Ok(tagged(StatusCode::OK, changed))
        }
        Method::DELETE => {
            call.claim(prefix, "delete", id)?;
            let gone = call.app.objects.delete(&call.who, prefix, id).await?;
            if prefix == "jobs" {
                super::jobs::logs(&call).remove(&gone.key);
            }
            Ok(tagged(StatusCode::OK, gone))
        }
        _ => call.not_allowed(),
    }
}

/// The query string; `decode` needs a claim of its own.
pub(super) fn list_query(call: &Call, prefix: &str, id: &str) -> Result<ListQuery, Failure> {
    let mut query = ListQuery::parse(call.query.pairs().filter(|(key, _)| *key != "token"))?;
    query.head = call.method() == Method::HEAD;
    if query.decode {
        call.claim(prefix, "getSecure", id)?;
    }
    Ok(query)
}

fn counted(listing: Listing) -> Reply {
    Reply::raw(listing.json)
        .with("x-drp-list-total-count", &listing.total.to_string())
        .with("x-drp-list-filter-count", &listing.filtered.to_string())
        .with("x-drp-list-count", &listing.count.to_string())
}

/// An object with its entity tag.
pub(super) fn tagged(status: StatusCode, object: Fetched) -> Reply {
    Reply::bytes(status, object.json).with("etag", &format!("\"{}\"", object.revision))
}
