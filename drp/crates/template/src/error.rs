//! What can be wrong with a template.

use gtmpl_ng::{ExecError, ParseError};

/// An error of a template. Its author is at fault, and the same text fails again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// It does not parse.
    #[error("template {name}: line {line}: {text}")]
    Parse {
        /// The template.
        name: String,
        /// The line, from 1; 0 when unknown.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// It does not render.
    #[error("template {name}: line {line}: {text}")]
    Render {
        /// The template, which may be one that was called.
        name: String,
        /// The line, from 1; 0 when unknown.
        line: usize,
        /// What is wrong.
        text: String,
    },
    /// It is too long.
    #[error("template {name}: is {length} bytes long, at most {most} are rendered")]
    TooLong {
        /// The template.
        name: String,
        /// Its bytes.
        length: usize,
        /// The bound.
        most: usize,
    },
    /// It calls too many others.
    #[error("template {name}: calls more than {most} other templates")]
    TooMany {
        /// The template.
        name: String,
        /// The bound.
        most: usize,
    },
}

impl TemplateError {
    pub(crate) fn parse(name: &str, error: &ParseError) -> Self {
        match error {
            ParseError::WithContext(at, text) => {
                let name = if at.name.is_empty() { name.to_owned() } else { at.name.clone() };
                Self::Parse { name, line: at.line, text: readable(text) }
            }
            other => Self::Parse { name: name.to_owned(), line: 0, text: readable(&other.to_string()) },
        }
    }

    pub(crate) fn render(name: &str, error: &ExecError) -> Self {
        match error.as_structured() {
            Some(inner) => Self::Render {
                name: if inner.context.name.is_empty() {
                    name.to_owned()
                } else {
                    inner.context.name.clone()
                },
                line: inner.context.line,
                text: readable(&inner.message),
            },
            None => Self::other(name, &error.to_string()),
        }
    }

    pub(crate) fn other(name: &str, text: &str) -> Self {
        Self::Render { name: name.to_owned(), line: 0, text: readable(text) }
    }
}

/// Without the names that the rewriting made.
fn readable(text: &str) -> String {
    text.replace("drp_Machine_", ".Machine.")
        .replace("drp_Env_", ".Env.")
        .replace("drp_Task_", ".Task.")
        .replace("drp_Stage_", ".Stage.")
        .replace("drp_", ".")
}
