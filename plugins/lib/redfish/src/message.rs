//! What a service says in an error body (DSP0266, "Error responses", `@Message.ExtendedInfo`).

use serde_json::Value;
use std::fmt;

/// So much of a text from a BMC is shown.
const SHOWN: usize = 300;

/// A message id in its registry's words, and the text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Message {
    /// `MessageId`, for instance `Base.1.8.InsufficientPrivilege`; empty when there was none.
    pub id: String,
    /// The text, cut to 300 characters, control characters removed.
    pub text: String,
}

impl Message {
    /// A message of ours.
    pub(crate) fn ours(text: impl Into<String>) -> Self {
        Self { id: String::new(), text: text.into() }
    }

    /// The first message of an error body.
    #[must_use]
    pub fn of(body: Option<&Value>) -> Self {
        let Some(body) = body else { return Self::ours("no reason given") };
        let error = body.get("error").unwrap_or(body);
        let detail = error
            .get("@Message.ExtendedInfo")
            .or_else(|| body.get("@Message.ExtendedInfo"))
            .map(|list| list.get(0).unwrap_or(list));
        let field = |name: &str, other: &str| {
            detail
                .and_then(|detail| detail.get(name))
                .or_else(|| error.get(other))
                .and_then(Value::as_str)
                .map(clean)
                .unwrap_or_default()
        };
        let id = field("MessageId", "code");
        let text = field("Message", "message");
        if id.is_empty() && text.is_empty() { Self::ours("no reason given") } else { Self { id, text } }
    }

    /// The message id without registry and version: `Base.1.8.SessionLimitExceeded` is `SessionLimitExceeded`.
    #[must_use]
    pub fn key(&self) -> &str {
        self.id.rsplit('.').next().unwrap_or_default()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.text.is_empty(), self.id.is_empty()) {
            (false, false) => write!(f, "{} ({})", self.text, self.id),
            (false, true) => f.write_str(&self.text),
            _ => f.write_str(&self.id),
        }
    }
}

/// A BMC's text for a log line: one line, bounded.
pub(crate) fn clean(text: &str) -> String {
    let mut out: String =
        text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if text.trim().chars().count() > SHOWN {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_extended_info_wins() {
        let body = json!({"error": {"code": "Base.1.8.GeneralError", "message": "See ExtendedInfo",
            "@Message.ExtendedInfo": [{"MessageId": "Base.1.8.SessionLimitExceeded", "Message": "No\nsessions."}]}});
        let said = Message::of(Some(&body));
        assert_eq!(said.key(), "SessionLimitExceeded");
        assert_eq!(said.to_string(), "No sessions. (Base.1.8.SessionLimitExceeded)");
        let plain = json!({"error": {"code": "Base.1.0.GeneralError", "message": "Nope"}});
        assert_eq!(Message::of(Some(&plain)).to_string(), "Nope (Base.1.0.GeneralError)");
        for odd in
            [json!(null), json!([]), json!({"error": 7}), json!({"error": {"@Message.ExtendedInfo": []}})]
        {
            assert_eq!(Message::of(Some(&odd)).to_string(), "no reason given", "{odd}");
        }
        let long = Message::of(Some(&json!({"error": {"message": "x".repeat(5000)}})));
        assert!(long.to_string().chars().count() < 310);
    }
}
