//! Publishing events, and the log (wire-protocol §3.9).

use crate::http::{Answer, Call, Reply};
use drp_protocol::Event;
use http::Method;

/// POST `/events`.
pub(super) async fn post(mut call: Call) -> Answer {
    if call.method() != Method::POST {
        return call.not_allowed();
    }
    call.claim("events", "post", "")?;
    let mut event: Event = call.json().await?;
    event.principal.clone_from(&call.who.name);
    call.app.objects.events().publish(event);
    Ok(Reply::none())
}

/// GET `/logs`.
pub(super) fn logs(call: &Call) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            if call.who.claims.is_confined() {
                // Its lines speak of everybody's objects.
                return Ok(Reply::ok(&[(); 0]));
            }
            call.claim("logs", "get", "")?;
            Ok(Reply::ok(&call.app.objects.logs().lines()))
        }
        _ => call.not_allowed(),
    }
}
