//! The declaration of an action.

use crate::{JsonSchema, Param};
use drp_protocol::AvailableAction;

/// An action that a plugin offers, with the params it takes.
#[derive(Debug, Clone)]
pub struct Command {
    pub(crate) action: AvailableAction,
    pub(crate) declares: Vec<Param>,
}

impl Command {
    /// A command on objects of a type, for instance `machines`.
    #[must_use]
    pub fn on(prefix: impl Into<String>, command: impl Into<String>) -> Self {
        let action =
            AvailableAction { model: prefix.into(), command: command.into(), ..AvailableAction::default() };
        Self { action, declares: Vec::new() }
    }

    /// A command of the `system` set, which acts on no object in particular.
    #[must_use]
    pub fn system(command: impl Into<String>) -> Self {
        Self::on("", command)
    }

    /// A param that must resolve on the object before the command is offered.
    #[must_use]
    pub fn required(mut self, param: impl Into<Param>) -> Self {
        let param = param.into();
        self.action.required_params.push(param.name().to_owned());
        self.declares.push(param);
        self
    }

    /// A param that is passed when it resolves.
    #[must_use]
    pub fn optional(mut self, param: impl Into<Param>) -> Self {
        let param = param.into();
        self.action.optional_params.push(param.name().to_owned());
        self.declares.push(param);
        self
    }

    /// The fields of a struct as params: names, schemas, descriptions and defaults come from the type
    /// (see [`Param::of`]); a field that is neither an `Option` nor has a serde default is required. Read
    /// them with [`Action::params`](crate::Action::params).
    #[must_use]
    pub fn params<T: JsonSchema>(mut self) -> Self {
        for (param, required) in Param::fields_of::<T>() {
            self = if required { self.required(param) } else { self.optional(param) };
        }
        self
    }
}
