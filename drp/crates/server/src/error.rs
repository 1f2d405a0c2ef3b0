//! Why the daemon did not start or could not go on.

use std::io;
use std::path::PathBuf;

/// Why the daemon did not start. Each text names the thing and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Settings do not parse.
    #[error(transparent)]
    Settings(#[from] crate::SettingsError),
    /// A directory or file of the base root cannot be made or used.
    #[error("{what} {path}: {error}; {hint}", path = path.display())]
    Path {
        /// What it is for, for instance `base root`.
        what: &'static str,
        /// The path.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
        /// What to do.
        hint: String,
    },
    /// A TCP port cannot be listened on.
    #[error("{what} cannot listen on {address}: {error}; {hint}")]
    Listen {
        /// `the API` or `the file server`.
        what: &'static str,
        /// Address and port.
        address: std::net::SocketAddr,
        /// What the system said.
        error: io::Error,
        /// What to do.
        hint: String,
    },
    /// The certificate or its key cannot be used.
    #[error("certificate: {0}")]
    Certificate(String),
    /// Another daemon works on the same base root.
    #[error("base root {path} is in use by the daemon with process id {pid}; stop it with `drp stop` or choose another --base-root", path = path.display())]
    InUse {
        /// The base root.
        path: PathBuf,
        /// The other daemon.
        pid: i32,
    },
    /// The store cannot be opened.
    #[error("store {backend}: {error}")]
    Store {
        /// Path or `memory:///`.
        backend: String,
        /// What the store said.
        error: String,
    },
    /// Content from a file that was named cannot be read.
    #[error("content: {0}")]
    Content(String),
    /// The object engine cannot load what is stored.
    #[error("objects: {0}")]
    Objects(String),
    /// The plugin host cannot start.
    #[error("plugin host: {0}")]
    Host(String),
    /// The system refused something else.
    #[error("{what}: {error}")]
    System {
        /// What was attempted.
        what: &'static str,
        /// What the system said.
        error: io::Error,
    },
}
