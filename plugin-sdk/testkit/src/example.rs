//! Examples of a plugin's author, run as tests.

use crate::{RunningPlugin, TestkitError};
use drp_protocol::JsonMap;
use serde_json::Value;

/// A command, what it is given, and what it gives.
#[derive(Debug, Clone)]
pub struct Example {
    set: String,
    model: Value,
    command: String,
    params: JsonMap,
    wanted: Wanted,
}

#[derive(Debug, Clone)]
enum Wanted {
    Anything,
    Value(Value),
    Error(u16, String),
}

impl Example {
    /// A command of the `system` set.
    #[must_use]
    pub fn system(command: &str) -> Self {
        Self::on("system", Value::Null, command)
    }

    /// A command on an object.
    #[must_use]
    pub fn on(set: &str, model: Value, command: &str) -> Self {
        let (set, command, params) = (set.to_owned(), command.to_owned(), JsonMap::new());
        Self { set, model, command, params, wanted: Wanted::Anything }
    }

    /// With a param.
    #[must_use]
    pub fn param(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.params.insert(name.to_owned(), value.into());
        self
    }

    /// It answers this value.
    #[must_use]
    pub fn gives(mut self, value: impl Into<Value>) -> Self {
        self.wanted = Wanted::Value(value.into());
        self
    }

    /// It answers an error with this code whose messages contain this text.
    #[must_use]
    pub fn fails(mut self, code: u16, text: &str) -> Self {
        self.wanted = Wanted::Error(code, text.to_owned());
        self
    }

    /// Runs it.
    ///
    /// # Errors
    /// [`TestkitError::Differs`] when the answer is another one.
    pub async fn run(&self, plugin: &RunningPlugin) -> Result<(), TestkitError> {
        let Example { set, model, command, params, wanted } = self;
        let answer = plugin.action_on(set, model.clone(), command, params.clone().into()).await?;
        let what = format!("{command} with {}", Value::from(params.clone()));
        match wanted {
            Wanted::Anything => answer.success().map(drop),
            Wanted::Value(value) => match answer.success()? {
                got if got == *value => Ok(()),
                got => Err(TestkitError::differs(what, value, got)),
            },
            Wanted::Error(code, text) => match answer.error()? {
                got if got.code == *code && got.messages.iter().any(|m| m.contains(text)) => Ok(()),
                got => {
                    Err(TestkitError::differs(what, format!("{code} {text}"), format!("{} {got}", got.code)))
                }
            },
        }
    }
}
