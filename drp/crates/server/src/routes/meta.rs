//! The `Meta` map of an object (wire-protocol §3.9).

use crate::http::{Answer, Call, JSON_LIMIT, Reply};
use drp_objects::Patch;
use http::Method;

/// `/meta/<prefix>/<id>`.
pub(super) async fn route(mut call: Call, prefix: &str, id: &str) -> Answer {
    if call.app.objects.kind(prefix).is_none() {
        return call.no_route();
    }
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim(prefix, "get", id)?;
            Ok(Reply::ok(&call.app.objects.meta(prefix, id)?))
        }
        Method::PATCH if prefix != "preferences" => {
            let patch = Patch::parse(&call.json_bytes(JSON_LIMIT).await?)?;
            call.claim_patch(prefix, id, "/Meta", &patch)?;
            Ok(Reply::ok(&call.app.objects.patch_meta(&call.who, prefix, id, &patch).await?))
        }
        _ => call.not_allowed(),
    }
}
