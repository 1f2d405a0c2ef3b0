//! The routes (wire-protocol §3): one file per resource; `table.rs` says how to add one.

mod actions;
mod audit;
mod backup;
mod contents;
mod events;
mod extensions;
mod files;
mod indexes;
mod info;
mod interfaces;
mod jobs;
mod map;
mod meta;
mod metrics;
mod objects;
mod params;
mod plugin_apis;
mod plugin_providers;
mod poll;
mod pools;
mod prefs;
mod ready;
mod stream;
mod system;
mod table;
mod users;
mod web;

pub(crate) use extensions::Named;
pub(crate) use files::{safe_join, sum};
pub(crate) use info::FEATURES;
pub(crate) use map::table;
pub(crate) use table::{At, Part, Route, Serve, Table, Types};
pub(crate) use web::open;

use crate::app::App;
use crate::http::{Answer, Call};

/// The route of a path below `/api/v3`, or of a whole one of `/api/v1`.
pub(crate) fn find(app: &App, path: &[&str]) -> Option<(&'static Route, At)> {
    table().find(path, |prefix, types| {
        app.objects.kind(prefix).is_some_and(|kind| match types {
            Types::All => true,
            Types::WithParams => kind.has_params,
            // `/jobs/<id>/actions` is something else (wire-protocol §3.8).
            Types::WithActions => kind.has_actions && prefix != "jobs",
        })
    })
}

/// Sends a call to its resource. What the table does not know reaches none.
pub(crate) async fn route(call: Call, found: Option<(&'static Route, At)>) -> Answer {
    let Some((route, at)) = found else { return call.no_route() };
    let Serve::Call(handler) = route.serve else { return call.no_route() };
    if !table().takes(route, call.method()) {
        return table().refuse(route, call.method(), call.url());
    }
    handler(call, at).await
}
