//! Commands of another host, over one kept SSH connection (RFC 4252, 4254).

use crate::known_hosts::{KnownHosts, Verdict, fingerprint, line};
use crate::local::{silent, too_much};
use crate::output::{MAX_OUTPUT, Output};
use crate::{Kind, VboxError};
use drp_protocol::Secret;
use russh::client::{self, Handle};
use russh::keys::{HashAlg, PrivateKey, PrivateKeyWithHashAlg, PublicKeyOrCertificate, decode_secret_key};
use russh::{ChannelMsg, Disconnect, Sig};
use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex as StdMutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout, timeout_at};

/// How long connecting and logging in may take, each.
const CONNECT: Duration = Duration::from_secs(10);
/// How long the other side may take to open a channel on a connection that is there.
const OPEN: Duration = Duration::from_secs(5);
/// After so long without a word, the other side is asked whether it is there; three times, then the connection is dead.
const KEEPALIVE: Duration = Duration::from_secs(10);
/// How long output may come after the exit status.
const AFTER_EXIT: Duration = Duration::from_millis(500);

/// A private key, read. It cannot be printed.
#[derive(Clone)]
pub struct SshKey {
    key: Arc<PrivateKey>,
    fingerprint: String,
}

impl SshKey {
    /// Reads a private key without passphrase, as `ssh-keygen` writes it.
    ///
    /// # Errors
    /// [`Kind::Param`] that says what is wrong with it, never what is in it.
    pub fn parse(text: &Secret) -> Result<Self, VboxError> {
        let wrong = |why: &str| {
            VboxError::new(
                Kind::Param,
                format!("virtualbox/ssh-key {why}"),
                "make one with `ssh-keygen -t ed25519 -N ''` and set the whole text of the private file",
            )
        };
        // A key that was pasted without its last line break, or with those of Windows.
        let text = Secret::new(format!("{}\n", text.expose().replace("\r\n", "\n").trim()));
        let key = decode_secret_key(text.expose(), None).map_err(|error| match error {
            russh::keys::Error::KeyIsEncrypted => wrong("has a passphrase; nobody is there to type it"),
            _ if text.expose().contains("BEGIN RSA") => wrong("is an RSA key, which this version cannot use"),
            _ => wrong("is not a private key"),
        })?;
        if key.is_encrypted() {
            return Err(wrong("has a passphrase; nobody is there to type it"));
        }
        if key.algorithm().is_rsa() {
            return Err(wrong("is an RSA key, which this version cannot use"));
        }
        let fingerprint = key.fingerprint(HashAlg::Sha256).to_string();
        Ok(Self { key: Arc::new(key), fingerprint })
    }

    /// Fingerprint of its public half, which is no secret.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

impl std::fmt::Debug for SshKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SshKey({})", self.fingerprint)
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

impl std::fmt::Display for SshTarget {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}@{}:{}", self.user, self.host, self.port)
    }
}

/// One kept connection to one host.
pub(crate) struct Ssh {
    pub(crate) target: SshTarget,
    connection: Mutex<Option<Arc<Handle<HostKeys>>>>,
    /// The key was refused: it is not tried again, so that nobody is locked out (promise P8).
    refused: AtomicBool,
}

impl Ssh {
    pub(crate) fn new(target: SshTarget) -> Self {
        Self { target, connection: Mutex::new(None), refused: AtomicBool::new(false) }
    }

    /// Runs a command line of the shell there to its end.
    pub(crate) async fn run(
        &self,
        command: &str,
        words: &str,
        deadline: Duration,
    ) -> Result<Output, VboxError> {
        let end = Instant::now() + deadline;
        // A kept connection may have died since: opening a channel on it fails before anything is sent, so a second
        // try on a fresh one runs nothing twice.
        for kept in [true, false] {
            let handle =
                timeout_at(end, self.connected()).await.map_err(|_| self.no_answer("connecting"))??;
            match timeout(OPEN, handle.channel_open_session()).await {
                Ok(Ok(channel)) => return self.exec(channel, command, words, deadline, end).await,
                _ => self.forget(&handle).await,
            }
            if !kept {
                break;
            }
        }
        let what = format!("{} opens no session for a command", self.target);
        Err(VboxError::new(
            Kind::Unreachable,
            what,
            "see the log of sshd there (MaxSessions, restrictions on the key)",
        ))
    }

    async fn exec(
        &self,
        mut channel: russh::Channel<client::Msg>,
        command: &str,
        words: &str,
        deadline: Duration,
        mut end: Instant,
    ) -> Result<Output, VboxError> {
        if channel.exec(true, told(command)).await.is_err() {
            return Err(self.broke(words));
        }
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut status = None;
        let mut ended = false;
        loop {
            let message = match timeout_at(end, channel.wait()).await {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) if ended => break,
                Err(_) => {
                    self.kill(&channel, &stderr).await;
                    return Err(silent(words, deadline));
                }
            };
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
                ChannelMsg::Failure => {
                    let what = format!("{} refuses to run commands", self.target);
                    let next = "see sshd's settings there (ForceCommand, restrictions on the key)";
                    return Err(VboxError::new(Kind::Refused, what, next));
                }
                ChannelMsg::ExitStatus { exit_status } => {
                    status = i32::try_from(exit_status).ok();
                    ended = true;
                }
                ChannelMsg::ExitSignal { .. } => ended = true,
                _ => {}
            }
            if ended {
                // Output may follow the status, but a server process that inherited it may keep it open for good.
                end = end.min(Instant::now() + AFTER_EXIT);
            }
            if stdout.len() + stderr.len() > MAX_OUTPUT {
                self.kill(&channel, &stderr).await;
                return Err(too_much(words));
            }
        }
        let _ = timeout(OPEN, channel.close()).await;
        if !ended {
            return Err(self.broke(words));
        }
        Ok(Output { status, stdout, stderr: said(stderr) })
    }

    /// Ends a command with its process group: by the signal of RFC 4254 §6.9, which OpenSSH does not pass on for root and
    /// before 8.1, and by `kill` on a channel of its own. Closing the channel alone would leave it running.
    async fn kill(&self, channel: &russh::Channel<client::Msg>, stderr: &[u8]) {
        let _ = timeout(OPEN, channel.signal(Sig::KILL)).await;
        let _ = timeout(OPEN, channel.close()).await;
        let Some(pid) = pid(stderr) else { return };
        let handle = self.connection.lock().await.clone();
        let Some(handle) = handle else { return };
        let killed = async {
            let mut channel = handle.channel_open_session().await?;
            channel.exec(true, format!("/bin/sh -c {KILL} {pid}")).await?;
            while channel.wait().await.is_some() {}
            channel.close().await
        };
        if !matches!(timeout(OPEN, killed).await, Ok(Ok(()))) {
            tracing::warn!("a command of {} could not be killed; its process is {pid}", self.target);
        }
    }

    async fn connected(&self) -> Result<Arc<Handle<HostKeys>>, VboxError> {
        let mut connection = self.connection.lock().await;
        if let Some(handle) = connection.as_ref().filter(|handle| !handle.is_closed()) {
            return Ok(handle.clone());
        }
        *connection = None;
        if self.refused.load(Ordering::Relaxed) {
            let what = format!(
                "{} refused the key {} before, and it was not tried again",
                self.target, self.target.key.fingerprint
            );
            let next = "correct virtualbox/ssh-key or virtualbox/ssh-user; after a change on that host run the action unlock";
            return Err(VboxError::new(Kind::Locked, what, next));
        }
        let handle = Arc::new(self.connect().await?);
        *connection = Some(handle.clone());
        Ok(handle)
    }

    async fn connect(&self) -> Result<Handle<HostKeys>, VboxError> {
        let SshTarget { host, port, user, key, known_hosts } = &self.target;
        let unreachable = |why: String| {
            VboxError::new(
                Kind::Unreachable,
                format!("{}: {why}", self.target),
                "check virtualbox/host and virtualbox/ssh-port, whether sshd runs there, and firewalls",
            )
        };
        let stream = timeout(CONNECT, TcpStream::connect((host.as_str(), *port))).await;
        let stream =
            stream.map_err(|_| self.no_answer("connecting"))?.map_err(|e| unreachable(e.to_string()))?;
        let verdict = Arc::new(StdMutex::new(None));
        let keys = HostKeys { target: self.target.clone(), verdict: verdict.clone() };
        let mut config = client::Config {
            nodelay: true,
            keepalive_interval: Some(KEEPALIVE),
            keepalive_max: 3,
            ..client::Config::default()
        };
        // Asked first for the kinds of keys that are known: a host shows only one.
        let known = known_hosts.algorithms(host, *port);
        if !known.is_empty() {
            let mut order = config.preferred.key.to_vec();
            order.sort_by_key(|algorithm| !known.contains(algorithm));
            config.preferred.key = Cow::Owned(order);
        }
        // nodelay of the configuration holds for connections that russh opens itself.
        let _ = stream.set_nodelay(true);
        let talk = timeout(CONNECT, client::connect_stream(Arc::new(config), stream, keys)).await;
        let judged = verdict.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(refused) = judged {
            return Err(refused);
        }
        let mut handle =
            talk.map_err(|_| self.no_answer("greeting"))?.map_err(|e| unreachable(format!("no SSH: {e}")))?;
        let key = PrivateKeyWithHashAlg::new(key.key.clone(), None);
        let login = timeout(CONNECT, handle.authenticate_publickey(user.clone(), key)).await;
        let login = login
            .map_err(|_| self.no_answer("logging in"))?
            .map_err(|e| unreachable(format!("logging in: {e}")))?;
        if !login.success() {
            self.refused.store(true, Ordering::Relaxed);
            let what = format!("{} refuses the key {}", self.target, self.target.key.fingerprint);
            let next = "add the public key to authorized_keys of that user, or correct virtualbox/ssh-user and virtualbox/ssh-key";
            return Err(VboxError::new(Kind::Credentials, what, next));
        }
        tracing::info!("connected to {}", self.target);
        Ok(handle)
    }

    async fn forget(&self, handle: &Arc<Handle<HostKeys>>) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, handle)) {
            *connection = None;
        }
    }

    /// Says goodbye, if there is a connection.
    pub(crate) async fn close(&self) {
        let handle = self.connection.lock().await.take();
        if let Some(handle) = handle {
            let _ =
                timeout(Duration::from_secs(1), handle.disconnect(Disconnect::ByApplication, "", "")).await;
        }
    }

    /// Forgets that the key was refused; whether it was.
    pub(crate) fn unlock(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    fn no_answer(&self, during: &str) -> VboxError {
        let what = format!("{} does not answer ({during})", self.target);
        VboxError::new(
            Kind::Silent,
            what,
            "check virtualbox/host and virtualbox/ssh-port, whether sshd runs there, and firewalls",
        )
    }

    fn broke(&self, words: &str) -> VboxError {
        let what = format!("the connection to {} broke while VBoxManage {words} ran", self.target);
        VboxError::new(Kind::Unreachable, what, "powerstatus before anything else").maybe_sent()
    }
}

/// What a command says first on its standard error, so that it can be killed.
const MARK: &str = "drp-vbox-pid ";

/// Kills the process group of a process, and the process itself.
const KILL: &str =
    r#"'g=$(ps -o pgid= -p "$0" | tr -d " "); [ -z "$g" ] || kill -s KILL -- "-$g"; kill -s KILL "$0"'"#;

/// The command line, run by a POSIX shell whatever the login shell is, that tells its process id first and then is the
/// command.
fn told(command: &str) -> String {
    format!("/bin/sh -c 'echo \"{MARK}$$\" >&2; exec \"$0\" \"$@\"' {command}")
}

/// The process id that was told.
fn pid(stderr: &[u8]) -> Option<u32> {
    let text = String::from_utf8_lossy(stderr);
    text.lines().find_map(|line| line.strip_prefix(MARK)?.trim().parse().ok())
}

/// What the command itself said.
fn said(stderr: Vec<u8>) -> Vec<u8> {
    let Some(at) = stderr.windows(MARK.len()).position(|part| part == MARK.as_bytes()) else { return stderr };
    let end = stderr[at..].iter().position(|byte| *byte == b'\n').map_or(stderr.len(), |end| at + end + 1);
    [&stderr[..at], &stderr[end..]].concat()
}

/// Judges host keys by the list, and keeps why one was refused.
pub(crate) struct HostKeys {
    target: SshTarget,
    verdict: Arc<StdMutex<Option<VboxError>>>,
}

impl client::Handler for HostKeys {
    type Error = russh::Error;

    async fn check_server_key(&mut self, shown: &PublicKeyOrCertificate) -> Result<bool, Self::Error> {
        let SshTarget { host, port, known_hosts, .. } = &self.target;
        let refused = |what: String, next: String| Some(VboxError::new(Kind::HostKey, what, next));
        let PublicKeyOrCertificate::PublicKey { key, .. } = shown else { return Ok(false) };
        let print = fingerprint(key);
        let why = match known_hosts.judge(host, *port, key) {
            Verdict::Known => return Ok(true),
            Verdict::Unknown => refused(
                format!("the SSH host key of {host}:{port} is not known: {} {print}", key.algorithm().as_str()),
                format!(
                    "compare it with `ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub` on that host, then add this line to virtualbox/ssh-known-hosts: {}",
                    line(host, *port, key)
                ),
            ),
            Verdict::Changed(at) => refused(
                format!("the SSH host key of {host}:{port} is not the known one (line {at} of virtualbox/ssh-known-hosts): it shows {} {print}", key.algorithm().as_str()),
                "find out why: a new installation, or somebody between; only then correct virtualbox/ssh-known-hosts".to_owned(),
            ),
            Verdict::Revoked(at) => refused(
                format!("the SSH host key of {host}:{port} is revoked (line {at} of virtualbox/ssh-known-hosts): {print}"),
                "give the host a new key".to_owned(),
            ),
        };
        *self.verdict.lock().unwrap_or_else(PoisonError::into_inner) = why;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_tells_its_process_and_is_itself() {
        let line = told(&crate::quote::line(["printf", "%s|", "a b", "$(x)"]));
        let child = std::process::Command::new("/bin/sh").args(["-c", &line]).output().unwrap();
        assert_eq!(child.stdout, b"a b|$(x)|");
        assert!(pid(&child.stderr).is_some_and(|pid| pid > 1));
        assert_eq!(said(child.stderr), b"");
        assert_eq!(
            said(b"noise\ndrp-vbox-pid 7\nVBoxManage: error: x\n".to_vec()),
            b"noise\nVBoxManage: error: x\n"
        );
        assert_eq!((pid(b"none"), said(b"none".to_vec())), (None, b"none".to_vec()));
    }
}
