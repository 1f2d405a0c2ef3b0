//! One kept connection to one host.

use crate::host_keys::HostKeys;
use crate::output::{MAX_OUTPUT, Output};
use crate::told::{KILL, pid, said, told};
use crate::{Kind, Run, SshError, Target};
use russh::client::{self, Handle};
use russh::keys::PrivateKeyWithHashAlg;
use russh::{ChannelMsg, ChannelWriteHalf, Disconnect, Sig};
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

/// One kept connection to one host. It is made when the first command needs it, and again when it broke meanwhile.
pub struct Ssh {
    target: Target,
    connection: Mutex<Option<Arc<Handle<HostKeys>>>>,
    /// The login was refused: it is not tried again, so that nobody is locked out (promise P8).
    refused: AtomicBool,
}

impl Ssh {
    /// A connection that is not made yet.
    #[must_use]
    pub fn new(target: Target) -> Self {
        Self { target, connection: Mutex::new(None), refused: AtomicBool::new(false) }
    }

    /// Where it leads.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// Runs a command to its end, whatever its exit status.
    ///
    /// # Errors
    /// Every [`Kind`] but [`Kind::Failed`].
    pub async fn run(&self, run: Run) -> Result<Output, SshError> {
        let end = Instant::now() + run.deadline;
        let channel = self.open(&run, end).await?;
        self.exec(channel, run, end).await
    }

    /// A channel for a command.
    pub(crate) async fn open(
        &self,
        run: &Run,
        end: Instant,
    ) -> Result<russh::Channel<client::Msg>, SshError> {
        if run.nul {
            return Err(SshError::new(
                Kind::Param,
                "a word with a NUL character is no word of a command",
                "correct it",
            ));
        }
        // A kept connection may have died since: opening a channel on it fails before anything is sent, so a second
        // try on a fresh one runs nothing twice.
        for kept in [true, false] {
            let handle =
                timeout_at(end, self.connected()).await.map_err(|_| self.no_answer("connecting"))??;
            match timeout(OPEN, handle.channel_open_session()).await {
                Ok(Ok(channel)) => return Ok(channel),
                _ => self.forget(&handle).await,
            }
            if !kept {
                break;
            }
        }
        let what = format!("{} opens no session for a command", self.target);
        Err(SshError::new(
            Kind::Unreachable,
            what,
            "see the log of sshd there (MaxSessions, restrictions on the key)",
        ))
    }

    async fn exec(
        &self,
        channel: russh::Channel<client::Msg>,
        run: Run,
        mut end: Instant,
    ) -> Result<Output, SshError> {
        let Run { line, words, deadline, input, .. } = run;
        let (mut from, to) = channel.split();
        if to.exec(true, told(&line)).await.is_err() {
            return Err(self.broke(&words));
        }
        let reads = input.is_some();
        let sending = async {
            if let Some(input) = input {
                // A command need not read what it is given; its status says how it went.
                let _ = to.data(input.as_slice()).await;
                let _ = to.eof().await;
            }
        };
        tokio::pin!(sending);
        let mut sent = !reads;
        let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
        let mut status = None;
        let mut ended = false;
        loop {
            let message = tokio::select! {
                () = &mut sending, if !sent => { sent = true; continue }
                message = timeout_at(end, from.wait()) => message,
            };
            let message = match message {
                Ok(Some(message)) => message,
                Ok(None) => break,
                Err(_) if ended => break,
                Err(_) => {
                    self.kill(&to, &stderr).await;
                    let what =
                        format!("{words} did not end within {} s, and was killed", deadline.as_secs_f32());
                    let next = format!("see on {} why it hangs, or give it more time", self.target);
                    return Err(SshError::new(Kind::Deadline, what, next).maybe_sent());
                }
            };
            match message {
                ChannelMsg::Data { data } => stdout.extend_from_slice(&data),
                ChannelMsg::ExtendedData { data, .. } => stderr.extend_from_slice(&data),
                ChannelMsg::Failure => {
                    let what = format!("{} refuses to run commands", self.target);
                    let next = "see sshd's settings there (ForceCommand, restrictions on the key)";
                    return Err(SshError::new(Kind::Refused, what, next));
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
                self.kill(&to, &stderr).await;
                let what = format!("{words} printed more than {} MB, and was killed", MAX_OUTPUT >> 20);
                return Err(SshError::new(Kind::TooMuch, what, "see what that program is").maybe_sent());
            }
        }
        let _ = timeout(OPEN, to.close()).await;
        if !ended {
            return Err(self.broke(&words));
        }
        Ok(Output { status, stdout, stderr: said(stderr) })
    }

    /// Ends a command with its process group: by the signal of RFC 4254 §6.9, which OpenSSH does not pass on for root and
    /// before 8.1, and by `kill` on a channel of its own. Closing the channel alone would leave it running.
    async fn kill(&self, channel: &ChannelWriteHalf<client::Msg>, stderr: &[u8]) {
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

    async fn connected(&self) -> Result<Arc<Handle<HostKeys>>, SshError> {
        let mut connection = self.connection.lock().await;
        if let Some(handle) = connection.as_ref().filter(|handle| !handle.is_closed()) {
            return Ok(handle.clone());
        }
        *connection = None;
        if self.refused.load(Ordering::Relaxed) {
            let Target { login, names, .. } = &self.target;
            let what =
                format!("{} refused {} before, and it was not tried again", self.target, login.shown());
            let next = format!(
                "correct {} or {}; after a change on that host {}",
                names.key, names.user, names.unlock
            );
            return Err(SshError::new(Kind::Locked, what, next));
        }
        let handle = Arc::new(self.connect().await?);
        *connection = Some(handle.clone());
        Ok(handle)
    }

    async fn connect(&self) -> Result<Handle<HostKeys>, SshError> {
        let Target { host, port, known_hosts, .. } = &self.target;
        let unreachable = |why: String| {
            SshError::new(Kind::Unreachable, format!("{}: {why}", self.target), self.check_the_way())
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
        let login = timeout(CONNECT, self.log_in(&mut handle)).await;
        let success = login
            .map_err(|_| self.no_answer("logging in"))?
            .map_err(|e| unreachable(format!("logging in: {e}")))?;
        if !success {
            self.refused.store(true, Ordering::Relaxed);
            return Err(self.refused_login());
        }
        tracing::info!("connected to {}", self.target);
        Ok(handle)
    }

    async fn log_in(&self, handle: &mut Handle<HostKeys>) -> Result<bool, russh::Error> {
        let Target { user, login, .. } = &self.target;
        if let Some(key) = &login.key {
            let key = PrivateKeyWithHashAlg::new(key.key.clone(), None);
            if handle.authenticate_publickey(user.clone(), key).await?.success() {
                return Ok(true);
            }
        }
        let Some(password) = &login.password else { return Ok(false) };
        Ok(handle.authenticate_password(user.clone(), password.expose()).await?.success())
    }

    fn refused_login(&self) -> SshError {
        let Target { login, names, .. } = &self.target;
        let what = format!("{} refuses {}", self.target, login.shown());
        let next = if login.key.is_some() {
            format!(
                "add the public key to authorized_keys of that user, or correct {} and {}",
                names.user, names.key
            )
        } else {
            format!("correct {} and {}, or see whether sshd there takes passwords", names.user, names.key)
        };
        SshError::new(Kind::Credentials, what, next)
    }

    async fn forget(&self, handle: &Arc<Handle<HostKeys>>) {
        let mut connection = self.connection.lock().await;
        if connection.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, handle)) {
            *connection = None;
        }
    }

    /// Says goodbye, if there is a connection.
    pub async fn close(&self) {
        let handle = self.connection.lock().await.take();
        if let Some(handle) = handle {
            let _ =
                timeout(Duration::from_secs(1), handle.disconnect(Disconnect::ByApplication, "", "")).await;
        }
    }

    /// Forgets that the login was refused; whether it was.
    pub fn unlock(&self) -> bool {
        self.refused.swap(false, Ordering::Relaxed)
    }

    fn check_the_way(&self) -> String {
        let names = &self.target.names;
        format!("check {} and {}, whether sshd runs there, and firewalls", names.host, names.port)
    }

    fn no_answer(&self, during: &str) -> SshError {
        let what = format!("{} does not answer ({during})", self.target);
        SshError::new(Kind::NoAnswer, what, self.check_the_way())
    }

    pub(crate) fn broke(&self, words: &str) -> SshError {
        let what = format!("the connection to {} broke while {words} ran", self.target);
        SshError::new(Kind::Broke, what, "look at the state there before anything is repeated").maybe_sent()
    }
}

impl std::fmt::Debug for Ssh {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Ssh({})", self.target)
    }
}
