//! What has to launch processes, supplied by the program.

use drp_protocol::{Error, HostedExtension, JsonMap, PluginProvider};
use futures_util::future::BoxFuture;
use serde_json::Value;
use thiserror::Error as ThisError;

/// Why an extension could not be hosted.
#[derive(Debug, Clone, PartialEq, ThisError)]
pub enum HostingError {
    /// The program that hosts it is not installed.
    #[error("{program} is not there: {hint}")]
    Absent {
        /// The program, for instance `nushell`.
        program: String,
        /// What to do.
        hint: String,
    },
    /// It does not define itself or does not start.
    #[error("{0}")]
    Start(String),
    /// Its operation failed, and this is what it answered.
    #[error("{}", .0.messages.join("; "))]
    Operation(Box<Error>),
}

/// Runs an extension as the plugin that it becomes, without registering it. The program that uses this crate has the
/// plugin host and supplies this.
pub trait Hosting: Send + Sync {
    /// What it says about itself: its operations are the `AvailableActions`.
    fn define<'a>(
        &'a self,
        extension: &'a HostedExtension,
    ) -> BoxFuture<'a, Result<PluginProvider, HostingError>>;

    /// The version of Nushell that would run extensions; `None` when there is none, or it is not known.
    fn nushell(&self) -> BoxFuture<'_, Option<String>> {
        Box::pin(std::future::ready(None))
    }

    /// Starts it with these settings (by their own names, not those of params), runs one operation, and stops it.
    fn run<'a>(
        &'a self,
        extension: &'a HostedExtension,
        settings: JsonMap,
        operation: &'a str,
        params: JsonMap,
    ) -> BoxFuture<'a, Result<Value, HostingError>>;
}
