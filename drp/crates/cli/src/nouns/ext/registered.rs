//! `drp ext register|unregister|list|info`: the extensions that a daemon has.

use crate::commands::Context;
use crate::{Exit, Failure};
use clap::{Subcommand, ValueHint};
use drp_client::Query;
use drp_extensions::archive::{Bounds, Items};
use drp_protocol::ExtensionType;
use serde_json::{Value, json};
use std::io::Cursor;
use std::path::{Path, PathBuf};

/// Where extensions are in the API.
const PLACE: &str = "/api/v1/extensions";
const COLUMNS: &[(&str, &str)] = &[
    ("Type", "type"),
    ("Name", "name"),
    ("Version", "version"),
    ("Plugin", "plugin"),
    ("State", "state"),
    ("Link", "link"),
    ("Description", "description"),
];

/// Verbs of registered extensions.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Register an extension with the daemon: it becomes a plugin. One of the same type and name is replaced
    Register {
        /// Folder of the extension, or its pack
        #[arg(value_hint = ValueHint::AnyPath)]
        path: PathBuf,
        /// What it has to be: provider, taskserv or cluster
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<ExtensionType>,
        /// Use the folder where it is, on the daemon's host, instead of sending a copy: for its author
        #[arg(long)]
        link: bool,
    },
    /// Unregister an extension: its plugin stops, the daemon's copy of its files goes. --force: also when others need it
    Unregister {
        /// provider, taskserv or cluster
        #[arg(value_name = "TYPE")]
        kind: ExtensionType,
        /// Its name
        name: String,
    },
    /// List registered extensions
    List {
        /// Only these: provider, taskserv or cluster
        #[arg(long = "type", value_name = "TYPE")]
        kind: Option<ExtensionType>,
        /// At most so many
        #[arg(long, value_name = "NUMBER")]
        limit: Option<u64>,
        /// Leave out so many
        #[arg(long, value_name = "NUMBER")]
        offset: Option<u64>,
    },
    /// Show a registered extension: its operations, its settings, how its plugin is
    Info {
        /// provider, taskserv or cluster
        #[arg(value_name = "TYPE")]
        kind: ExtensionType,
        /// Its name
        name: String,
    },
}

pub(super) async fn run(cx: &Context<'_>, verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Register { path, kind, link: true } => link(cx, &path, kind).await,
        Verb::Register { path, kind, link: false } => send(cx, &path, kind).await,
        Verb::Unregister { kind, name } => {
            let query = if cx.globals.force { "?force=true" } else { "" };
            let path = format!("{}{query}", one(kind, &name)?);
            if dry(cx, "DELETE", &path, &Value::Null)? {
                return Ok(());
            }
            cx.client.raw("DELETE", &path, None).await?;
            Ok(())
        }
        Verb::List { kind, limit, offset } => {
            let given = [
                ("type", kind.map(|kind| kind.to_string())),
                ("limit", limit.map(|n| n.to_string())),
                ("offset", offset.map(|n| n.to_string())),
            ];
            let given = given.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
            let query: Vec<String> = given.collect();
            let mark = if query.is_empty() { "" } else { "?" };
            let found = cx.client.raw("GET", &format!("{PLACE}{mark}{}", query.join("&")), None).await?;
            cx.printer.list(found.as_array().map_or(&[], Vec::as_slice), COLUMNS)
        }
        Verb::Info { kind, name } => {
            let found = cx.client.raw("GET", &one(kind, &name)?, None).await?;
            cx.printer.short(&found)
        }
    }
}

fn one(kind: ExtensionType, name: &str) -> Result<String, Failure> {
    // Escaped, and refused where it would be another path.
    let path = drp_client::path(&["extensions", kind.name(), name], &Query::new())?;
    Ok(path.replacen("/api/v3", "/api/v1", 1))
}

/// With `--dry-run`: prints what would be sent and says so.
fn dry(cx: &Context<'_>, method: &str, path: &str, body: &Value) -> Result<bool, Failure> {
    if cx.globals.dry_run {
        cx.printer.value(&json!({ "Method": method, "Path": path, "Body": body }))?;
    }
    Ok(cx.globals.dry_run)
}

async fn link(cx: &Context<'_>, path: &Path, kind: Option<ExtensionType>) -> Result<(), Failure> {
    let folder = std::path::absolute(path).map_err(|e| Failure::io(path.display(), &e))?;
    let mut body = json!({ "path": folder, "link": true });
    if let Some(kind) = kind {
        body["type"] = kind.name().into();
    }
    if dry(cx, "POST", PLACE, &body)? {
        return Ok(());
    }
    let done = cx.client.raw("POST", PLACE, Some(&body)).await?;
    told(cx, &done)
}

/// Sends a pack: the daemon may be elsewhere, or may not read the caller's folders.
async fn send(cx: &Context<'_>, path: &Path, kind: Option<ExtensionType>) -> Result<(), Failure> {
    let trouble = |e: std::io::Error| Failure::io(path.display(), &e);
    let meta = std::fs::metadata(path).map_err(trouble)?;
    let place = match kind {
        Some(kind) => format!("{PLACE}?type={kind}"),
        None => PLACE.to_owned(),
    };
    if meta.is_file() {
        if dry(cx, "POST", &place, &json!({ "bytes": meta.len() }))? {
            return Ok(());
        }
        let file = tokio::fs::File::open(path).await.map_err(trouble)?;
        let done: Value = cx.client.upload(&place, file, Some(meta.len())).await?;
        return told(cx, &done);
    }
    let pack = Items::of_folder(path, &Bounds::default())
        .and_then(|items| items.pack("extension"))
        .map_err(|error| Failure::new(Exit::Refused, error.to_string()))?;
    let length = pack.bytes.len() as u64;
    if dry(cx, "POST", &place, &json!({ "bytes": length, "sha256": pack.sha256 }))? {
        return Ok(());
    }
    let done: Value = cx.client.upload(&place, Cursor::new(pack.bytes), Some(length)).await?;
    told(cx, &done)
}

/// What became of it, and what to do when it does not run.
fn told(cx: &Context<'_>, done: &Value) -> Result<(), Failure> {
    if cx.printer.for_eyes() {
        cx.printer.list(std::slice::from_ref(done), COLUMNS)?;
    } else {
        cx.printer.value(done)?;
    }
    let errors = done["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
    for error in errors {
        cx.printer.warn(error);
    }
    let plugin = done["plugin"].as_str().unwrap_or_default();
    if done["state"] != "configured" {
        cx.printer.hint(&format!(
            "`drp ext info {} {}` lists its settings; `drp plugins set {plugin} param NAME to VALUE` sets one",
            done["type"].as_str().unwrap_or_default(),
            done["name"].as_str().unwrap_or_default()
        ));
    }
    Ok(())
}
