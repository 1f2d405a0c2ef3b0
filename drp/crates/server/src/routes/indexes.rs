//! The types of objects and their indexes (wire-protocol §3.9).

use crate::http::{Answer, Call, Reply};
use drp_protocol::{Error, Index};
use http::Method;
use std::collections::BTreeMap;

/// GET `/objects`.
pub(super) fn objects(call: &Call) -> Answer {
    match *call.method() {
        Method::GET | Method::HEAD => {
            let mut all = call.app.objects.prefixes();
            all.retain(|prefix| call.sees("objects", prefix));
            Ok(Reply::ok(&all))
        }
        _ => call.not_allowed(),
    }
}

/// GET `/indexes`, `/indexes/<prefix>`, `/indexes/<prefix>/<index or param>`.
pub(super) fn route(call: &Call, path: &[&str]) -> Answer {
    if !matches!(*call.method(), Method::GET | Method::HEAD) {
        return call.not_allowed();
    }
    let objects = &call.app.objects;
    match path {
        [] => {
            let all: BTreeMap<String, BTreeMap<String, Index>> = objects
                .prefixes()
                .into_iter()
                .map(|prefix| (prefix.clone(), objects.indexes(&prefix)))
                .collect();
            Ok(Reply::ok(&all))
        }
        [prefix] => Ok(Reply::ok(&objects.indexes(prefix))),
        [prefix, name @ ..] => {
            let name = name.join("/");
            let mut indexes = objects.indexes(prefix);
            let has_params = objects.kind(prefix).is_some_and(|kind| kind.has_params);
            match indexes.remove(&name) {
                Some(index) => Ok(Reply::ok(&index)),
                // A param filters by its aggregated value (wire-protocol §3.5).
                None if has_params && objects.get("params", &name).is_ok() => {
                    Ok(Reply::ok(&Index { r#type: "param".to_owned(), unordered: true, ..Index::default() }))
                }
                None => Err(Error::new(404, "GET", format!("index get: not found: {name}"))
                    .on(*prefix, name)
                    .into()),
            }
        }
    }
}
