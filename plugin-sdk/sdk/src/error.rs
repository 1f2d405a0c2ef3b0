//! What can go wrong before or beside the hooks of a plugin.

use std::path::PathBuf;

/// Why a plugin executable could not do what its command line asked for.
#[derive(Debug, thiserror::Error)]
pub enum SdkError {
    /// The author's definition contradicts itself. The author's fault: correct the named item.
    #[error("definition of {plugin}: {problem}")]
    Definition {
        /// Name of the provider.
        plugin: String,
        /// What is wrong, and with which item.
        problem: String,
    },
    /// The command line is not one of those of wire-protocol §1.1.
    #[error("{0}")]
    Usage(String),
    /// `listen` without its two sockets.
    #[error("listen takes two arguments, the to-plugin and the from-plugin socket, not {0}")]
    ListenArguments(usize),
    /// A file, directory or socket could not be used.
    #[error("cannot {what} {path}: {source}")]
    Io {
        /// A verb phrase such as `listen on`.
        what: &'static str,
        /// The file concerned.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A system call that has no file failed.
    #[error("cannot {what}: {source}")]
    System {
        /// A verb phrase such as `start the runtime`.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// A hook of the plugin gave an error.
    #[error("{0}")]
    Plugin(#[from] drp_protocol::Error),
}

impl SdkError {
    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { what, path, source }
    }

    /// Exit status: 2 for a command line that cannot be understood, as the Go wrapper exits on a missing
    /// `unpack` argument, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            _ => 1,
        }
    }
}
