//! What can go wrong inside the engine, and its one conversion to the wire.

use drp_protocol::Error;

/// An error of the engine. [`Error`] from it is the wire form with the exact texts of wire-protocol §3.
#[derive(Debug, Clone, thiserror::Error)]
pub(crate) enum Fault {
    #[error("Not Found")]
    NotFound { kind: &'static str, model: String, key: String },
    #[error("No route")]
    NoSuchType { prefix: String },
    #[error("Empty key not allowed")]
    EmptyKey { model: String },
    #[error("already exists")]
    Exists { model: String, key: String },
    #[error("Key change from {from} to {to} not allowed")]
    KeyChange { kind: &'static str, model: String, from: String, to: String },
    #[error("Locked")]
    Locked { kind: &'static str, model: String, key: String },
    #[error("{model}/{key} is read-only: it belongs to the content layer {layer}")]
    ReadOnly { kind: &'static str, model: String, key: String, layer: String },
    #[error("{messages:?}")]
    Invalid { model: String, key: String, messages: Vec<String> },
    #[error("{messages:?}")]
    InUse { model: String, key: String, messages: Vec<String> },
    #[error("{text}")]
    Undecodable { code: u16, kind: &'static str, model: String, key: String, text: String },
    #[error("{messages:?}")]
    PatchFailed { model: String, key: String, messages: Vec<String> },
    #[error("{text}")]
    NotAcceptable { model: String, text: String },
    #[error("{messages:?}")]
    Refused { kind: &'static str, model: String, key: String, messages: Vec<String>, code: u16 },
    #[error("{prefix}:{key} in layer {new} would override layer {old}")]
    Override { prefix: String, key: String, new: String, old: String },
    #[error("{0}")]
    Store(String, bool),
    #[error("no random numbers from the operating system: {0}")]
    Random(String),
}

impl Fault {
    pub(crate) fn not_found(kind: &'static str, model: &str, key: &str) -> Self {
        Self::NotFound { kind, model: model.to_owned(), key: key.to_owned() }
    }

    pub(crate) fn invalid(model: &str, key: &str, messages: Vec<String>) -> Self {
        Self::Invalid { model: model.to_owned(), key: key.to_owned(), messages }
    }
}

impl From<drp_store::StoreError> for Fault {
    fn from(error: drp_store::StoreError) -> Self {
        Self::Store(error.to_string(), error.retry_is_safe())
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let text = fault.to_string();
        let one = |code: u16, kind: &str, model: String, key: String| {
            Error::new(code, kind, text.clone()).on(model, key)
        };
        let many = |code: u16, kind: &str, model: String, key: String, messages: Vec<String>| Error {
            model,
            key,
            r#type: kind.to_owned(),
            messages,
            code,
        };
        match fault {
            Fault::NotFound { kind, model, key } => one(404, kind, model, key),
            Fault::NoSuchType { prefix } => one(404, "GET", String::new(), format!("/api/v3/{prefix}")),
            Fault::EmptyKey { model } => one(400, "CREATE", model, String::new()),
            Fault::Exists { model, key } => one(409, "CREATE", model, key),
            Fault::KeyChange { kind, model, from, .. } => one(400, kind, model, from),
            Fault::Locked { kind, model, key } => one(409, kind, model, key),
            Fault::ReadOnly { kind, model, key, .. } => one(409, kind, model, key),
            Fault::Invalid { model, key, messages } => many(422, "ValidationError", model, key, messages),
            Fault::InUse { model, key, messages } => many(409, "StillInUseError", model, key, messages),
            Fault::Undecodable { code, kind, model, key, .. } => one(code, kind, model, key),
            Fault::PatchFailed { model, key, messages } => many(409, "PATCH", model, key, messages),
            Fault::NotAcceptable { model, .. } => one(406, "GET", model, String::new()),
            Fault::Refused { kind, model, key, messages, code } => many(code, kind, model, key, messages),
            Fault::Override { prefix, key, .. } => one(422, "ValidationError", prefix, key),
            Fault::Store(_, true) => one(503, "STORE", String::new(), String::new()),
            Fault::Store(_, false) | Fault::Random(_) => one(500, "STORE", String::new(), String::new()),
        }
    }
}
