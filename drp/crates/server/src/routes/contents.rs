//! Content layers (wire-protocol §2.5, §3.9).

use crate::http::{Answer, Call, Failure, Reply};
use bytes::Bytes;
use drp_content::ContentError;
use drp_protocol::{Bundle, BundleSummary, Error, Event};
use http::header::CONTENT_TYPE;
use http::{Method, StatusCode};
use serde_json::Value;

/// Largest bundle in bytes.
const LIMIT: usize = 64 << 20;
/// Largest bundle as YAML in bytes: it takes far longer to read.
const YAML_LIMIT: usize = 16 << 20;
/// Content types of YAML (RFC 9512 §2.1 names the first, the others are older).
const YAML: [&str; 4] = ["application/yaml", "application/x-yaml", "text/yaml", "text/x-yaml"];

/// `/contents[/<name>]`.
pub(super) async fn route(mut call: Call, path: &[&str]) -> Answer {
    let objects = call.app.objects.clone();
    let force = call.query.is_set("replaceWritable");
    match (path, call.method()) {
        ([], &Method::GET | &Method::HEAD) => {
            let mut all = objects.contents();
            all.retain(|layer| call.sees("contents", &layer.meta.name));
            let count = all.len().to_string();
            let names = ["x-drp-list-total-count", "x-drp-list-filter-count", "x-drp-list-count"];
            Ok(names.into_iter().fold(Reply::ok(&all), |reply, name| reply.with(name, &count)))
        }
        ([], &Method::POST) => {
            let bundle = bundle(&mut call).await?;
            call.claim("contents", "create", &bundle.meta.name)?;
            call.story.about(&bundle.meta.name);
            objects.check_bundle(&call.who, &bundle)?;
            let summary = objects.create_content(bundle, force).await?;
            announce(&call, "create", &summary);
            Ok(Reply::json(StatusCode::CREATED, &summary))
        }
        ([name], &Method::GET) => {
            call.claim("contents", "get", name)?;
            let mut bundle = objects.content(name).ok_or_else(|| none(name))?;
            for (prefix, section) in &mut bundle.sections {
                section.retain(|key, _| !call.who.claims.hide(prefix, key));
            }
            Ok(Reply::ok(&bundle))
        }
        ([name], &Method::HEAD) => {
            call.claim("contents", "get", name)?;
            objects.content_summary(name).ok_or_else(|| none(name))?;
            Ok(Reply::empty(StatusCode::OK))
        }
        ([name], &Method::PUT) => {
            call.claim("contents", "update", name)?;
            let bundle = bundle(&mut call).await?;
            objects.check_bundle(&call.who, &bundle)?;
            let summary = objects.update_content(name, bundle, force).await?;
            announce(&call, "update", &summary);
            Ok(Reply::ok(&summary))
        }
        ([name], &Method::DELETE) => {
            call.claim("contents", "delete", name)?;
            objects.check_layer_gone(name)?;
            let summary = objects.remove_content(name).await?;
            announce(&call, "delete", &summary);
            Ok(Reply::none())
        }
        ([] | [_], _) => call.not_allowed(),
        _ => call.no_route(),
    }
}

fn none(name: &str) -> Failure {
    Error::new(404, "GET", "No such content store").on("contents", name).into()
}

fn announce(call: &Call, action: &str, summary: &BundleSummary) {
    let object = serde_json::to_value(summary).unwrap_or_default();
    let mut event = Event::now("contents", action, &summary.meta.name, object);
    event.principal.clone_from(&call.who.name);
    call.app.objects.events().publish(event);
}

/// The body as a bundle. What is said of a wrong one does not repeat it: it may hold secrets.
async fn bundle(call: &mut Call) -> Result<Bundle, Failure> {
    let kind = call.header(CONTENT_TYPE.as_str()).to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let (word, value) = if YAML.contains(&kind) {
        let bytes = call.any_bytes(YAML_LIMIT).await?;
        ("YAML", yaml(call, bytes).await?)
    } else {
        let bytes = call.json_bytes(LIMIT).await?;
        ("JSON", call.decode::<drp_content::Once>(&bytes)?.0)
    };
    let mut bundle: Bundle = serde_json::from_value(value)
        .map_err(|e| invalid(call, &format!("{word}: {}", drp_objects::json_error(&e))))?;
    bundle.meta.name = bundle.meta.name.trim().to_owned();
    if bundle.meta.name.is_empty() {
        let text = "Store at content- has no Name metadata";
        return Err(Error::new(422, "ValidationError", text).on("contents", "").into());
    }
    Ok(bundle)
}

fn invalid(call: &Call, text: &str) -> Failure {
    let mut error = Error::new(400, call.method().as_str(), format!("Invalid {text}"));
    error.key = call.url().to_owned();
    error.into()
}

/// Reads YAML away from the threads that answer others.
async fn yaml(call: &Call, bytes: Bytes) -> Result<Value, Failure> {
    let read = tokio::task::spawn_blocking(move || {
        let text = std::str::from_utf8(&bytes).map_err(|_| "YAML: it is not UTF-8 text".to_owned())?;
        drp_content::read_value("YAML", text).map_err(|error| match error {
            ContentError::Text { place, .. } => place.line.map_or_else(
                || "YAML: it is none, its aliases explode, or a key is there twice".to_owned(),
                |line| format!("YAML: line {line} is none, or a key is there twice"),
            ),
            other => other.to_string(),
        })
    });
    let read = read.await.unwrap_or_else(|_| Err("YAML: it cannot be read".to_owned()));
    read.map_err(|text| invalid(call, &text))
}
