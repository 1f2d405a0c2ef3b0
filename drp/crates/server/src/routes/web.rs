//! What needs no credentials: health, and a page for people who point a browser here.

use super::table::Serve;
use crate::app::App;
use crate::http::{Answer, Reply, method_not_allowed};
use crate::life::Phase;
use axum::body::Body;
use bytes::Bytes;
use drp_protocol::Error;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::{Arc, OnceLock};

/// The answer to a path that is open to everybody, `None` for all others.
pub(crate) fn open(app: &Arc<App>, parts: &Parts, path: &[&str]) -> Option<Answer> {
    let table = super::table();
    let route = table.open(path)?;
    let Serve::Open(page) = route.serve else { return None };
    Some(match table.takes(route, &parts.method) {
        true => page(app, parts),
        false => Err(method_not_allowed(&parts.method, parts.uri.path())),
    })
}

/// The OpenAPI document: the same for every daemon of a version.
pub(super) fn openapi(_: &App, _: &Parts) -> Answer {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    let text = TEXT.get_or_init(|| {
        let document = crate::openapi::document(super::table());
        serde_json::to_vec(&document).unwrap_or_default().into()
    });
    Ok(Reply::raw(text.clone()))
}

pub(super) fn redirect(_: &App, _: &Parts) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/ui"));
    Ok(Reply(response))
}

pub(super) fn ui(_: &App, _: &Parts) -> Answer {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>drp</title>\
         <h1>drp {version}</h1><p>This is the API of a Digital Rebar compatible plugin host. There is no web interface: \
         use <code>drp</code> or any v4 client against <code>/api/v3</code>.</p>\
         <ul><li><a href=/livez>is it alive</a><li><a href=/readyz>is it ready</a>\
         <li><a href=/api/v3/info>info</a> (needs a token)</ul></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    );
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(Reply(response))
}

pub(super) fn live(_: &App, _: &Parts) -> Answer {
    Ok(Reply::ok(&Live { live: true }))
}

pub(super) fn ready(app: &App, _: &Parts) -> Answer {
    match app.life.phase() {
        Phase::Ready => Ok(Reply::ok(&Ready { ready: true })),
        Phase::Starting => {
            Err(Error::new(503, "GET", "the daemon is still starting: providers are being scanned").into())
        }
        Phase::Stopping => Err(Error::new(503, "GET", "The daemon is stopping").into()),
    }
}

/// The daemon answers.
#[derive(Serialize, JsonSchema)]
pub(super) struct Live {
    live: bool,
}

/// The daemon can do its work.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ready {
    ready: bool,
}
