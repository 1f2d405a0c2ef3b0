//! A request and an answer, without the wire.

use serde_json::Value;
use std::time::Duration;

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path without the query.
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) secure: bool,
    pub(crate) peer: String,
    pub(crate) token: Option<String>,
    pub(crate) authorization: Option<String>,
    pub(crate) if_match: Option<String>,
    pub(crate) if_none_match: Option<String>,
    /// The body, when it is JSON.
    pub(crate) json: Option<Value>,
    /// There is a body, and it is no JSON.
    pub(crate) malformed: bool,
}

impl Request {
    /// What follows `/redfish/v1` in the path. `None` in [`Self::known`] is another path.
    pub(crate) fn segments(&self) -> Vec<&str> {
        let rest = self.path.strip_prefix("/redfish/v1").unwrap_or(&self.path);
        rest.split('/').filter(|part| !part.is_empty()).collect()
    }

    /// Whether it is a path of the service.
    pub(crate) fn known(&self) -> bool {
        let rest = self.path.strip_prefix("/redfish/v1");
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Option<Value>,
    /// A change was carried out.
    pub(crate) done: bool,
}

impl Answer {
    pub(crate) fn new(status: u16, body: Value) -> Self {
        Self { status, headers: Vec::new(), body: Some(body), done: false }
    }

    pub(crate) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: None, done: false }
    }

    pub(crate) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(crate) fn done(self) -> Self {
        Self { done: true, ..self }
    }
}

/// What goes over the wire, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    pub(crate) after: Duration,
    pub(crate) delivery: Delivery,
}

/// How an answer is delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// As it is. `announced`: the length it is said to have, when that is more than it has.
    Answer { status: u16, headers: Vec<(&'static str, String)>, body: Vec<u8>, announced: Option<usize> },
    /// The connection is cut.
    Cut,
    /// Nothing is said any more.
    Silence,
}
