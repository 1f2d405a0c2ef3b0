//! The routes (wire-protocol §3): one file per resource, found by the segments of the path.

mod actions;
mod backup;
mod contents;
mod events;
mod files;
mod indexes;
mod info;
mod interfaces;
mod meta;
mod objects;
mod params;
mod plugin_apis;
mod plugin_providers;
mod poll;
mod prefs;
mod system;
mod users;
mod web;

pub(crate) use files::{etag, safe_join};
pub(crate) use web::open;

use crate::http::{Answer, Call};
use http::Method;

/// Sends a call to its resource. `path` is what follows `/api/v3`.
pub(crate) async fn route(call: Call, path: Vec<String>) -> Answer {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    match path.as_slice() {
        ["info"] => info::route(&call),
        ["objects"] => indexes::objects(&call),
        ["indexes", rest @ ..] => indexes::route(&call, rest),
        ["meta", prefix, id @ ..] if !id.is_empty() => meta::route(call, prefix, &id.join("/")).await,
        ["prefs"] => prefs::route(call).await,
        ["logs"] => events::logs(&call),
        ["events"] => events::post(call).await,
        ["ws"] | ["ws", ..] => crate::ws::route(call).await,
        ["interfaces", rest @ ..] => interfaces::route(&call, rest),
        ["contents", rest @ ..] => contents::route(call, rest).await,
        ["plugin_providers", rest @ ..] => plugin_providers::route(call, rest).await,
        [area @ ("files" | "isos"), rest @ ..] => files::route(call, area, rest).await,
        ["plugin-apis", plugin, ..] => plugin_apis::route(call, plugin).await,
        ["backup"] | ["system", "backup"] => backup::route(call).await,
        ["system", "actions", rest @ ..] if rest.len() < 2 => {
            actions::route(call, "system", "system", rest.first()).await
        }
        ["system", rest @ ..] => system::route(call, rest).await,
        ["whoami"] => users::whoami(&call),
        ["users", id, "token"] => users::token(&call, id),
        ["users", id, "password"] => users::password(call, id).await,
        ["machines", id, "token"] => users::machine_token(&call, id),
        ["jobs", id, "plugin_actions", rest @ ..] if rest.len() < 2 => {
            actions::route(call, "jobs", id, rest.first()).await
        }
        // Names of params hold slashes, so nothing can stand behind one.
        ["params", first, rest @ ..] => {
            let key = rest.iter().fold((*first).to_owned(), |key, part| format!("{key}/{part}"));
            objects::one(call, "params", &key).await
        }
        // Preferences change by `/prefs` alone, which knows what each of them takes.
        ["preferences", ..] if !matches!(*call.method(), Method::GET | Method::HEAD) => call.not_allowed(),
        [prefix, rest @ ..] if call.app.objects.kind(prefix).is_some() => match rest {
            [] => objects::all(call, prefix).await,
            [id] => objects::one(call, prefix, id).await,
            [id, "actions"] if *prefix != "jobs" => actions::route(call, prefix, id, None).await,
            [id, "actions", command] if *prefix != "jobs" => {
                actions::route(call, prefix, id, Some(command)).await
            }
            [id, rest @ ..] if has_params(&call, prefix) => match rest {
                ["params"] => params::all(call, prefix, id).await,
                ["params", key @ ..] => params::one(call, prefix, id, &key.join("/")).await,
                ["pubkey"] => params::pubkey(&call, prefix, id).await,
                _ => call.no_route(),
            },
            _ => call.no_route(),
        },
        _ => call.no_route(),
    }
}

fn has_params(call: &Call, prefix: &str) -> bool {
    call.app.objects.kind(prefix).is_some_and(|kind| kind.has_params)
}
