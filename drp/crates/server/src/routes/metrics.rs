//! Numbers for Prometheus.

use crate::http::{Answer, Call, Reply};

/// GET `/metrics`, also below `/api/v3`. Names of plugins are in it, so it takes what `/info` takes.
pub(super) async fn route(call: Call) -> Answer {
    call.claim("info", "get", "")?;
    Ok(Reply(crate::metrics::page(&call.app).await))
}
