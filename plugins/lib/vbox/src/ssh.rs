//! `VBoxManage` of another host: what its SSH errors mean to users of VirtualBox.

use crate::local::{silent, too_much};
use crate::output::Output;
use crate::{Kind, VboxError};
use drp_protocol::Secret;
use drp_ssh::{KnownHosts, Login, Names, Run, SshError, Target};
use std::sync::Arc;
use std::time::Duration;

/// A private key, read. It cannot be printed.
#[derive(Clone)]
pub struct SshKey(drp_ssh::SshKey);

impl SshKey {
    /// Reads a private key without passphrase, as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// [`Kind::Param`] that says what is wrong with it, never what is in it.
    pub fn parse(text: &Secret) -> Result<Self, VboxError> {
        drp_ssh::SshKey::parse(text).map(Self).map_err(|why| {
            VboxError::new(
                Kind::Param,
                format!("virtualbox/ssh-key {why}"),
                "make one with `ssh-keygen -t ed25519 -N ''` and set the whole text of the private file",
            )
        })
    }

    /// Fingerprint of its public half, which is no secret.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }
}

impl std::fmt::Debug for SshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Where to log in, as whom, and whom to believe.
#[derive(Debug, Clone)]
pub struct SshTarget {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// User on that host.
    pub user: String,
    /// His key.
    pub key: SshKey,
    /// The keys that are believed.
    pub known_hosts: Arc<KnownHosts>,
}

impl From<SshTarget> for Target {
    fn from(target: SshTarget) -> Self {
        let SshTarget { host, port, user, key, known_hosts } = target;
        let names = Names {
            host: "virtualbox/host".to_owned(),
            port: "virtualbox/ssh-port".to_owned(),
            user: "virtualbox/ssh-user".to_owned(),
            key: "virtualbox/ssh-key".to_owned(),
            known_hosts: "virtualbox/ssh-known-hosts".to_owned(),
            unlock: "run the action unlock".to_owned(),
        };
        let login = Login { key: Some(key.0), password: None };
        Self { host, port, user, login, known_hosts, names: Arc::new(names) }
    }
}

/// One kept connection to one host.
pub(crate) struct Ssh(drp_ssh::Ssh);

impl Ssh {
    pub(crate) fn new(target: SshTarget) -> Self {
        Self(drp_ssh::Ssh::new(target.into()))
    }

    /// Where it leads, for texts.
    pub(crate) fn place(&self) -> String {
        self.0.target().to_string()
    }

    /// Runs a command to its end.
    pub(crate) async fn run(
        &self,
        argv: Vec<&str>,
        words: &str,
        deadline: Duration,
    ) -> Result<Output, VboxError> {
        let run = Run::argv(argv).called(format!("VBoxManage {words}")).within(deadline);
        let drp_ssh::Output { status, stdout, stderr } =
            self.0.run(run).await.map_err(|error| told(error, words, deadline))?;
        Ok(Output { status, stdout, stderr })
    }

    /// Says goodbye, if there is a connection.
    pub(crate) async fn close(&self) {
        self.0.close().await;
    }

    /// Forgets that the key was refused; whether it was.
    pub(crate) fn unlock(&self) -> bool {
        self.0.unlock()
    }
}

fn told(error: SshError, words: &str, deadline: Duration) -> VboxError {
    use drp_ssh::Kind as Way;
    let SshError { kind, what, mut next, sent } = error;
    let kind = match kind {
        Way::Deadline => return silent(words, deadline),
        Way::TooMuch => return too_much(words),
        Way::Param => Kind::Param,
        Way::Credentials => Kind::Credentials,
        Way::Locked => Kind::Locked,
        Way::HostKey => Kind::HostKey,
        Way::Unreachable => Kind::Unreachable,
        Way::NoAnswer => Kind::Silent,
        Way::Refused => Kind::Refused,
        Way::Failed => Kind::Protocol,
        Way::Broke => {
            "powerstatus before anything else".clone_into(&mut next);
            Kind::Unreachable
        }
    };
    VboxError { kind, what, next, sent }
}
