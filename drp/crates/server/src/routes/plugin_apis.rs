//! What plugins serve themselves (wire-protocol §1.14).

use crate::http::{Answer, Call, Reply};
use http::Request;

/// `/plugin-apis/<plugin>/…` with and without `/api/v3` before it: passed through as it came.
pub(super) async fn route(mut call: Call, plugin: &str) -> Answer {
    let host = call.app.host()?.clone();
    let peer = call.peer;
    let body = call.take_body();
    let request = Request::from_parts(call.parts, body);
    Ok(Reply(host.forward(plugin, request, peer).await))
}
