//! `/api/v1`: extensions, rendering, health (extensions §11). Fields are in snake case.

use crate::extensions::{Failed, Render, RenderCounts};
use crate::http::{Answer, Call, Reply};
use crate::life::Phase;
use drp_protocol::Error;
use drp_schemas::CacheStatistics;
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// The scope of claims.
const SCOPE: &str = "extensions";

/// How the daemon is, for what looks after extensions.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Health {
    /// `healthy`, `degraded` or `unhealthy`.
    status: &'static str,
    version: &'static str,
    /// In seconds.
    uptime: u64,
    /// Where extensions come from.
    backends: BTreeMap<&'static str, Source>,
}

/// One place that extensions come from.
#[derive(Debug, Serialize, JsonSchema)]
pub(crate) struct Source {
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
    let local = Source { enabled: true, healthy: error.is_none(), error };
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
