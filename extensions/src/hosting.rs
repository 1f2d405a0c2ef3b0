//! What has to launch processes, supplied by the program.

use drp_protocol::{Error, HostedExtension, JsonMap, PluginProvider};
use futures_util::future::BoxFuture;
use serde::{Deserialize, Serialize};
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

/// How one test of an extension went: a line of `nushell --extension RECORD test --json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TestOutcome {
    /// Its file, from the extension's folder on, or `operations`.
    pub file: String,
    /// Its command; empty when the file does not load.
    pub name: String,
    /// It passed, or was skipped.
    pub ok: bool,
    /// It was not run.
    #[serde(default)]
    pub skipped: bool,
    /// Why it failed, or was skipped.
    #[serde(default)]
    pub message: String,
    /// The line where it failed, when that is known.
    #[serde(default)]
    pub line: Option<usize>,
    /// How long it took, in milliseconds.
    #[serde(default)]
    pub ms: u64,
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

    /// Runs its own tests, those in `tests/*.nu`. `only` picks tests whose file or name has it in it; empty picks all.
    fn test<'a>(
        &'a self,
        _extension: &'a HostedExtension,
        _only: &'a str,
    ) -> BoxFuture<'a, Result<Vec<TestOutcome>, HostingError>> {
        let absent =
            HostingError::Absent { program: "nushell".into(), hint: "this program runs no tests".into() };
        Box::pin(std::future::ready(Err(absent)))
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
