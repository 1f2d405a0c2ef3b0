//! What needs no credentials: health, and a page for people who point a browser here.

use super::table::{Route, Serve};
use crate::app::App;
use crate::http::{Answer, Reply};
use axum::body::Body;
use bytes::Bytes;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;
use std::sync::OnceLock;

/// The answer of a route that is open to everybody.
pub(crate) fn open(app: &App, parts: &Parts, route: &Route) -> Answer {
    match route.serve {
        Serve::Open(page) if super::table().takes(route, &parts.method) => page(app, parts),
        _ => super::table().refuse(route, &parts.method, parts.uri.path()),
    }
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

/// The daemon answers.
#[derive(Serialize, JsonSchema)]
pub(super) struct Live {
    live: bool,
}
