//! Preferences (wire-protocol §3.9).

use crate::http::{Answer, Call, Reply};
use http::{Method, StatusCode};
use std::collections::BTreeMap;

/// Changing one of these makes the tokens of plugins invalid (wire-protocol §1.12).
const SECRETS: [&str; 2] = ["baseTokenSecret", "systemGrantorSecret"];

/// `/prefs`.
pub(super) async fn route(mut call: Call) -> Answer {
    let objects = call.app.objects.clone();
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim("preferences", "list", "")?;
            Ok(Reply::ok(&objects.prefs(false)))
        }
        Method::POST => {
            call.claim("preferences", "post", "")?;
            let prefs: BTreeMap<String, String> = call.json().await?;
            call.story.detail(prefs.keys().map(String::as_str).collect::<Vec<_>>().join(" "));
            let before = objects.prefs(true);
            objects.set_prefs(&call.who, &prefs).await?;
            let after = objects.prefs(true);
            if SECRETS.iter().any(|name| before.get(*name) != after.get(*name)) {
                restart_plugins(&call);
            }
            Ok(Reply::json(StatusCode::CREATED, &objects.prefs(false)))
        }
        _ => call.not_allowed(),
    }
}

fn restart_plugins(call: &Call) {
    let Some(host) = call.app.host.get() else { return };
    for plugin in host.status() {
        if let Err(error) = host.restart_plugin(&plugin.name) {
            tracing::warn!(plugin = plugin.name, %error, "cannot restart a plugin after a change of secrets");
        }
    }
}
