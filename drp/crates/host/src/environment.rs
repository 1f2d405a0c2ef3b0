//! The environment of plugin processes (wire-protocol §1.2).

use crate::HostConfig;
use drp_protocol::{Secret, wire};
use std::ffi::{OsStr, OsString};
use std::path::Path;
use tokio::process::Command;

/// Variables that a plugin inherits when the daemon has them, beside every `LC_*`. Everything else,
/// `RS_LOCAL_PROXY` and the proxy variables above all, stays outside.
pub const INHERITED: &[&str] = &[
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TMPDIR",
    "XDG_RUNTIME_DIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];

const PATH_WHEN_UNSET: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The part of the environment that is the same for every process.
#[derive(Debug, Clone)]
pub(crate) struct Environment {
    fixed: Vec<(OsString, OsString)>,
}

impl Environment {
    pub(crate) fn new(config: &HostConfig) -> Self {
        Self::from_vars(&config.endpoint, &config.fileserver, &config.webroot, std::env::vars_os())
    }

    fn from_vars(
        endpoint: &str,
        fileserver: &str,
        webroot: &Path,
        own: impl Iterator<Item = (OsString, OsString)>,
    ) -> Self {
        let mut fixed: Vec<_> = own.filter(|(name, _)| inherited(name)).collect();
        if !fixed.iter().any(|(name, _)| name == "PATH") {
            fixed.push(("PATH".into(), PATH_WHEN_UNSET.into()));
        }
        fixed.extend([
            (wire::ENV_ENDPOINT.into(), endpoint.into()),
            (wire::ENV_FILESERVER.into(), fileserver.into()),
            (wire::ENV_WEBROOT.into(), webroot.into()),
            ("NO_PROXY".into(), "*".into()),
            ("no_proxy".into(), "*".into()),
        ]);
        Self { fixed }
    }

    /// Replaces the environment of a command.
    pub(crate) fn apply(&self, command: &mut Command, token: &Secret) {
        command.env_clear().envs(self.fixed.iter().map(|(k, v)| (k, v)));
        command.env(wire::ENV_TOKEN, token.expose());
    }
}

fn inherited(name: &OsStr) -> bool {
    name.to_str().is_some_and(|n| INHERITED.contains(&n) || n.starts_with("LC_"))
}

#[cfg(test)]
mod tests {
    use super::Environment;
    use std::path::Path;

    #[test]
    fn only_the_list_is_inherited() {
        let own = [
            ("PATH", "/bin"),
            ("LC_ALL", "C"),
            ("RS_LOCAL_PROXY", "/x.sock"),
            ("HTTPS_PROXY", "http://p"),
            ("http_proxy", "http://p"),
            ("AWS_SECRET_ACCESS_KEY", "canary"),
            ("RS_KEY", "rocketskates:r0cketsk8ts"),
            ("LD_PRELOAD", "x.so"),
        ];
        let own = own.iter().map(|(k, v)| ((*k).into(), (*v).into()));
        let env =
            Environment::from_vars("https://127.0.0.1:8092", "http://127.0.0.1:8091", Path::new("/w"), own);
        let names: Vec<_> = env.fixed.iter().map(|(k, _)| k.to_str().unwrap()).collect();
        assert_eq!(
            names,
            ["PATH", "LC_ALL", "RS_ENDPOINT", "RS_FILESERVER", "RS_WEBROOT", "NO_PROXY", "no_proxy"]
        );
    }
}
