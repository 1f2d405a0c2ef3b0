//! The engine as its callers see it, over both backends of the store.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod actions;
mod auth;
mod content;
mod crud;
mod events;
mod faults;
mod layers;
mod lists;
mod params;
mod powers;
mod prefs;
mod raw;
mod references;
mod secure;
mod tenants;

use drp_objects::{FirstUser, Objects, Options, Principal};
use drp_protocol::{Error, Secret};
use serde_json::Value;
use std::sync::Arc;

pub fn store(location: &str) -> Arc<dyn drp_store::Store> {
    drp_store::open(location, drp_store::Options::default()).unwrap()
}

pub fn options() -> Options {
    Options {
        first_user: Some(FirstUser {
            name: "rocketskates".into(),
            password: Secret::new("r0cketsk8ts".into()),
        }),
        ..Options::default()
    }
}

pub async fn engine() -> Objects {
    Objects::open(store("memory:///"), Options::default()).await.unwrap()
}

pub fn me() -> Principal {
    Principal::full("user:me")
}

/// Code, type, model, key and messages, for comparing errors whole.
#[track_caller]
pub fn refused<T: std::fmt::Debug>(
    result: Result<T, Error>,
    code: u16,
    kind: &str,
    messages: &[&str],
) -> Error {
    let error = result.unwrap_err();
    assert_eq!(error.messages, messages, "{error:?}");
    assert_eq!((error.code, error.r#type.as_str()), (code, kind), "{error:?}");
    error
}

pub async fn machine(objects: &Objects, body: Value) -> String {
    objects.create(&me(), "machines", body).await.unwrap().key
}
