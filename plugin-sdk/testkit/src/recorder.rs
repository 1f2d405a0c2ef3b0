//! What a plugin sent on the from-plugin socket (wire-protocol §1.8).

use axum::{
    Router,
    body::{Body, Bytes},
    extract::{Path, State},
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use drp_protocol::{Error, Event, JsonMap, Line};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// Everything recorded, and what the daemon's side answers.
#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) lines: Vec<Line>,
    pub(crate) events: Vec<Event>,
    pub(crate) leaving: Vec<Error>,
    pub(crate) objects: BTreeMap<String, Vec<Value>>,
    pub(crate) certificate: String,
    /// What `/log` answers instead of 204.
    pub(crate) log_status: Option<u16>,
    /// What `/publish` answers instead of success.
    pub(crate) publish_error: Option<Error>,
}

/// Shared by the socket's server and the test.
pub(crate) struct Recorder {
    seen: Mutex<Seen>,
    changes: watch::Sender<u64>,
}

impl Recorder {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { seen: Mutex::default(), changes: watch::Sender::new(0) })
    }

    pub(crate) fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn record(&self, note: impl FnOnce(&mut Seen)) {
        note(&mut self.seen());
        self.changes.send_modify(|n| *n += 1);
    }

    pub(crate) fn service(self: &Arc<Self>) -> Router {
        let routes = || {
            Router::new()
                .route("/log", post(log))
                .route("/publish", post(publish))
                .route("/leaving", post(leaving))
                .route("/objects/{prefix}", get(objects))
                .route("/certificate", get(certificate))
        };
        Router::new()
            .nest(drp_protocol::wire::SERVER_PREFIX, routes())
            .nest(drp_protocol::wire::SERVER_PREFIX_DOCUMENTED, routes())
            .with_state(self.clone())
    }
}

fn json(status: u16, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn error(error: &Error) -> Response {
    json(error.code, serde_json::to_vec(error).unwrap_or_default())
}

async fn log(State(recorder): State<Arc<Recorder>>, body: Bytes) -> Response {
    let line = serde_json::from_slice(&body).unwrap_or_default();
    recorder.record(|seen| seen.lines.push(line));
    let status = recorder.seen().log_status.unwrap_or(204);
    json(status, Body::empty())
}

async fn publish(State(recorder): State<Arc<Recorder>>, body: Bytes) -> Response {
    if let Some(refusal) = recorder.seen().publish_error.clone() {
        return error(&refusal);
    }
    match serde_json::from_slice(&body) {
        Ok(event) => recorder.record(|seen| seen.events.push(event)),
        Err(e) => return error(&Error::new(400, "POST", e.to_string())),
    }
    error(&Error::success())
}

async fn leaving(State(recorder): State<Arc<Recorder>>, body: Bytes) -> Response {
    recorder.record(|seen| seen.leaving.push(serde_json::from_slice(&body).unwrap_or_default()));
    json(204, Body::empty())
}

async fn objects(State(recorder): State<Arc<Recorder>>, Path(prefix): Path<String>) -> Response {
    match recorder.seen().objects.get(&prefix) {
        Some(list) => json(200, Value::from(list.clone()).to_string()),
        None => error(&Error::new(404, "GET", "Not Found").on("", prefix)),
    }
}

async fn certificate(State(recorder): State<Arc<Recorder>>) -> Response {
    let pem = recorder.seen().certificate.clone();
    if pem.is_empty() { error(&Error { code: 404, ..Error::default() }) } else { pem.into_response() }
}

/// An object as a JSON map, empty when it is none.
pub(crate) fn object(value: Value) -> JsonMap {
    match value {
        Value::Object(map) => map,
        _ => JsonMap::new(),
    }
}
