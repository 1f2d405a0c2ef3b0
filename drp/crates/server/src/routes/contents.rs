//! Content layers (wire-protocol §2.5, §3.9).

use crate::http::{Answer, Call, Failure, Reply, conflict};
use drp_objects::{LayerKind, ListQuery};
use drp_protocol::{Bundle, BundleSummary, Error, Event, JsonMap};
use http::{Method, StatusCode};
use std::collections::BTreeMap;

/// Largest bundle in bytes.
const LIMIT: usize = 64 << 20;

/// `/contents[/<name>]`.
pub(super) async fn route(mut call: Call, path: &[&str]) -> Answer {
    let objects = call.app.objects.clone();
    let force = call.query.is_set("replaceWritable");
    match (path, call.method()) {
        ([], &Method::GET | &Method::HEAD) => {
            call.claim("contents", "list", "")?;
            Ok(Reply::ok(&objects.layers()))
        }
        ([], &Method::POST) => {
            let bundle = bundle(&mut call).await?;
            let name = bundle.meta.name.clone();
            call.claim("contents", "create", &name)?;
            if find(&call, &name).is_some() {
                return Err(conflict("POST", "contents", &name, format!("Content {name} already exists")));
            }
            let summary = put(&call, bundle, force, "create").await?;
            Ok(Reply::json(StatusCode::CREATED, &summary))
        }
        ([name], &Method::GET | &Method::HEAD) => {
            call.claim("contents", "get", name)?;
            let Some(summary) = find(&call, name) else {
                return Err(Error::new(404, "GET", "No such content store").on("contents", *name).into());
            };
            Ok(Reply::ok(&whole(&call, summary)?))
        }
        ([name], &Method::PUT) => {
            call.claim("contents", "update", name)?;
            let bundle = bundle(&mut call).await?;
            let cannot =
                |code, text: String| Failure::from(Error::new(code, "PUT", text).on("contents", *name));
            if bundle.meta.name != *name {
                return Err(cannot(400, format!("Cannot change name from {name} to {}", bundle.meta.name)));
            }
            let Some(summary) = find(&call, name) else {
                return Err(cannot(404, format!("Cannot find {name}")));
            };
            only_dynamic("PUT", &summary)?;
            Ok(Reply::ok(&put(&call, bundle, force, "update").await?))
        }
        ([name], &Method::DELETE) => {
            call.claim("contents", "delete", name)?;
            let Some(summary) = find(&call, name) else {
                return Err(Error::new(404, "DELETE", "No such content store").on("contents", *name).into());
            };
            only_dynamic("DELETE", &summary)?;
            objects.remove_layer(name).await?;
            announce(&call, "delete", name, &summary);
            Ok(Reply::none())
        }
        ([] | [_], _) => call.not_allowed(),
        _ => call.no_route(),
    }
}

/// Puts a bundle into its layer, which is durable when this returns.
async fn put(call: &Call, bundle: Bundle, force: bool, action: &str) -> Result<BundleSummary, Failure> {
    let name = bundle.meta.name.clone();
    let summary = call.app.objects.put_layer(bundle, LayerKind::Dynamic, force).await?;
    announce(call, action, &name, &summary);
    Ok(summary)
}

fn announce(call: &Call, action: &str, name: &str, summary: &BundleSummary) {
    let object = serde_json::to_value(summary).unwrap_or_default();
    let mut event = Event::now("contents", action, name, object);
    event.principal.clone_from(&call.who.name);
    call.app.objects.events().publish(event);
}

async fn bundle(call: &mut Call) -> Result<Bundle, Failure> {
    let bytes = call.json_bytes(LIMIT).await?;
    let bundle: Bundle = call.decode(&bytes)?;
    if bundle.meta.name.trim().is_empty() {
        let text = "Store at content- has no Name metadata";
        return Err(Error::new(422, "ValidationError", text).on("contents", "").into());
    }
    Ok(bundle)
}

fn find(call: &Call, name: &str) -> Option<BundleSummary> {
    call.app.objects.layers().into_iter().find(|layer| layer.meta.name == name)
}

/// Layers of providers go with their provider, the basic layer with the daemon.
fn only_dynamic(kind: &str, layer: &BundleSummary) -> Result<(), Failure> {
    match layer.meta.r#type.as_str() {
        "" | "dynamic" => Ok(()),
        other => {
            let name = layer.meta.name.as_str();
            Err(conflict(
                kind,
                "contents",
                name,
                format!("{name} is a {other} layer and cannot be changed here"),
            ))
        }
    }
}

/// A layer with all its objects, secure params opened (wire-protocol §5).
fn whole(call: &Call, summary: BundleSummary) -> Result<Bundle, Failure> {
    let mut bundle = Bundle { meta: summary.meta, sections: BTreeMap::new() };
    for prefix in summary.counts.keys() {
        let Some(kind) = call.app.objects.kind(prefix) else { continue };
        let mut query = ListQuery::parse([("Bundle", bundle.meta.name.as_str())])?;
        query.decode = kind.has_params;
        let listing = call.app.objects.list(&call.who, prefix, &query)?;
        let objects: Vec<JsonMap> = call.decode(&listing.json)?;
        let keyed = objects.into_iter().filter_map(|object| {
            let key = object.get(&kind.key_field)?.as_str()?.to_owned();
            Some((key, object))
        });
        bundle.sections.insert(prefix.clone(), keyed.collect());
    }
    Ok(bundle)
}
