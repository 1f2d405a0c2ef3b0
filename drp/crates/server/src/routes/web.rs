//! What needs no credentials: health, and a page for people who point a browser here.

use crate::app::App;
use crate::http::{Answer, Reply, method_not_allowed};
use crate::life::Phase;
use axum::body::Body;
use drp_protocol::Error;
use http::header::{CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode};
use serde_json::json;
use std::sync::Arc;

/// The answer to a path that is open to everybody, `None` for all others.
pub(crate) fn open(app: &Arc<App>, parts: &Parts, path: &[&str]) -> Option<Answer> {
    let page: fn(&App) -> Answer = match path {
        [] => redirect,
        ["ui"] => ui,
        ["livez"] => live,
        ["readyz"] => ready,
        _ => return None,
    };
    let url = parts.uri.path();
    Some(match parts.method {
        Method::GET | Method::HEAD => page(app),
        _ => Err(method_not_allowed(&parts.method, url)),
    })
}

fn redirect(_: &App) -> Answer {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(LOCATION, HeaderValue::from_static("/ui"));
    Ok(Reply(response))
}

fn ui(app: &App) -> Answer {
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>drp</title>\
         <h1>drp {version}</h1><p>This is the API of a Digital Rebar compatible plugin host. There is no web interface: \
         use <code>drp</code> or any v4 client against <code>/api/v3</code>.</p>\
         <ul><li><a href=/livez>is it alive</a><li><a href=/readyz>is it ready</a>\
         <li><a href=/api/v3/info>info</a> (needs a token)</ul></html>\n",
        version = env!("CARGO_PKG_VERSION"),
    );
    let _ = app;
    let mut response = Response::new(Body::from(page));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    Ok(Reply(response))
}

fn live(_: &App) -> Answer {
    Ok(Reply::ok(&json!({"live": true})))
}

fn ready(app: &App) -> Answer {
    match app.life.phase() {
        Phase::Ready => Ok(Reply::ok(&json!({"ready": true}))),
        Phase::Starting => {
            Err(Error::new(503, "GET", "the daemon is still starting: providers are being scanned").into())
        }
        Phase::Stopping => Err(Error::new(503, "GET", "The daemon is stopping").into()),
    }
}
