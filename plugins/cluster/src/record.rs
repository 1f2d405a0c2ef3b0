//! The record of a registered cluster.

use crate::plan::{Cluster, PlanError, plan};
use drp_plugin_sdk::protocol::{ExtensionType, HostedExtension};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest record that is read.
const MOST_BYTES: u64 = 16 << 20;

/// Why a record cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    /// The file.
    #[error("cannot read {path}: {source}; register the extension anew")]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Its text.
    #[error("{path} is not the record of an extension: {reason}; register the extension anew")]
    Text {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Another kind of extension.
    #[error("{0} is no cluster but a {1}, which another program hosts")]
    Type(String, ExtensionType),
    /// No definition in it.
    #[error(
        "cluster {0} has no definition: its schemas/main.ncl must give a ClusterConfig; `drp ext validate` says more"
    )]
    Empty(String),
    /// A definition that cannot be deployed.
    #[error("cluster {0}: {1}")]
    Plan(String, PlanError),
}

/// Reads a record and the definition in it, which must be one that can be planned.
pub(crate) fn read(path: &Path) -> Result<(HostedExtension, Cluster), RecordError> {
    let io = |source| RecordError::Io { path: path.to_owned(), source };
    let wrong = |reason: String| RecordError::Text { path: path.to_owned(), reason };
    let mut text = String::new();
    std::fs::File::open(path).map_err(io)?.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(wrong(format!("it is longer than {MOST_BYTES} bytes")));
    }
    let extension: HostedExtension = serde_json::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    if extension.r#type != ExtensionType::Cluster {
        return Err(RecordError::Type(extension.name, extension.r#type));
    }
    let Some(definition) = &extension.cluster else { return Err(RecordError::Empty(extension.name)) };
    let refused = |e| RecordError::Plan(extension.name.clone(), e);
    let cluster = Cluster::read(definition).map_err(refused)?;
    plan(&cluster).map_err(refused)?;
    Ok((extension, cluster))
}
