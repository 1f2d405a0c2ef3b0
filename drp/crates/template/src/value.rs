//! Values between JSON and the engine.

use gtmpl_ng::{Number, NumberKind, Value};
use serde_json::Value as Json;

/// JSON as the engine's value.
pub(crate) fn of(json: &Json) -> Value {
    match json {
        Json::Null => Value::Nil,
        Json::Bool(b) => Value::Bool(*b),
        Json::Number(n) => Value::Number(match (n.as_i64(), n.as_u64()) {
            (Some(n), _) => Number::signed(n),
            (None, Some(n)) => Number::unsigned(n),
            (None, None) => Number::float(n.as_f64().unwrap_or(0.0)),
        }),
        Json::String(s) => Value::String(s.clone()),
        Json::Array(list) => Value::Array(list.iter().map(of).collect()),
        Json::Object(map) => Value::Map(map.iter().map(|(k, v)| (k.clone(), of(v))).collect()),
    }
}

/// The engine's value as JSON; what is not there is null.
pub(crate) fn json(value: &Value) -> Json {
    match value {
        Value::NoValue | Value::Nil | Value::Function(_) => Json::Null,
        Value::Bool(b) => Json::Bool(*b),
        Value::String(s) => Json::String(s.clone()),
        Value::Number(n) => match n.kind() {
            NumberKind::Unsigned(n) => n.into(),
            NumberKind::Signed(n) => n.into(),
            NumberKind::Float(n) => n.into(),
        },
        Value::Array(list) => Json::Array(list.iter().map(json).collect()),
        Value::Object(map) | Value::Map(map) => {
            Json::Object(map.iter().map(|(k, v)| (k.clone(), json(v))).collect())
        }
    }
}
