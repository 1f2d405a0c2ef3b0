//! `/api/v1`: extensions, rendering, health (extensions §11). Fields are in snake case.

use crate::extensions::{Failed, Order, Refused, Render, RenderCounts, Source};
use crate::http::{Answer, Call, Failure, OCTETS, Reply, drain};
use crate::life::Phase;
use drp_extensions::Validation;
use drp_protocol::{Error, ExtensionType};
use drp_schemas::CacheStatistics;
use futures_util::StreamExt;
use http::StatusCode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::AsyncWriteExt;

/// The scope of claims.
const SCOPE: &str = "extensions";
/// Content types of packs.
const PACKS: &[&str] =
    &[OCTETS, "application/x-tar", "application/gzip", "application/x-gzip", "application/tar+gzip"];
/// Largest pack that is taken, in bytes.
const PACK: u64 = 512 << 20;

/// How the daemon is, for what looks after extensions.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    status: &'static str,
    version: &'static str,
    /// In seconds.
    uptime: u64,
    /// Where extensions come from.
    backends: BTreeMap<&'static str, Place>,
}

/// One place that extensions come from.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Place {
    enabled: bool,
    healthy: bool,
    error: Option<String>,
}

/// How well results of Nickel are kept.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Kept {
    /// Answers that were known.
    hits: u64,
    /// Answers that had to be made.
    misses: u64,
    /// Results kept now.
    entries: usize,
}

impl From<CacheStatistics> for Kept {
    fn from(CacheStatistics { hits, misses, entries }: CacheStatistics) -> Self {
        Self { hits, misses, entries }
    }
}

/// Numbers of caches.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct CacheStats {
    /// Nickel texts of POST `/api/v1/render`.
    render: Kept,
    /// Nickel files of extensions.
    extensions: Kept,
    /// Renders since the daemon started.
    renders: RenderCounts,
}

/// POST `/api/v1/render`.
pub(super) async fn render(mut call: Call) -> Answer {
    call.claim(SCOPE, "render", "")?;
    let text: Render = call.json().await?;
    let refuse = |code: u16, text: String| Err(Error::new(code, "RENDER", text).into());
    match call.app.extensions.renders.render(text).await {
        Ok(rendered) => Ok(Reply::ok(&rendered)),
        Err(Failed::Busy(why)) => refuse(503, why),
        Err(Failed::TooLarge(why)) => refuse(413, why),
        Err(Failed::Installation(why)) => refuse(500, why),
    }
}

/// GET `/api/v1/health`.
pub(super) fn health(call: &Call) -> Answer {
    call.claim("info", "get", "")?;
    let app = &call.app;
    let ready = app.life.phase() == Phase::Ready;
    let error = app.extensions.problem();
    let status = match (ready, &error) {
        (false, _) => "unhealthy",
        (true, Some(_)) => "degraded",
        (true, None) => "healthy",
    };
    let local = Place { enabled: true, healthy: error.is_none(), error };
    Ok(Reply::ok(&Health {
        status,
        version: env!("CARGO_PKG_VERSION"),
        uptime: app.place.started.elapsed().as_secs(),
        backends: BTreeMap::from([("local", local)]),
    }))
}

/// GET `/api/v1/cache/stats`.
pub(super) fn cache_stats(call: &Call) -> Answer {
    call.claim("info", "get", "")?;
    let extensions = &call.app.extensions;
    let (render, of_extensions) = extensions.cache_statistics();
    let renders = extensions.renders.counts();
    Ok(Reply::ok(&CacheStats { render: render.into(), extensions: of_extensions.into(), renders }))
}

/// An extension in a folder of the daemon's host.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Named {
    /// The folder, from the root.
    path: PathBuf,
    /// It must be of this type.
    #[serde(default)]
    r#type: Option<String>,
    /// Use the files where they are, and not a copy: for their author.
    #[serde(default)]
    link: bool,
}

/// The answer of validation (extensions §10).
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Validated {
    valid: bool,
    errors: Vec<Wrong>,
    warnings: Vec<Wrong>,
}

/// One thing that is wrong with an extension, or odd.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Wrong {
    /// `structure`, `schema`, `interface`, `dependencies` or `versions`.
    rule: String,
    /// The file in the extension.
    path: String,
    line: Option<usize>,
    message: String,
    hint: String,
}

fn kind_of(text: &str) -> Result<ExtensionType, Failure> {
    text.parse().map_err(|why: String| Error::new(400, "EXTENSION", why).into())
}

/// What a body names or holds.
async fn order(call: &mut Call) -> Result<Order, Failure> {
    let by = call.who.name.clone();
    if call.header("content-type").to_ascii_lowercase().contains("application/json") {
        let Named { path, r#type, link } = call.json().await?;
        let kind = r#type.as_deref().map(kind_of).transpose()?;
        return Ok(Order { source: Source::Folder { path, link }, kind, by });
    }
    let kind = call.query.get("type").map(kind_of).transpose()?;
    let mut data = call.upload_as(SCOPE, "", PACKS)?;
    let (file, path) = call.app.extensions.file()?.into_parts();
    let mut file = tokio::fs::File::from_std(file);
    let full = |error: std::io::Error| Error::new(507, "POST", format!("cannot keep what is sent: {error}"));
    let mut size = 0;
    while let Some(piece) = data.next().await {
        let piece = piece.map_err(|e| Error::new(400, "POST", format!("The body broke off: {e}")))?;
        size += piece.len() as u64;
        if size > PACK {
            drain(data).await;
            return Err(Error::new(413, "POST", format!("The pack is larger than {PACK} bytes")).into());
        }
        file.write_all(&piece).await.map_err(full)?;
    }
    file.flush().await.map_err(full)?;
    Ok(Order { source: Source::Archive(path), kind, by })
}

fn refuse(call: &Call, refused: Refused) -> Answer {
    match refused {
        Refused::Invalid(validation) => {
            call.story.detail(format!("{} errors", validation.errors.len()));
            Ok(Reply::json(StatusCode::UNPROCESSABLE_ENTITY, &unfit(&validation)))
        }
        Refused::Error(error) => Err((*error).into()),
    }
}

/// The answer of validation, which is an error of the API too: clients that know nothing of it show its messages.
fn unfit(validation: &Validation) -> Value {
    let mut error = Error::new(422, "REGISTER", "").on(SCOPE, "");
    error.messages =
        validation.errors.iter().map(|problem| format!("{}: {problem}", problem.rule.name())).collect();
    let mut body = json!(error);
    if let (Value::Object(body), Value::Object(validation)) = (&mut body, json!(validation)) {
        body.extend(validation);
    }
    body
}

/// GET `/api/v1/extensions`.
fn list(call: &Call) -> Answer {
    let number = |name: &str| match call.query.get(name) {
        None => Ok(None),
        Some(text) => text.parse::<usize>().map(Some).map_err(|_| {
            Failure::from(Error::new(400, "GET", format!("{name}: {text:?} is no whole number")))
        }),
    };
    let kind = call.query.get("type").map(kind_of).transpose()?;
    let (offset, limit) = (number("offset")?.unwrap_or(0), number("limit")?.unwrap_or(usize::MAX));
    let extensions = &call.app.extensions;
    let mut all = extensions.registry.all();
    all.retain(|record| !record.leaving && call.sees(SCOPE, &record.key()));
    let total = all.len();
    all.retain(|record| kind.is_none_or(|kind| record.extension.r#type == kind));
    all.sort_by_key(|record| (record.extension.r#type, record.extension.name.clone()));
    let fitting = all.len();
    let shown: Vec<_> =
        all.iter().skip(offset).take(limit).map(|record| extensions.info(&call.app, record, false)).collect();
    Ok(Reply::ok(&shown)
        .with("x-drp-list-total-count", &total.to_string())
        .with("x-drp-list-filter-count", &fitting.to_string())
        .with("x-drp-list-count", &shown.len().to_string()))
}

/// GET `/api/v1/extensions/{type}/{name}`.
fn show(call: &Call, kind: &str, name: &str) -> Answer {
    let key = format!("{kind}/{name}");
    call.claim(SCOPE, "get", &key)?;
    let found = kind.parse().ok().and_then(|kind| call.app.extensions.registry.find(kind, name));
    match found.filter(|record| !record.leaving) {
        Some(record) => Ok(Reply::ok(&call.app.extensions.info(&call.app, &record, true))),
        None => Err(Error::new(404, "GET", "Not Found").on(SCOPE, key).into()),
    }
}

/// POST `/api/v1/extensions`.
async fn register(mut call: Call) -> Answer {
    call.claim(SCOPE, "create", "")?;
    let order = order(&mut call).await?;
    let app = Arc::clone(&call.app);
    match app.extensions.register(&app, order).await {
        Ok(info) => {
            call.story.about(&info.key());
            call.story.detail(info.said());
            Ok(Reply::json(StatusCode::CREATED, &info))
        }
        Err(refused) => refuse(&call, refused),
    }
}

/// POST `/api/v1/extensions/validate`.
pub(super) async fn validate(mut call: Call) -> Answer {
    call.claim(SCOPE, "validate", "")?;
    let order = order(&mut call).await?;
    match call.app.extensions.validate(order).await {
        Ok(validation) => Ok(Reply::ok(&validation)),
        // One that cannot even be opened is not valid.
        Err(Refused::Invalid(validation)) => Ok(Reply::ok(&validation)),
        Err(refused) => refuse(&call, refused),
    }
}

/// DELETE `/api/v1/extensions/{type}/{name}`.
async fn unregister(call: Call, kind: &str, name: &str) -> Answer {
    let key = format!("{kind}/{name}");
    call.claim(SCOPE, "delete", &key)?;
    let Ok(kind) = kind.parse() else {
        return Err(Error::new(404, "DELETE", "Not Found").on(SCOPE, key).into());
    };
    let app = Arc::clone(&call.app);
    let force = call.query.is_set("force");
    match app.extensions.unregister(&app, kind, name, force, &call.who.name).await {
        Ok(()) => Ok(Reply::none()),
        Err(refused) => refuse(&call, refused),
    }
}

/// `/api/v1/extensions/{type}/{name}`.
pub(super) async fn one(call: Call, kind: &str, name: &str) -> Answer {
    if call.method() == http::Method::DELETE {
        return unregister(call, kind, name).await;
    }
    show(&call, kind, name)
}

/// `/api/v1/extensions`.
pub(super) async fn all(call: Call) -> Answer {
    if call.method() == http::Method::POST { register(call).await } else { list(&call) }
}
