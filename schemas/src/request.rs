//! What a worker is asked: one JSON line each.

use crate::Document;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What to do with a document.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ask {
    /// Parse it and check its types, evaluate nothing.
    Typecheck,
    /// Evaluate it whole, after applying a contract when there is one.
    Evaluate {
        /// The contract, as a Nickel expression, for instance `(import "drp/server.ncl").ServerConfig`.
        contract: Option<String>,
        /// Only this field of it, `a.b.c`.
        field: Option<String>,
    },
    /// List the fields of the record, or of the contracts, that it evaluates to.
    Describe,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Request {
    /// What.
    pub ask: Ask,
    /// Of which document.
    pub document: Document,
    /// Where imports are looked for, beside the importing file's own folder.
    pub import_paths: Vec<PathBuf>,
    /// The folders whose files may be read. `None` is for documents of whoever started the program, who could read
    /// them anyway.
    pub roots: Option<Vec<PathBuf>>,
}
