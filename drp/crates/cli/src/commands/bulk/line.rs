//! What is shown of one object.

use super::{Done, Order};
use crate::Failure;
use crate::commands::Context;
use drp_client::ClientError;
use drp_protocol::Error;
use serde_json::{Value, json};

/// A line of output: one JSON object for programs, a few words for people.
pub(super) struct Line<'a> {
    order: &'a Order,
    done: &'a Done,
}

impl<'a> Line<'a> {
    pub(super) fn new(order: &'a Order, done: &'a Done) -> Self {
        Self { order, done }
    }

    pub(super) fn print(&self, cx: &Context<'_>) -> Result<(), Failure> {
        let Done { target, took, result } = self.done;
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        let mut line = json!({ "Key": target.key, "Name": target.name, "Ok": result.is_ok(), "Ms": ms });
        let name = cx.printer.piece(&Value::from(target.name.as_str()));
        let words = match result {
            Ok(value) => {
                line["Result"] = value.clone();
                format!("{name}  {}  ({ms} ms)", cx.printer.piece(self.gist(value)))
            }
            Err(error) => {
                let error = told(error);
                line["Error"] =
                    json!({ "Code": error.code, "Type": error.r#type, "Messages": error.messages });
                let what = error.messages.first().map(String::as_str).unwrap_or_default();
                let what = cx.printer.piece(&Value::from(what));
                format!("{name}  failed: {} {}: {what}  ({ms} ms)", error.code, error.r#type)
            }
        };
        cx.printer.item(&line, &words)
    }

    /// What a person wants to see of a result.
    fn gist<'v>(&self, value: &'v Value) -> &'v Value {
        if self.order.dry {
            return &value["Path"];
        }
        let state = value.get("state").filter(|state| *state != "unknown");
        state.or_else(|| value.get("text")).unwrap_or(value)
    }
}

/// The error as the API would have it; what never came from the daemon has a type of its own.
pub(super) fn told(error: &ClientError) -> Error {
    let (code, kind) = match error {
        ClientError::Api(api) => return api.clone(),
        ClientError::Timeout { .. } => (504, "DEADLINE"),
        ClientError::Broken { .. } => (502, "BROKEN"),
        ClientError::Unreachable { .. } => (502, "UNREACHABLE"),
        other => (other.status().unwrap_or(502), "API"),
    };
    Error::new(code, kind, error.to_string())
}
