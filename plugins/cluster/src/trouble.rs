//! Why an operation does not go on.

use crate::state::Cause;
use drp_plugin_sdk::Error;

/// Why an operation does not go on.
#[derive(Debug, Clone)]
pub(crate) enum Trouble {
    /// A step failed.
    Failed(Cause),
    /// Another component failed, so this one stopped waiting for its health.
    Aside,
    /// The plugin is told to stop, or the daemon cannot store where the operation is: it is taken up at the next start.
    Interrupted(String),
}

impl Trouble {
    pub(crate) fn failed(component: &str, step: &str, error: impl Into<String>) -> Self {
        let error = crate::state::cut(&error.into());
        Self::Failed(Cause { component: component.to_owned(), step: step.to_owned(), error })
    }

    pub(crate) fn stopping() -> Self {
        Self::Interrupted("the plugin is being stopped".to_owned())
    }
}

/// Why a call to a component's plugin gave nothing.
#[derive(Debug, Clone)]
pub(crate) enum CallError {
    /// It was refused, failed, or took too long.
    Failed(Error),
    /// The operation is to end meanwhile.
    Interrupted,
}

impl CallError {
    /// As trouble of a component's step.
    pub(crate) fn of(self, component: &str, step: &str) -> Trouble {
        match self {
            Self::Failed(error) => Trouble::failed(component, step, line(&error)),
            Self::Interrupted => Trouble::stopping(),
        }
    }
}

/// The messages of an error on one line.
pub(crate) fn line(error: &Error) -> String {
    match error.messages.is_empty() {
        true => format!("{} ({})", error.r#type, error.code),
        false => error.messages.join("; "),
    }
}
