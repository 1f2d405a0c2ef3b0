//! The short verbs of a plugin executable (wire-protocol §1.1).

use crate::TestkitError;
use drp_protocol::PluginProvider;
use std::{path::Path, process::Stdio, time::Duration};
use tokio::process::Command;

/// What a run of an executable gave.
#[derive(Debug, Clone)]
pub struct Output {
    /// Exit status, or nothing after a signal.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

/// Runs an executable to its end, with an environment of its own, within 30 s.
///
/// # Errors
/// [`TestkitError::Io`] when it cannot be run, [`TestkitError::Late`] when it does not end.
pub async fn run(
    binary: impl AsRef<Path>,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Result<Output, TestkitError> {
    let binary = binary.as_ref();
    let limit = Duration::from_secs(30);
    let work = Command::new(binary)
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(limit, work)
        .await
        .map_err(|_| TestkitError::Late {
            what: format!("the end of {} {arguments:?}", binary.display()),
            limit,
        })?
        .map_err(TestkitError::io("run", binary))?;
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    Ok(Output { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) })
}

/// Runs `define` with `RS_TOKEN=catalog` and reads what it prints.
///
/// # Errors
/// [`TestkitError::Differs`] when it fails or prints anything but a definition.
pub async fn define(binary: impl AsRef<Path>) -> Result<PluginProvider, TestkitError> {
    let output = run(binary, &["define"], &[("RS_TOKEN", drp_protocol::wire::TOKEN_CATALOG)]).await?;
    let wrong = |why: String| TestkitError::differs("define", "a definition", format!("{output:?} ({why})"));
    if output.code != Some(0) {
        return Err(wrong("exit status".to_owned()));
    }
    serde_json::from_str(&output.stdout).map_err(|e| wrong(e.to_string()))
}

/// Runs `unpack DIR`.
///
/// # Errors
/// [`TestkitError::Differs`] when it fails or prints anything.
pub async fn unpack(binary: impl AsRef<Path>, dir: &Path) -> Result<(), TestkitError> {
    let output = run(binary, &["unpack", &dir.display().to_string()], &[]).await?;
    if output.code == Some(0) && output.stdout.is_empty() {
        return Ok(());
    }
    Err(TestkitError::differs("unpack", "exit status 0 and no output", format!("{output:?}")))
}
