//! Judges host keys by the list, and keeps why one was refused.

use crate::known_hosts::{Verdict, fingerprint, line};
use crate::{Kind, SshError, Target};
use russh::client;
use russh::keys::PublicKeyOrCertificate;
use std::sync::{Arc, Mutex, PoisonError};

pub(crate) struct HostKeys {
    pub(crate) target: Target,
    pub(crate) verdict: Arc<Mutex<Option<SshError>>>,
}

impl client::Handler for HostKeys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let Target { host, port, known_hosts, names, .. } = &self.target;
        let list = &names.known_hosts;
        let refused = |what: String, next: String| Some(SshError::new(Kind::HostKey, what, next));
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let print = fingerprint(key);
        let why = match known_hosts.judge(host, *port, key) {
            Verdict::Known => return Ok(true),
            Verdict::Unknown => refused(
                format!(
                    "the SSH host key of {host}:{port} is not known: {} {print}",
                    key.algorithm().as_str()
                ),
                format!(
                    "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on that host, then add this line to {list}: {}",
                    line(host, *port, key)
                ),
            ),
            Verdict::Changed(at) => refused(
                format!(
                    "the SSH host key of {host}:{port} is not the known one (line {at} of {list}): it shows {} {print}",
                    key.algorithm().as_str()
                ),
                format!("find out why: a new installation, or somebody between; only then correct {list}"),
            ),
            Verdict::Revoked(at) => refused(
                format!("the SSH host key of {host}:{port} is revoked (line {at} of {list}): {print}"),
                "give the host a new key".to_owned(),
            ),
        };
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = why;
        Ok(false)
    }
}
