//! Pools (wire-protocol §3.9), and which machine somebody is.

use crate::http::{Answer, Call, JSON_LIMIT, Reply};
use drp_objects::PoolStep;
use drp_protocol::{Error, JsonMap};
use http::Method;
use serde_json::{Value, json};

/// GET `/pools-active`.
pub(super) fn active(call: &Call) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    call.claim("pools", "list", "")?;
    Ok(Reply::ok(&call.app.objects.active_pools(&call.who)))
}

/// `/pools/<id>/<step>`, and GET `/pools/<id>/status`.
pub(super) async fn route(mut call: Call, pool: &str, word: &str) -> Answer {
    if word == "status" {
        if !matches!(*call.method(), Method::GET | Method::HEAD) {
            return call.not_allowed();
        }
        call.claim("pools", "get", pool)?;
        return Ok(Reply::ok(&call.app.objects.pool_status(&call.who, pool)?));
    }
    let Some(step) = PoolStep::parse(word) else { return call.no_route() };
    if call.method() != Method::POST {
        return call.not_allowed();
    }
    call.claim("pools", &format!("action:{word}"), pool)?;
    let order = body(&mut call).await?;
    Ok(Reply::ok(&call.app.objects.pool_step(&call.who, pool, step, &order).await?))
}

/// POST `/machines/<id>/releaseToPool`.
pub(super) async fn release(mut call: Call, id: &str) -> Answer {
    if call.method() != Method::POST {
        return call.not_allowed();
    }
    call.claim("machines", "update:/PoolStatus", id)?;
    let mut order = body(&mut call).await?;
    let machine = call.app.objects.get("machines", id).map_err(|mut error| {
        error.r#type = "POST".to_owned();
        error
    })?;
    let machine = machine.map();
    let text = |field: &str| machine.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    order.insert("pool/machine-list".to_owned(), json!([text("Uuid")]));
    let (objects, pool) = (&call.app.objects, text("Pool"));
    Ok(Reply::ok(&objects.pool_step(&call.who, &pool, PoolStep::Release, &order).await?))
}

async fn body(call: &mut Call) -> Result<JsonMap, crate::http::Failure> {
    let bytes = call.optional_json(JSON_LIMIT).await?;
    let body: Option<JsonMap> = if bytes.is_empty() { None } else { call.decode(&bytes)? };
    Ok(body.unwrap_or_default())
}

/// POST `/whoami`: the machine that a description fits, with a token for it when the caller may have one.
pub(super) async fn whoami(mut call: Call) -> Answer {
    let mut description: JsonMap = call.json().await?;
    let found = call.app.objects.whoami(&description);
    let mut result = json!({"Score": 0, "Uuid": "", "Token": ""});
    if let Some((machine, score)) = found {
        call.claim("machines", "whoami", &machine)?;
        let token = call.app.objects.machine_token(&machine, None)?;
        result = json!({"Score": score, "Uuid": machine, "Token": token.expose()});
    } else if call.app.count("machines") > 0 {
        // Who may not ask does not learn that nothing fits.
        call.claim("machines", "whoami", "")?;
    }
    description.insert("Result".to_owned(), result);
    Ok(Reply::ok(&description))
}

/// DELETE or POST `/bootenvs/<id>/purgeLocal`: the images of its operating system that are kept here go.
pub(super) async fn purge_local(call: Call, id: &str) -> Answer {
    if !matches!(*call.method(), Method::DELETE | Method::POST) {
        return call.not_allowed();
    }
    call.claim("bootenvs", "update", id)?;
    let env = call.app.objects.get("bootenvs", id).map_err(|mut error| {
        error.r#type = call.method().as_str().to_owned();
        error
    })?;
    let env = env.map();
    let os = env.get("OS").and_then(Value::as_object).cloned().unwrap_or_default();
    let arches = os.get("SupportedArchitectures").and_then(Value::as_object).into_iter().flatten();
    let images = arches.map(|(_, arch)| arch.get("IsoFile")).chain([os.get("IsoFile")]);
    let root = call.app.place.settings.file_root.join("isos");
    let images: Vec<&str> =
        images.filter_map(|image| image?.as_str()).filter(|image| !image.is_empty()).collect();
    // The boot environment says which files these are, and whoever may change it could name any.
    for image in &images {
        call.claim("isos", "delete", image)?;
    }
    for image in images {
        let Some(path) = super::safe_join(&root, image) else { continue };
        match tokio::fs::remove_file(&path).await {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                let text = format!("{image} cannot be removed: {error}");
                return Err(Error::new(500, call.method().as_str(), text).on("bootenvs", id).into());
            }
        }
    }
    Ok(Reply::none())
}
