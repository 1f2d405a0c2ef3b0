//! What happened (wire-protocol §2.2, §4).

use serde_json::Value;

model! {
    /// One event, as WebSocket frames, `/publish` and POST `/events` carry it.
    pub struct Event [] {
        /// RFC 3339 with nanoseconds.
        time: String = "Time",
        /// Object prefix, `log`, `websocket`, or anything a publisher chose.
        r#type: String = "Type",
        /// `create`, `update`, `save`, `delete`, or anything a publisher chose.
        action: String = "Action",
        /// Key of the object.
        key: String = "Key",
        /// Who caused it, for instance `user:rocketskates`.
        principal: String = "Principal",
        /// The object as it is now.
        object: Value = "Object",
        /// The object before an update or save, else null.
        original: Value = "Original",
    }
}

impl Event {
    /// An event that happened now.
    #[must_use]
    pub fn now(
        kind: impl Into<String>,
        action: impl Into<String>,
        key: impl Into<String>,
        object: Value,
    ) -> Self {
        Self {
            time: crate::Time::now().to_string(),
            r#type: kind.into(),
            action: action.into(),
            key: key.into(),
            object,
            ..Self::default()
        }
    }
}
