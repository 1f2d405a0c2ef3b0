//! Why an extension could not be opened.

use crate::Problem;
use std::io;
use std::path::{Path, PathBuf};

/// Error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExtensionError {
    /// A file or folder failed.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// A verb such as `read`.
        what: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The extension is wrong. The fault is its author's.
    #[error("{} is no valid extension: {}", root.display(), listed(problems))]
    Invalid {
        /// Its folder.
        root: PathBuf,
        /// What is wrong with it; never empty.
        problems: Vec<Problem>,
    },
    /// Its files cannot be packed, so there is no digest of them.
    #[error(transparent)]
    Archive(#[from] crate::archive::ArchiveError),
    /// Nothing could be evaluated, which is no fault of the extension.
    #[error(transparent)]
    Schema(#[from] drp_schemas::SchemaError),
}

impl ExtensionError {
    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    pub(crate) fn invalid(root: &Path, problems: Vec<Problem>) -> Self {
        Self::Invalid { root: root.to_owned(), problems }
    }

    /// What is wrong with the extension; empty when something else failed.
    #[must_use]
    pub fn problems(&self) -> &[Problem] {
        match self {
            Self::Invalid { problems, .. } => problems,
            _ => &[],
        }
    }
}

fn listed(problems: &[Problem]) -> String {
    let mut text = problems.first().map(ToString::to_string).unwrap_or_default();
    if problems.len() > 1 {
        text.push_str(&format!(" (and {} more)", problems.len() - 1));
    }
    text
}
