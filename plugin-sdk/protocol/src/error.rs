//! The one error shape of the wire (wire-protocol §2.2).

use std::fmt;

model! {
    /// An error as the API and plugins write it. `Code` equals the HTTP status it travels with.
    pub struct Error [] {
        /// Prefix of the object concerned.
        model: String = "Model",
        /// Key of the object concerned, or the URL.
        key: String = "Key",
        /// What was attempted: an HTTP method, `INVOKE`, `ValidationError`, …
        r#type: String = "Type",
        /// What went wrong, one sentence each.
        messages: Vec<String> = "Messages",
        /// HTTP status.
        code: u16 = "Code",
    }
}

impl Error {
    /// An error with one message and no object.
    #[must_use]
    pub fn new(code: u16, kind: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code, r#type: kind.into(), messages: vec![message.into()], ..Self::default() }
    }

    /// The answer that plugin endpoints without a result give: code 200 and nothing else.
    #[must_use]
    pub fn success() -> Self {
        Self { code: 200, ..Self::default() }
    }

    /// Names the object the error is about.
    #[must_use]
    pub fn on(mut self, model: impl Into<String>, key: impl Into<String>) -> Self {
        self.model = model.into();
        self.key = key.into();
        self
    }

    /// Adds a further message.
    #[must_use]
    pub fn and(mut self, message: impl Into<String>) -> Self {
        self.messages.push(message.into());
        self
    }
}

/// The text that command-line clients show: `Type: Model/Key: message`, or the messages on indented lines
/// of their own when there are several. An empty model or key is left out.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.r#type)?;
        match (self.model.as_str(), self.key.as_str()) {
            ("", "") => {}
            ("", key) => f.write_str(key)?,
            (model, "") => f.write_str(model)?,
            (model, key) => write!(f, "{model}/{key}")?,
        }
        match self.messages.as_slice() {
            [] => Ok(()),
            [one] => write!(f, ": {one}"),
            many => many.iter().try_for_each(|m| write!(f, "\n  {m}")),
        }
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::Error;

    #[test]
    fn text_form_follows_the_command_line_clients() {
        let one = Error::new(400, "INVOKE", "Action reset_count Missing Parameter incrementer/touched")
            .on("machines", "3e7031fe");
        assert_eq!(
            one.to_string(),
            "INVOKE: machines/3e7031fe: Action reset_count Missing Parameter incrementer/touched"
        );
        let many = Error::new(422, "ValidationError", "a").on("params", "x").and("b");
        assert_eq!(many.to_string(), "ValidationError: params/x\n  a\n  b");
        assert_eq!(Error::new(400, "", "(root): bad").to_string(), ": : (root): bad");
    }
}
