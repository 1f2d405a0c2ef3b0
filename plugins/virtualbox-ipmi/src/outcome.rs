//! What a verb answers: the shape of the ipmi plugin's results (plugins §2.1).

use drp_plugin_sdk::{Value, json};
use drp_vbox::Power;
use std::time::Instant;

/// The result of a verb, as it grows.
#[derive(Debug, Clone)]
pub(crate) struct Outcome {
    pub(crate) state: Power,
    pub(crate) requested: String,
    pub(crate) observed: String,
    pub(crate) verified: bool,
    pub(crate) text: String,
    pub(crate) details: Option<Value>,
    driver: &'static str,
    attempts: Vec<(String, u64)>,
    began: Instant,
    ms: u64,
}

impl Outcome {
    pub(crate) fn new(driver: &'static str, requested: &str) -> Self {
        Self {
            state: Power::Unknown,
            requested: requested.to_owned(),
            observed: String::new(),
            verified: false,
            text: String::new(),
            details: None,
            driver,
            attempts: Vec::new(),
            began: Instant::now(),
            ms: 0,
        }
    }

    /// Something was tried and was not the last.
    pub(crate) fn attempt(&mut self, error: impl Into<String>) {
        let before: u64 = self.attempts.iter().map(|(_, ms)| ms).sum();
        self.attempts.push((error.into(), self.elapsed().saturating_sub(before)));
    }

    /// The end of it.
    pub(crate) fn end(mut self, text: impl Into<String>) -> Self {
        self.attempt("");
        self.text = text.into();
        self.ms = self.elapsed();
        self
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    pub(crate) fn to_json(&self) -> Value {
        let attempts: Vec<_> = self
            .attempts
            .iter()
            .map(|(error, ms)| json!({"driver": self.driver, "error": error, "ms": ms}))
            .collect();
        let mut out = json!({
            "state": self.state.to_string(), "requested": self.requested, "observed": self.observed,
            "driver": self.driver, "attempts": attempts, "verified": self.verified, "ms": self.ms, "text": self.text,
        });
        if let Some(details) = &self.details {
            out["details"] = details.clone();
        }
        out
    }
}
