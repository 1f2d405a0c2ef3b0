//! The API of a real daemon: every route, over HTTPS, WebSocket and the local socket.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod actions;
mod audit;
mod auth;
mod bad_input;
mod conventions;
mod files;
mod guide;
mod lamp;
mod life;
mod local_socket;
mod logins;
mod objects;
mod params;
mod providers;
mod security_guide;
mod socket;
mod stream;
mod system;

use drp_tests::daemon::{Answer, Daemon};
use serde_json::Value;

/// One request and what must come back. `expect` is compared with the members it names only.
pub struct Exchange {
    pub request: (&'static str, &'static str, Value),
    pub status: u16,
    pub expect: Value,
}

/// Runs exchanges in order and says which one differs.
pub async fn run(daemon: &Daemon, exchanges: Vec<Exchange>) {
    for Exchange { request: (method, path, body), status, expect } in exchanges {
        let answer = daemon.call(method, &format!("/api/v3/{path}"), body.clone()).await;
        let shown = format!("{method} {path} {body}\n-> {} {}", answer.status, answer.text());
        assert_eq!(answer.status, status, "{shown}");
        let kind = answer.header("content-type");
        assert!(kind.starts_with("application/json"), "{kind:?}: {shown}");
        if method != "HEAD" {
            assert!(contains(&answer.json(), &expect), "expected {expect}\n{shown}");
        }
    }
}

/// Whether `whole` has all that `part` names: members of objects, lists of the same length.
pub fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, value)| whole.get(key).is_some_and(|whole| contains(whole, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| contains(whole, part))
        }
        (_, Value::Null) => whole.is_null(),
        _ => whole == part,
    }
}

/// A refusal: status, type and messages.
pub fn refused(answer: &Answer, status: u16, kind: &str, messages: &[&str]) {
    let error = answer.json();
    assert_eq!(answer.status, status, "{error}");
    assert_eq!(error["Code"], status, "{error}");
    assert_eq!(error["Type"], kind, "{error}");
    assert_eq!(error["Messages"], serde_json::json!(messages), "{error}");
}

macro_rules! exchanges {
    ($($method:ident $path:literal $($body:expr)? => $status:literal $($expect:expr)?;)*) => {
        vec![$($crate::Exchange {
            request: (stringify!($method), $path, $crate::or_null!($($body)?)),
            status: $status,
            expect: $crate::or_empty!($($expect)?),
        }),*]
    };
}
macro_rules! or_null {
    () => {
        serde_json::Value::Null
    };
    ($value:expr) => {
        $value
    };
}
macro_rules! or_empty {
    () => {
        serde_json::Value::Object(Default::default())
    };
    ($value:expr) => {
        $value
    };
}
pub(crate) use {exchanges, or_empty, or_null};
