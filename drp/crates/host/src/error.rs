//! What can go wrong between the host and a plugin.

use drp_protocol::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Whose fault an error is, which decides who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The caller asked for something that cannot be.
    User,
    /// The plugin broke the protocol or its promise.
    Plugin,
    /// The daemon or the machine it runs on.
    Host,
}

/// An error of the plugin host. It names the plugin or file, and says whose fault it is and whether a
/// retry is safe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HostError {
    /// No plugin instance of that name.
    #[error("there is no plugin {plugin}")]
    NoSuchPlugin {
        /// Name of the instance.
        plugin: String,
    },
    /// The instance exists and does not run, so nothing was sent to it.
    #[error(
        "plugin {plugin} is not running ({state}) and was not asked; try again in a moment, or see its PluginErrors"
    )]
    NotRunning {
        /// Name of the instance.
        plugin: String,
        /// What it does instead.
        state: String,
    },
    /// The plugin has as many calls as it may have and the waiting line is full. Nothing was sent.
    #[error(
        "plugin {plugin} already has {limit} calls in flight and its waiting line is full; try again later"
    )]
    Overloaded {
        /// Name of the instance.
        plugin: String,
        /// The limit reached.
        limit: usize,
    },
    /// No answer in time. The plugin may still be at it.
    #[error("plugin {plugin} did not answer {what} within {after:?}")]
    Timeout {
        /// Name of the instance.
        plugin: String,
        /// The call.
        what: &'static str,
        /// The deadline.
        after: Duration,
        /// Whether the plugin may have seen the request.
        sent: bool,
    },
    /// The process ended while the call was in flight.
    #[error(
        "plugin {plugin} {how} while it handled {what}; that is a fault of the plugin. \
         What was asked may have been done: look before asking again. Its PluginErrors and its log say more"
    )]
    Gone {
        /// Name of the instance.
        plugin: String,
        /// The call.
        what: &'static str,
        /// How it ended, for instance `was killed by signal 9 (SIGKILL)`.
        how: String,
    },
    /// The connection broke.
    #[error("cannot talk to plugin {plugin} ({what}): {why}")]
    Transport {
        /// Name of the instance.
        plugin: String,
        /// The call.
        what: &'static str,
        /// What the connection said.
        why: String,
        /// Whether the plugin may have seen the request.
        sent: bool,
    },
    /// The answer is larger than is accepted.
    #[error("the answer of plugin {plugin} to {what} is larger than {limit} bytes")]
    AnswerTooLarge {
        /// Name of the instance.
        plugin: String,
        /// The call.
        what: &'static str,
        /// The bound in bytes.
        limit: usize,
    },
    /// The answer is not what the protocol says.
    #[error("the answer of plugin {plugin} to {what} is broken: {why}")]
    BrokenAnswer {
        /// Name of the instance.
        plugin: String,
        /// The call.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The plugin answered with an error of its own.
    #[error("{error}")]
    Plugin {
        /// Name of the instance.
        plugin: String,
        /// What it said; `code` is never 0.
        error: Box<Error>,
    },
    /// The process did not get to `READY!`.
    #[error("plugin {plugin} did not start: {why}")]
    Start {
        /// Name of the instance.
        plugin: String,
        /// Diagnosis in words.
        why: String,
        /// Whether the executable could be run at all.
        spawned: bool,
    },
    /// No provider of that name.
    #[error("there is no plugin provider {provider}")]
    NoSuchProvider {
        /// Name of the provider.
        provider: String,
    },
    /// That text cannot be the file name of a provider.
    #[error("{name:?} cannot be the name of a plugin provider: {why}")]
    BadName {
        /// The text given.
        name: String,
        /// Which rule it breaks.
        why: &'static str,
    },
    /// `define` did not give a usable provider.
    #[error("{}: {why}", path.display())]
    Define {
        /// The executable.
        path: PathBuf,
        /// Diagnosis in words.
        why: String,
    },
    /// It defined itself, and could not unpack its files.
    #[error("{}: {why}", path.display())]
    Unpack {
        /// The executable.
        path: PathBuf,
        /// Diagnosis in words.
        why: String,
    },
    /// The daemon refused what the provider brings, for instance its content.
    #[error("plugin provider {provider} is refused: {error}")]
    Refused {
        /// Name of the provider.
        provider: String,
        /// What the daemon said.
        error: Box<Error>,
    },
    /// An uploaded executable is larger than is accepted.
    #[error("the upload of plugin provider {provider} is larger than {limit} bytes")]
    UploadTooLarge {
        /// Name of the provider.
        provider: String,
        /// The bound in bytes.
        limit: u64,
    },
    /// An uploaded executable broke off.
    #[error("the upload of plugin provider {provider} broke off: {why}")]
    UploadBroken {
        /// Name of the provider.
        provider: String,
        /// What the stream said.
        why: String,
    },
    /// The operating system refused something.
    #[error("{what} {}: {source}", path.display())]
    Io {
        /// What was attempted, as in `cannot create`.
        what: &'static str,
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The host is shutting down.
    #[error("the plugin host is shutting down")]
    ShuttingDown,
}

impl HostError {
    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        match self {
            Self::NoSuchPlugin { .. }
            | Self::NoSuchProvider { .. }
            | Self::BadName { .. }
            | Self::UploadTooLarge { .. }
            | Self::UploadBroken { .. } => Fault::User,
            Self::Io { .. } | Self::ShuttingDown => Fault::Host,
            _ => Fault::Plugin,
        }
    }

    /// Whether the plugin certainly has not seen the request, so that sending it again cannot do
    /// anything twice.
    #[must_use]
    pub fn retry_is_safe(&self) -> bool {
        match self {
            Self::NotRunning { .. } | Self::Overloaded { .. } | Self::ShuttingDown => true,
            Self::Timeout { sent, .. } | Self::Transport { sent, .. } => !sent,
            _ => false,
        }
    }

    /// The HTTP status it travels with. A broken transport is 409, as clients know it
    /// (wire-protocol §3.8 step 7); what the plugin certainly has not seen is 503.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::NoSuchPlugin { .. } | Self::NoSuchProvider { .. } => 404,
            _ if self.retry_is_safe() => 503,
            Self::Gone { .. } | Self::Transport { .. } => 409,
            Self::NotRunning { .. } | Self::Overloaded { .. } | Self::ShuttingDown => 503,
            Self::Timeout { .. } => 504,
            Self::AnswerTooLarge { .. } => 502,
            Self::BrokenAnswer { .. } | Self::Start { .. } | Self::Io { .. } => 500,
            Self::Plugin { error, .. } => error.code,
            Self::Refused { error, .. } if error.code >= 400 => error.code,
            Self::BadName { .. }
            | Self::Define { .. }
            | Self::Unpack { .. }
            | Self::Refused { .. }
            | Self::UploadBroken { .. } => 400,
            Self::UploadTooLarge { .. } => 413,
        }
    }

    pub(crate) fn io(what: &'static str, path: impl Into<PathBuf>, source: std::io::Error) -> Self {
        Self::Io { what, path: path.into(), source }
    }
}

/// The wire form. What a plugin said goes out unchanged; everything else names its object.
impl From<HostError> for Error {
    fn from(error: HostError) -> Self {
        let code = error.code();
        let text = error.to_string();
        let step = if matches!(error, HostError::Unpack { .. }) { "unpack" } else { "define" };
        match error {
            HostError::Plugin { error, .. } => *error,
            HostError::NoSuchPlugin { plugin }
            | HostError::NotRunning { plugin, .. }
            | HostError::Overloaded { plugin, .. }
            | HostError::Timeout { plugin, .. }
            | HostError::Gone { plugin, .. }
            | HostError::Transport { plugin, .. }
            | HostError::AnswerTooLarge { plugin, .. }
            | HostError::BrokenAnswer { plugin, .. }
            | HostError::Start { plugin, .. } => Error::new(code, "INVOKE", text).on("plugins", plugin),
            HostError::NoSuchProvider { provider }
            | HostError::Refused { provider, .. }
            | HostError::UploadTooLarge { provider, .. }
            | HostError::UploadBroken { provider, .. } => {
                Error::new(code, "POST", text).on("plugin_providers", provider)
            }
            HostError::BadName { name, .. } => Error::new(code, "POST", text).on("plugin_providers", name),
            HostError::Define { path, .. } | HostError::Unpack { path, .. } => {
                let name = path.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
                Error::new(code, "POST", format!("Import plugin failed {name}: {step} failed"))
                    .and(text)
                    .on("plugin_providers", name)
            }
            HostError::Io { .. } | HostError::ShuttingDown => Error::new(code, "INVOKE", text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Fault, HostError};
    use std::time::Duration;

    #[test]
    fn codes_follow_the_protocol() {
        let broken =
            HostError::Transport { plugin: "p".into(), what: "action", why: "reset".into(), sent: true };
        assert!(!broken.retry_is_safe());
        assert_eq!(Error::from(broken).code, 409);
        let late = HostError::Timeout {
            plugin: "p".into(),
            what: "action",
            after: Duration::from_secs(1),
            sent: false,
        };
        assert!(late.retry_is_safe());
        assert_eq!((late.code(), late.fault()), (503, Fault::Plugin));
        let refused =
            HostError::Transport { plugin: "p".into(), what: "action", why: "refused".into(), sent: false };
        assert_eq!((refused.code(), Error::from(refused).model.as_str()), (503, "plugins"));
        let define = HostError::Define { path: "/plugins/lamp".into(), why: "exit code 1".into() };
        assert_eq!(Error::from(define).messages[0], "Import plugin failed lamp: define failed");
        let unpack = HostError::Unpack { path: "/plugins/lamp".into(), why: "exit code 1".into() };
        assert_eq!(Error::from(unpack).messages[0], "Import plugin failed lamp: unpack failed");
    }

    #[test]
    fn what_the_plugin_said_goes_out_unchanged() {
        let said = Error::new(418, "plugin", "no such lamp").on("plugin", "lamp");
        assert_eq!(
            Error::from(HostError::Plugin { plugin: "p".into(), error: Box::new(said.clone()) }),
            said
        );
    }
}
