//! Why content cannot be used.

use std::{fmt, path::PathBuf};

/// What is wrong with content, and where. The fault is the author's, except for [`ContentError::Io`].
#[derive(Debug, thiserror::Error)]
pub enum ContentError {
    /// A file or directory could not be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `read`.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A text is not what it should be.
    #[error("{place}: {problem}")]
    Text {
        /// Where.
        place: Place,
        /// What is wrong there.
        problem: String,
    },
}

/// A place in a file, as `file:line` where the line is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The name of the file or text.
    pub file: String,
    /// The line, from 1, when it is known.
    pub line: Option<usize>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

impl ContentError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    pub(crate) fn text(file: &str, line: Option<usize>, problem: impl Into<String>) -> Self {
        Self::Text { place: Place { file: file.to_owned(), line }, problem: problem.into() }
    }
}
