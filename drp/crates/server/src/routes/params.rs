//! Params of an object, its public key (wire-protocol §3.7, §5).

use crate::http::{Answer, Call, Failure, JSON_LIMIT, Reply};
use drp_objects::{ParamsQuery, Patch};
use drp_protocol::JsonMap;
use http::Method;
use serde_json::Value;

/// `/<prefix>/<id>/params`.
pub(super) async fn all(mut call: Call, prefix: &str, id: &str) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim(prefix, "get", id)?;
            let query = query(&call, prefix, id)?;
            Ok(Reply::ok(&call.app.objects.params(prefix, id, &query)?))
        }
        Method::POST => {
            call.claim(prefix, "update:/Params", id)?;
            let params: JsonMap = call.json().await?;
            Ok(Reply::ok(&call.app.objects.set_params(&call.who, prefix, id, params).await?))
        }
        Method::PATCH => {
            let patch = Patch::parse(&call.json_bytes(JSON_LIMIT).await?)?;
            call.claim_patch(prefix, id, "/Params", &patch)?;
            Ok(Reply::ok(&call.app.objects.patch_params(&call.who, prefix, id, &patch).await?))
        }
        _ => call.not_allowed(),
    }
}

/// `/<prefix>/<id>/params/<key>`.
pub(super) async fn one(mut call: Call, prefix: &str, id: &str, key: &str) -> Answer {
    let objects = call.app.objects.clone();
    let update = || format!("update:/Params/{}", key.replace('~', "~0").replace('/', "~1"));
    call.story.detail(update());
    match *call.method() {
        Method::GET | Method::HEAD => {
            call.claim(prefix, "get", id)?;
            let query = query(&call, prefix, id)?;
            Ok(Reply::ok(&objects.param(prefix, id, key, &query)?))
        }
        Method::POST => {
            call.claim(prefix, &update(), id)?;
            let value: Value = call.json().await?;
            Ok(Reply::ok(&objects.set_param(&call.who, prefix, id, key, value).await?))
        }
        Method::DELETE => {
            call.claim(prefix, &update(), id)?;
            Ok(Reply::ok(&objects.delete_param(&call.who, prefix, id, key).await?))
        }
        _ => call.not_allowed(),
    }
}

/// `/<prefix>/<id>/pubkey`.
pub(super) async fn pubkey(call: &Call, prefix: &str, id: &str) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    call.claim(prefix, "updateSecure", id)?;
    Ok(Reply::ok(&call.app.objects.pubkey(prefix, id).await?))
}

fn query(call: &Call, prefix: &str, id: &str) -> Result<ParamsQuery, Failure> {
    let query = ParamsQuery {
        aggregate: call.query.is_set("aggregate"),
        decode: call.query.is_set("decode"),
        compose: call.query.is_set("compose"),
        params: call.query.list("params"),
    };
    if query.decode {
        call.claim(prefix, "getSecure", id)?;
    }
    Ok(query)
}
