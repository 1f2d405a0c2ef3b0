//! What is evaluated or checked.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::path::{Path, PathBuf};

/// The language of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Nickel.
    Nickel,
    /// JSON.
    Json,
    /// YAML.
    Yaml,
    /// TOML.
    Toml,
}

impl Format {
    /// The language that a file's name says; [`Format::Nickel`] when it says nothing.
    #[must_use]
    pub fn of(path: &Path) -> Self {
        match path.extension().and_then(|e| e.to_str()) {
            Some("json") => Self::Json,
            Some("yaml" | "yml") => Self::Yaml,
            Some("toml") => Self::Toml,
            _ => Self::Nickel,
        }
    }
}

/// A document: a file, or a text that somebody sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Document {
    /// A file. What it imports is looked for beside it, then on the import path.
    File {
        /// Where it is.
        path: PathBuf,
        /// Its language.
        format: Format,
    },
    /// A text.
    Text {
        /// What errors call it, for instance `settings.toml`.
        name: String,
        /// Its language.
        format: Format,
        /// The text.
        text: String,
    },
}

impl Document {
    /// A file, in the language that its name says.
    #[must_use]
    pub fn file(path: impl Into<PathBuf>) -> Self {
        let path = path.into();
        Self::File { format: Format::of(&path), path }
    }

    /// A text.
    #[must_use]
    pub fn text(name: impl Into<String>, format: Format, text: impl Into<String>) -> Self {
        Self::Text { name: name.into(), format, text: text.into() }
    }

    /// Its language.
    #[must_use]
    pub fn format(&self) -> Format {
        match self {
            Self::File { format, .. } | Self::Text { format, .. } => *format,
        }
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, .. } => path.display().fmt(f),
            Self::Text { name, .. } => f.write_str(name),
        }
    }
}
