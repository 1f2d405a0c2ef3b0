//! What can go wrong between the daemon and an extension's command.

use drp_plugin_sdk::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Why a command of an extension was not run, or what it failed with.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NushellError {
    /// The record that `--extension` names.
    #[error("{path}: {problem}")]
    Record { path: PathBuf, problem: String },
    /// There is no `nu`.
    #[error(
        "there is no Nushell: `nu` is not on PATH ({path}); install it (https://www.nushell.sh, at least {least}) or name \
         it in the settings"
    )]
    Absent { path: String, least: semver::Version },
    /// The named `nu` is not there.
    #[error("there is no Nushell at {0}: it is not an executable file; correct the path or install it")]
    NotThere(PathBuf),
    /// `nu` does not answer as Nushell does.
    #[error("{program} is no working Nushell: {problem}")]
    Broken { program: PathBuf, problem: String },
    /// An old `nu`.
    #[error("Nushell {found} at {program} is too old: it must be at least {least}")]
    TooOld { program: PathBuf, found: semver::Version, least: semver::Version },
    /// A `nu` that the extension does not want.
    #[error("Nushell {found} at {program} will not do: the manifest of {extension} asks for {range}")]
    Unfit { program: PathBuf, found: semver::Version, extension: String, range: String },
    /// The manifest's range is none.
    #[error(
        "nushell_version in the manifest of {extension}: {range:?} is not a range of versions: {problem}"
    )]
    Range { extension: String, range: String, problem: String },
    /// Nothing to host.
    #[error("{0}: not there, so Nushell has nothing to host")]
    NoModule(PathBuf),
    /// A module that is a link to elsewhere.
    #[error("{0}: it is not in the extension's folder; put the module itself there, and no link to it")]
    Outside(PathBuf),
    /// A path that Nushell cannot be given.
    #[error("{0:?}: the path must be UTF-8 for Nushell")]
    Path(PathBuf),
    /// The module does not load.
    #[error("{module} does not load: {}", problem.join("; "))]
    Module { module: PathBuf, problem: Vec<String> },
    /// It took too long.
    #[error("{what} took longer than {}, so it was ended", seconds(.limit))]
    Late { what: String, limit: Duration },
    /// The plugin stops.
    #[error("{0} was ended, because the plugin stops")]
    Stopped(String),
    /// The process ended by itself.
    #[error("{what} ended without an answer: {how}{}", tail(.said))]
    Died { what: String, how: String, said: Vec<String> },
    /// A result that is too large.
    #[error("the result of {what} is larger than {limit} bytes")]
    TooLarge { what: String, limit: usize },
    /// A result that is not JSON.
    #[error("the result of {what} cannot be read: {problem}")]
    NoResult { what: String, problem: String },
    /// The operating system refused.
    #[error("cannot {what}: {source}")]
    System { what: String, source: std::io::Error },
}

impl NushellError {
    /// For `map_err`.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }

    /// As the protocol says it.
    pub(crate) fn on_the_wire(&self, plugin: &str) -> Error {
        let code = match self {
            Self::Late { .. } => 504,
            Self::Stopped(_) => 503,
            _ => 500,
        };
        let error = |text: String| Error::new(code, "plugin", text).on("plugin", plugin);
        match self {
            Self::Module { module, problem } => {
                let first = error(format!("{} does not load", module.display()));
                problem.iter().fold(first, |error, line| error.and(line.clone()))
            }
            Self::Died { what, how, said } => {
                let first = error(format!("{what} ended without an answer: {how}"));
                said.iter().fold(first, |error, line| error.and(line.clone()))
            }
            other => error(other.to_string()),
        }
    }
}

fn seconds(limit: &Duration) -> String {
    format!("{} s", limit.as_secs_f64())
}

fn tail(said: &[String]) -> String {
    if said.is_empty() { String::new() } else { format!("; it said: {}", said.join(" | ")) }
}
