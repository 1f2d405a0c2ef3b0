//! Tokens and passwords (wire-protocol §3.2).

use super::info::info;
use super::objects::tagged;
use crate::http::{Answer, Call, Failure, Reply};
use drp_objects::{TokenRequest, parse_ttl};
use drp_protocol::{Error, Secret, UserPassword, UserToken};
use http::{Method, StatusCode};
use std::time::Duration;

/// GET `/users/<name>/token`.
pub(super) fn token(call: &Call, user: &str) -> Answer {
    if call.method() != Method::GET {
        return call.not_allowed();
    }
    call.claim("users", "token", user)?;
    let text = |key: &str| call.query.get(key).unwrap_or_default().to_owned();
    let request = TokenRequest {
        ttl: ttl(call, "users", user)?,
        roles: call.query.list("roles"),
        scope: text("scope"),
        action: text("action"),
        specific: text("specific"),
    };
    given(call, call.app.objects.token_for(&call.who, user, &request)?)
}

/// GET `/machines/<id>/token`.
pub(super) fn machine_token(call: &Call, id: &str) -> Answer {
    if call.method() != Method::GET {
        return call.not_allowed();
    }
    call.claim("machines", "token", id)?;
    let ttl = ttl(call, "machines", id)?;
    given(call, call.app.objects.machine_token(id, ttl)?)
}

fn given(call: &Call, token: Secret<String>) -> Answer {
    Ok(Reply::ok(&UserToken { token: token.expose().clone(), info: info(call) }))
}

/// Whole seconds, or a duration with a unit; some clients send both to either route.
fn ttl(call: &Call, model: &str, key: &str) -> Result<Option<Duration>, Failure> {
    let Some(text) = call.query.get("ttl").map(str::trim).filter(|text| !text.is_empty()) else {
        return Ok(None);
    };
    let ttl = text.parse().ok().map(Duration::from_secs).or_else(|| parse_ttl(text));
    match ttl {
        Some(ttl) => Ok(Some(ttl)),
        None => Err(Error::new(400, "GET", format!("ttl: {text:?} is not a duration such as 3600 or 2h"))
            .on(model, key)
            .into()),
    }
}

/// PUT `/users/<name>/password`.
pub(super) async fn password(mut call: Call, user: &str) -> Answer {
    if call.method() != Method::PUT {
        return call.not_allowed();
    }
    call.claim("users", "password", user)?;
    let given: UserPassword = call.json().await?;
    if given.password.is_empty() {
        return Err(Error::new(400, "PUT", "Password must not be empty").on("users", user).into());
    }
    let changed = call.app.objects.set_password(&call.who, user, &Secret::new(given.password)).await?;
    Ok(tagged(StatusCode::OK, changed))
}

/// GET `/whoami`: the principal behind the credentials. POST: the machine behind a description.
pub(super) async fn whoami(call: Call) -> Answer {
    match *call.method() {
        Method::POST => super::pools::whoami(call).await,
        Method::GET | Method::HEAD => {
            Ok(Reply::ok(&serde_json::json!({"Principal": call.who.name, "Subject": call.who.subject})))
        }
        _ => call.not_allowed(),
    }
}
