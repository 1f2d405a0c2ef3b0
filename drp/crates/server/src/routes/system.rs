//! The daemon as a process. Its state, which holds paths, process ids and what plugins print, is for the local socket and
//! for those who may do everything; stopping it is for the local socket only.

use crate::http::{Answer, Call, Reply};
use crate::life::Phase;
use drp_protocol::Error;
use http::{Method, StatusCode};
use serde_json::json;

/// `/system/status`, `/system/shutdown`, and what of high availability makes sense on one node (wire-protocol §3.9).
pub(super) async fn route(call: Call, path: &[&str]) -> Answer {
    match (path, call.method()) {
        (["status"], &Method::GET | &Method::HEAD) => {
            call.for_the_operator()?;
            status(&call)
        }
        (["shutdown"], &Method::POST) => {
            if !call.local {
                let text = "Stopping is for the local socket: run `drp stop` on the host of the daemon";
                return Err(Error::new(403, "POST", text).on("system", "shutdown").into());
            }
            tracing::info!(by = call.who.name, "asked to stop");
            call.app.life.ask_to_stop();
            Ok(Reply::json(StatusCode::ACCEPTED, &json!({"Pid": std::process::id()})))
        }
        // This node is the only one, so it is the active one and cannot be anything else.
        (["active"], &Method::POST) => {
            call.claim("system", "active", "")?;
            Ok(Reply::none())
        }
        (["passive"], &Method::POST) => {
            call.claim("system", "passive", "")?;
            alone(&call, "there is no other node that could be the active one")
        }
        (["upgrade"], &Method::POST) => {
            call.claim("system", "upgrade", "")?;
            alone(&call, "replace the executable and start the daemon anew; plugins stop and start with it")
        }
        (["cert"], &Method::POST) => {
            call.for_the_operator()?;
            alone(&call, "set tls-cert and tls-key and start the daemon anew")
        }
        (["status" | "shutdown" | "active" | "passive" | "upgrade" | "cert"], _) => call.not_allowed(),
        _ => call.no_route(),
    }
}

/// `/system/consensus/…`.
pub(super) async fn consensus(call: Call, _: &[&str]) -> Answer {
    call.claim("system", "replicate", "")?;
    alone(&call, "one node needs no consensus")
}

/// What a daemon that is one node does not do, and what to do instead.
fn alone(call: &Call, instead: &str) -> Answer {
    let mut error = Error::new(409, call.method().as_str(), format!("Not on a single node: {instead}"));
    error.key = call.url().to_owned();
    Err(error.into())
}

fn status(call: &Call) -> Answer {
    let app = &call.app;
    let phase = match app.life.phase() {
        Phase::Starting => "starting",
        Phase::Ready => "ready",
        Phase::Stopping => "stopping",
    };
    let plugins = app.host.get().map(|host| host.status()).unwrap_or_default();
    Ok(Reply::ok(&json!({
        "State": phase,
        "Pid": std::process::id(),
        "Version": format!("v{}", env!("CARGO_PKG_VERSION")),
        "Id": app.place.id,
        "Uptime": app.place.started.elapsed().as_secs_f64(),
        "BaseRoot": app.place.settings.base_root,
        "Api": app.place.api.to_string(),
        "Files": app.place.files.to_string(),
        "Backend": app.store.location().to_string(),
        "EventSockets": app.sockets.count(),
        "Providers": app.providers.names(),
        "Plugins": plugins,
        "Problems": app.problems(),
    })))
}
