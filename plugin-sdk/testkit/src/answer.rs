//! What a plugin answered.

use crate::TestkitError;
use bytes::Bytes;
use drp_protocol::Error;
use serde_json::Value;

/// Status and body of an answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// The body, as it came.
    pub body: Bytes,
    /// The content type, or nothing.
    pub content_type: String,
    pub(crate) what: String,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null when it is none.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The JSON value of a 200.
    ///
    /// # Errors
    /// [`TestkitError::Differs`] for any other status.
    pub fn success(self) -> Result<Value, TestkitError> {
        if self.status == 200 {
            return Ok(self.json());
        }
        Err(TestkitError::differs(
            self.what.clone(),
            "status 200",
            format!("{} {}", self.status, self.text()),
        ))
    }

    /// The error of any other status.
    ///
    /// # Errors
    /// [`TestkitError::Differs`] for 200, for a body that is not an error, and for a code that is not the status.
    pub fn error(self) -> Result<Error, TestkitError> {
        let wrong = |wanted: &str| {
            TestkitError::differs(self.what.clone(), wanted, format!("{} {}", self.status, self.text()))
        };
        if self.status < 400 {
            return Err(wrong("an error"));
        }
        let error: Error = serde_json::from_slice(&self.body).map_err(|_| wrong("an error object"))?;
        if error.code != self.status {
            return Err(wrong("a code that is the status"));
        }
        Ok(error)
    }

    /// The plugin's own error inside the error of config and publish (wire-protocol §1.7).
    ///
    /// # Errors
    /// As [`error`](Self::error), and when there is no error inside.
    pub fn nested_error(self) -> Result<Error, TestkitError> {
        let what = self.what.clone();
        let outer = self.error()?;
        let inner = outer.messages.first().map(String::as_str).unwrap_or_default();
        serde_json::from_str(inner)
            .map_err(|_| TestkitError::differs(what, "an error inside an error", outer))
    }
}
