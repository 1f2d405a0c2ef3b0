//! Whether the daemon can do its work, and if not, what is in the way.

use crate::app::App;
use crate::http::{Answer, Query, Reply};
use crate::life::Phase;
use drp_protocol::Error;
use http::request::Parts;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// With less room than this on the disk of the base root, in bytes, writes are about to fail.
const ROOM: u64 = 64 << 20;

/// The daemon can do its work.
#[derive(Serialize, JsonSchema)]
pub(super) struct Ready {
    ready: bool,
    /// With `verbose`: each check by name, and what it found.
    #[serde(skip_serializing_if = "Option::is_none")]
    checks: Option<BTreeMap<&'static str, String>>,
}

/// What a check found; the error is what is wrong.
type Found = Result<String, String>;

/// GET `/readyz`. One bad check makes it 503; its messages name the bad ones, and with `verbose` all.
pub(super) fn route(app: &App, parts: &Parts) -> Answer {
    let verbose = Query::parse(parts.uri.query().unwrap_or_default()).is_set("verbose");
    let checks = checks(app);
    if checks.values().all(Result::is_ok) {
        let found = checks.into_iter().map(|(name, found)| (name, found.unwrap_or_default()));
        return Ok(Reply::ok(&Ready { ready: true, checks: verbose.then(|| found.collect()) }));
    }
    let mut error =
        Error { code: 503, r#type: "GET".to_owned(), key: "/readyz".to_owned(), ..Error::default() };
    for (name, found) in checks {
        match found {
            Err(wrong) => error = error.and(format!("{name}: {wrong}")),
            Ok(fine) if verbose => error = error.and(format!("{name}: ok, {fine}")),
            Ok(_) => {}
        }
    }
    Err(error.into())
}

fn checks(app: &App) -> BTreeMap<&'static str, Found> {
    let settings = &app.place.settings;
    BTreeMap::from([
        ("disk", disk(&settings.base_root)),
        ("files", directory(&settings.file_root)),
        ("listener", listener(&settings.socket)),
        ("plugins", plugins(app)),
        ("providers", providers(app)),
        ("store", store(app)),
    ])
}

fn providers(app: &App) -> Found {
    match app.life.phase() {
        Phase::Ready => Ok(format!("{} looked at", app.providers.names().len())),
        Phase::Starting => Err("the daemon is still starting: providers are being scanned".to_owned()),
        Phase::Stopping => Err("The daemon is stopping".to_owned()),
    }
}

/// Plugins that do not run are the operator's to look at; the daemon serves all the same.
fn plugins(app: &App) -> Found {
    let host = app.host.get().ok_or("the plugin host is not up")?;
    let all = host.status();
    let up = all.iter().filter(|plugin| plugin.state == drp_host::InstanceState::Configured).count();
    Ok(format!("{up} of {} configured", all.len()))
}

fn store(app: &App) -> Found {
    let read = app.store.get("machines", "readyz");
    read.map(|_| format!("revision {}", app.store.revision())).map_err(|error| error.to_string())
}

/// This answer came over one of the listeners; the socket's file can be taken away from under the other.
fn listener(socket: &Path) -> Found {
    match std::os::unix::net::UnixStream::connect(socket) {
        Ok(_) => Ok("the local socket answers".to_owned()),
        Err(error) => Err(format!("local socket {}: {error}", socket.display())),
    }
}

fn directory(path: &Path) -> Found {
    match std::fs::metadata(path) {
        Ok(meta) if meta.is_dir() => Ok("there".to_owned()),
        Ok(_) => Err(format!("{} is no directory", path.display())),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

fn disk(base: &Path) -> Found {
    let stat = nix::sys::statvfs::statvfs(base).map_err(|error| format!("{}: {error}", base.display()))?;
    let free = stat.blocks_available().saturating_mul(stat.fragment_size());
    match free < ROOM {
        true => Err(format!("{} MiB left, {} are needed", free >> 20, ROOM >> 20)),
        false => Ok(format!("{} MiB left", free >> 20)),
    }
}
