//! What is wrong with a template or a render.

use std::fmt;
use thiserror::Error;

/// Where in a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The template.
    pub template: String,
    /// Its line, from 1.
    pub line: Option<usize>,
    /// The column of that line, from 1, in characters.
    pub column: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "template {}", self.template)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(column) = self.column {
            write!(f, ", column {column}")?;
        }
        Ok(())
    }
}

/// Why there is no text. Values of the context are not in it: they may be secret.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// It cannot be parsed.
    #[error("{place}: {message}")]
    Syntax {
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// It uses what the context does not have.
    #[error("{place}: `{variable}` is undefined")]
    Undefined {
        /// Where.
        place: Place,
        /// The expression, for instance `server.hostname`.
        variable: String,
        /// Names that are there and look like it.
        near: Vec<String>,
    },
    /// It calls a filter, a test or a function that does not exist.
    #[error("{place}: there is no {what} `{name}`")]
    Unknown {
        /// Where.
        place: Place,
        /// `filter`, `test`, `function` or `method`.
        what: &'static str,
        /// Its name.
        name: String,
        /// Names that are there and look like it.
        near: Vec<String>,
    },
    /// Something else went wrong while it was rendered.
    #[error("{place}: {message}")]
    Render {
        /// Where.
        place: Place,
        /// What.
        message: String,
    },
    /// The template is not there.
    #[error("there is no template {name}")]
    NotFound {
        /// Its name.
        name: String,
        /// Templates that are there and look like it.
        near: Vec<String>,
        /// The template that wanted it.
        wanted_by: Option<Place>,
    },
    /// The name leads out of the folder of templates, or is no name of a file.
    #[error("template {name:?} is refused: {why}")]
    Refused {
        /// The name.
        name: String,
        /// Why.
        why: &'static str,
    },
    /// It cannot be read.
    #[error("template {name} cannot be read: {reason}")]
    Unreadable {
        /// Its name.
        name: String,
        /// Why.
        reason: String,
    },
    /// It is too long.
    #[error("template {name} is {length} bytes long, and {most} are the most")]
    TooLong {
        /// Its name.
        name: String,
        /// Its bytes.
        length: u64,
        /// The limit, in bytes.
        most: u64,
    },
    /// It makes too long a text.
    #[error("{place}: the text becomes longer than {most} bytes")]
    OutputTooLong {
        /// Where.
        place: Place,
        /// The limit, in bytes.
        most: usize,
    },
    /// It takes too many steps, or too long.
    #[error("{place}: the template takes {what}")]
    TooMuch {
        /// Where.
        place: Place,
        /// Of what.
        what: &'static str,
    },
}

impl TemplateError {
    /// Where the error is, when it is in a template that could be read.
    #[must_use]
    pub fn place(&self) -> Option<&Place> {
        match self {
            Self::Syntax { place, .. }
            | Self::Undefined { place, .. }
            | Self::Unknown { place, .. }
            | Self::Render { place, .. }
            | Self::OutputTooLong { place, .. }
            | Self::TooMuch { place, .. } => Some(place),
            Self::NotFound { wanted_by, .. } => wanted_by.as_ref(),
            Self::Refused { .. } | Self::Unreadable { .. } | Self::TooLong { .. } => None,
        }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Undefined { near, variable, .. } if near.is_empty() => Some(format!(
                "put it into the context, or write `{variable} | default(…)` or `{{% if {variable} is defined %}}`"
            )),
            Self::Undefined { near, .. } | Self::Unknown { near, .. } | Self::NotFound { near, .. } => {
                let names: Vec<String> = near.iter().map(|name| format!("`{name}`")).collect();
                (!names.is_empty()).then(|| format!("did you mean {}?", names.join(" or ")))
            }
            Self::Refused { .. } => Some(
                "name a file of the folder of templates by its path within it, for instance `scripts/a.j2`"
                    .into(),
            ),
            Self::TooMuch { .. } | Self::OutputTooLong { .. } => Some("does a loop of it ever end?".into()),
            Self::Syntax { .. } | Self::Render { .. } | Self::Unreadable { .. } | Self::TooLong { .. } => {
                None
            }
        }
    }
}
