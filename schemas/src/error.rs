//! Why a document does not pass, or could not be looked at.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The file, or the name of the text.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One thing that is wrong with a document. The fault is its author's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// What is wrong, in one sentence.
    pub message: String,
    /// Where in the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The line of the contract that it breaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contract: Option<Place>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// The whole report with excerpts, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub report: String,
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        f.write_str(&self.message)?;
        if let Some(contract) = &self.contract {
            write!(f, " (the contract is at {contract})")?;
        }
        if let Some(hint) = &self.hint {
            write!(f, "; {hint}")?;
        }
        Ok(())
    }
}

/// Error of the evaluator.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SchemaError {
    /// The document is wrong.
    #[error("{document} does not pass: {}", first(.diagnostics))]
    Wrong {
        /// What errors call the document.
        document: String,
        /// What is wrong, the most important first; never empty.
        diagnostics: Vec<Diagnostic>,
    },
    /// Evaluating it took too long. The worker was stopped; nothing else was disturbed.
    #[error(
        "{document} was not evaluated within {} s; it, or a file that it imports, loops or is far too large: shorten it",
        .limit.as_secs_f32()
    )]
    Deadline {
        /// What errors call the document.
        document: String,
        /// How long it had.
        limit: Duration,
    },
    /// Evaluating it took too much memory, or recursed too deeply. The worker ended; nothing else was disturbed.
    #[error(
        "evaluating {document} ended its worker ({status}): it, or a file that it imports, needs more than {} MB or \
         recurses without end: make it smaller", .memory / 1_000_000
    )]
    Exploded {
        /// What errors call the document.
        document: String,
        /// How the worker ended.
        status: String,
        /// The memory it had, in bytes.
        memory: u64,
    },
    /// The document or a contract is longer than this program reads.
    #[error("{document} is {size} bytes long and may have {limit}")]
    TooLarge {
        /// What errors call the document.
        document: String,
        /// Its size in bytes.
        size: usize,
        /// The bound in bytes.
        limit: usize,
    },
    /// All workers are busy and enough requests wait.
    #[error("{waiting} documents already wait to be evaluated; try again later")]
    Busy {
        /// How many.
        waiting: usize,
    },
    /// The worker program could not be used. The fault is the installation's.
    #[error("cannot {what} {}: {source}; is `drp-nickel` installed beside `drp`?", path.display())]
    Worker {
        /// A verb such as `start`.
        what: &'static str,
        /// The program.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The contracts could not be put where workers read them.
    #[error("cannot {what} {}: {source}", path.display())]
    Contracts {
        /// A verb such as `write`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

fn first(diagnostics: &[Diagnostic]) -> String {
    diagnostics.first().map(ToString::to_string).unwrap_or_default()
}
