//! What the stand-in for Slack answers.

use super::{Channel, Data, Fault, HOOK_SECRET, Message, Request, Shared, TOKEN};
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::{Duration, Instant};

pub(super) async fn answer(
    State(shared): State<Arc<Shared>>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request {
        at: Instant::now(),
        path: uri.path().trim_start_matches("/api/").to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let posts =
        request.path == "chat.postMessage" || (request.path.starts_with("/services/") && !request.is_check());
    let fault = {
        let mut data = shared.data.lock().expect("data");
        data.requests.push(request.clone());
        if posts { data.faults.pop_front() } else { None }
    };
    let webhook = request.path.starts_with("/services/");
    let outcome = match fault {
        Some(Fault::Limited(after)) => limited(after),
        Some(Fault::Error(name, status)) if webhook => text(status, name),
        Some(Fault::Error(name, status)) => reply(status, json!({"ok": false, "error": name})),
        Some(Fault::Page(status)) => text(status, "<html><body>upstream connect error</body></html>"),
        Some(Fault::Garbage) => text(200, "{\"ok\": tr"),
        Some(Fault::Hang(time)) => {
            tokio::time::sleep(time).await;
            text(504, "late")
        }
        Some(Fault::LoseAnswer) => {
            drop(handle(&shared, &request));
            let pieces: [Result<Bytes, std::io::Error>; 2] =
                [Ok(Bytes::from_static(b"{\"ok\": tr")), Err(std::io::ErrorKind::ConnectionReset.into())];
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            Response::builder().header("content-length", "100").body(body).expect("answer")
        }
        None => handle(&shared, &request),
    };
    shared.news.notify_waiters();
    outcome
}

fn handle(shared: &Shared, request: &Request) -> Response {
    let mut data = shared.data.lock().expect("data");
    if let Some(path) = request.path.strip_prefix("/services/") {
        return webhook(&mut data, path, request);
    }
    let refused = |error: &str| reply(200, json!({"ok": false, "error": error}));
    match request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        None => return refused("not_authed"),
        Some(TOKEN) => {}
        Some(_) => return refused("invalid_auth"),
    }
    if let Some(error) = data.token_error {
        return refused(error);
    }
    let kind = request.headers.get("content-type").map(String::as_str).unwrap_or_default();
    let json_body = kind.starts_with("application/json");
    let mut answer = match request.path.as_str() {
        "auth.test" => json!({
            "ok": true, "url": "https://drp-test.slack.com/", "team": "DRP test", "user": "drp", "team_id": "T01",
            "user_id": "U01", "bot_id": "B01", "is_enterprise_install": false,
        }),
        // Takes forms only; arguments in JSON are not seen.
        "users.conversations" => conversations(&data, if json_body { "" } else { &request.body }),
        "chat.postMessage" => match serde_json::from_str::<Value>(&request.body) {
            Ok(body) if json_body => post(&mut data, &body),
            _ => json!({"ok": false, "error": "invalid_json"}),
        },
        _ => json!({"ok": false, "error": "unknown_method"}),
    };
    if json_body && !kind.contains("charset") {
        answer["warning"] = "missing_charset".into();
        answer["response_metadata"] = json!({"warnings": ["missing_charset"]});
    }
    if answer["error"] == "ratelimited" {
        return limited(1);
    }
    let mut response = reply(200, answer);
    response.headers_mut().insert("x-oauth-scopes", data.scopes.parse().expect("header"));
    response
}

fn post(data: &mut Data, body: &Value) -> Value {
    let refused = |error: &str| json!({"ok": false, "error": error});
    if !data.scopes.split(',').any(|scope| scope == "chat:write") {
        return json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": data.scopes});
    }
    let asked = body["channel"].as_str().unwrap_or_default();
    let found = data
        .channels
        .iter()
        .find(|(name, channel)| asked.trim_start_matches('#') == *name || asked == channel.id);
    let Some((name, channel)) = found.map(|(name, channel)| (name.clone(), channel.clone())) else {
        return refused("channel_not_found");
    };
    match (&channel, too_big(body)) {
        (Channel { archived: true, .. }, _) => refused("is_archived"),
        (Channel { member: false, private: true, .. }, _) => refused("channel_not_found"),
        (Channel { member: false, .. }, _) => refused("not_in_channel"),
        (_, Some(error)) => refused(error),
        _ if data.strict && !at_pace(data, &name) => refused("ratelimited"),
        _ => {
            let ts = format!("1700000000.{:06}", data.messages.len() + 1);
            data.messages.push(Message { at: Instant::now(), channel: name, body: body.clone() });
            json!({"ok": true, "channel": channel.id, "ts": ts, "message": {"text": body["text"], "type": "message"}})
        }
    }
}

/// Whether the last message of the channel is a second old, with a little for the way.
fn at_pace(data: &mut Data, channel: &str) -> bool {
    let last = data.messages.iter().rev().find(|message| message.channel == channel);
    let slow = last.is_none_or(|last| last.at.elapsed() >= Duration::from_millis(900));
    data.refused_pace += usize::from(!slow);
    slow
}

/// The name of the limit that a message breaks.
fn too_big(body: &Value) -> Option<&'static str> {
    let long = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let blocks = body["blocks"].as_array();
    if long(&body["text"]) > 40_000 {
        return Some("msg_too_long");
    }
    if long(&body["text"]) == 0 && blocks.is_none() {
        return Some("no_text");
    }
    let inside = |list: &Value, most: usize, longest: usize| {
        list.as_array().is_none_or(|list| {
            (1..=most).contains(&list.len())
                && list.iter().all(|entry| (1..=longest).contains(&long(&entry["text"])))
        })
    };
    let fits = |block: &Value| match block["type"].as_str() {
        Some("section") => {
            (block["text"].is_null() || (1..=3000).contains(&long(&block["text"]["text"])))
                && (block["text"].is_object() || block["fields"].is_array())
                && inside(&block["fields"], 10, 2000)
        }
        Some("context") => block["elements"].is_array() && inside(&block["elements"], 10, 3000),
        _ => false,
    };
    let right = blocks.is_none_or(|blocks| blocks.len() <= 50 && blocks.iter().all(fits));
    (!right).then_some("invalid_blocks")
}

/// The channels of the bot, two a page so that readers have to follow the cursor.
fn conversations(data: &Data, form: &str) -> Value {
    let argument = |name: &str| {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.replace("%2C", ","))
            .next()
            .unwrap_or_default()
    };
    for scope in ["channels:read", "groups:read"] {
        if !data.scopes.contains(scope) {
            return json!({"ok": false, "error": "missing_scope", "needed": scope, "provided": data.scopes});
        }
    }
    let types = argument("types");
    let shown = |channel: &&Channel| {
        channel.member
            && !(channel.archived && argument("exclude_archived") == "true")
            && if channel.private {
                types.contains("private_channel")
            } else {
                types.is_empty() || types.contains("public_channel")
            }
    };
    let all: Vec<&str> = data.channels.values().filter(shown).map(|channel| channel.id.as_str()).collect();
    let from: usize = argument("cursor").parse().unwrap_or(0);
    let page: Vec<Value> = all.iter().skip(from).take(2).map(|id| json!({"id": id})).collect();
    let next = if from + 2 < all.len() { (from + 2).to_string() } else { String::new() };
    json!({"ok": true, "channels": page, "response_metadata": {"next_cursor": next}})
}

fn webhook(data: &mut Data, path: &str, request: &Request) -> Response {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["T01", "B01", HOOK_SECRET] => {}
        ["T01", "B01", _] => return text(403, "invalid_token"),
        ["T01", ..] => return text(404, "no_service"),
        _ => return text(404, "no_team"),
    }
    if data.webhook_archived {
        return text(410, "channel_is_archived");
    }
    let Ok(body) = serde_json::from_str::<Value>(&request.body) else { return text(400, "invalid_payload") };
    match too_big(&body) {
        Some("no_text") => text(400, "no_text"),
        Some(error) => text(400, error),
        None if data.strict && !at_pace(data, "webhook") => limited(1),
        None => {
            data.messages.push(Message { at: Instant::now(), channel: "webhook".to_owned(), body });
            text(200, "ok")
        }
    }
}

fn limited(after: u64) -> Response {
    let mut response = reply(429, json!({"ok": false, "error": "ratelimited"}));
    response.headers_mut().insert("retry-after", after.into());
    response
}

fn reply(status: u16, body: Value) -> Response {
    let mut response = text(status, &body.to_string());
    response.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().expect("header"));
    response
}

fn text(status: u16, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    response
}
