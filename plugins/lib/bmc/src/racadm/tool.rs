//! Runs racadm: credentials through a terminal of its own, a deadline, a bound on what it says, and no process left.
//!
//! With `-i` racadm asks for user and password itself ("UserName:", "Password:", iDRAC RACADM CLI Guide, remote
//! RACADM), so that neither stands on its command line or in its environment. It reads them as programs read from
//! people, so it is given a pseudo terminal.

use crate::kernel;
use drp_protocol::Secret;
use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::io::unix::AsyncFd;
use tokio::process::Command;
use tokio::time::Instant;

/// Where Dell's packages put it, tried after `PATH`.
const USUAL: [&str; 2] = ["/opt/dell/srvadmin/sbin", "/opt/dell/srvadmin/bin"];
/// Longest output that is read. A full event log of 1,024 records is some 250 KiB.
const MAX_OUTPUT: usize = 1 << 20;
/// A program may throw away what was typed before it was ready to read; prompts come a moment earlier.
const SETTLE: Duration = Duration::from_millis(100);
/// What is still on its way when the program has ended arrives within this.
const DRAIN: Duration = Duration::from_millis(500);

/// One call.
pub(super) struct Call<'a> {
    /// `host` or `host:port`.
    pub(super) address: &'a str,
    pub(super) user: &'a str,
    pub(super) password: &'a Secret,
    /// Stop at a certificate that the host's authorities did not sign.
    pub(super) strict: bool,
    pub(super) words: &'a [&'a str],
    pub(super) timeout: Duration,
}

impl Call<'_> {
    /// Its arguments. There is nothing secret in them.
    pub(super) fn arguments(&self) -> Vec<&str> {
        let certificate = if self.strict { "-S" } else { "--nocertwarn" };
        ["-r", self.address, "-i", certificate].iter().chain(self.words).copied().collect()
    }
}

/// What a call ended with.
#[derive(Debug)]
pub(super) struct Said {
    pub(super) success: bool,
    /// Its lines, without prompts, blanks at the end, or the password.
    pub(super) lines: Vec<String>,
}

/// Why a call did not come to its end.
#[derive(Debug)]
pub(super) enum Failure {
    /// It cannot be started.
    Start(io::Error),
    /// It was still running at the deadline, and was killed.
    Late,
    /// It said more than is read, and was killed.
    TooMuch,
    /// It asked for the password a second time, and was killed.
    AskedAgain,
}

/// The program, when it is there.
pub(super) fn find() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let dirs = std::env::split_paths(&path).chain(USUAL.iter().map(PathBuf::from));
    dirs.filter(|dir| dir.is_absolute()).map(|dir| dir.join("racadm")).find(|file| executable(file))
}

fn executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

/// Kills the group at every end, also when the call is dropped.
struct Group(u32);

impl Drop for Group {
    fn drop(&mut self) {
        kernel::kill_group(self.0);
    }
}

pub(super) async fn run(program: &Path, call: &Call<'_>) -> Result<Said, Failure> {
    let (ours, theirs) = terminal().map_err(Failure::Start)?;
    let mut command = Command::new(program);
    command.args(call.arguments()).env_clear().current_dir("/").kill_on_drop(true);
    for name in ["PATH", "HOME"] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    // Its texts are read, so they are asked for in one language.
    command.env("LANG", "C");
    let end = |theirs: &OwnedFd| theirs.try_clone().map(Stdio::from).map_err(Failure::Start);
    command.stdin(end(&theirs)?).stdout(end(&theirs)?).stderr(end(&theirs)?);
    kernel::with_terminal(&mut command);
    let mut child = command.spawn().map_err(Failure::Start)?;
    // Held by the command, too; the end of output is seen only when nobody here holds them any more.
    drop((command, theirs));
    let _group = Group(child.id().unwrap_or_default());

    let mut talk = Talk { ours, call, seen: Vec::new(), user: false, password: false };
    let deadline = Instant::now() + call.timeout;
    let status = tokio::select! {
        status = child.wait() => {
            let status = status.map_err(Failure::Start)?;
            // What a grandchild may still hold open is not waited for.
            match tokio::time::timeout(DRAIN, talk.listen()).await {
                Ok(Err(failure)) => return Err(failure),
                Ok(Ok(())) | Err(_) => status,
            }
        }
        heard = talk.listen() => {
            heard?;
            ended(&mut child, deadline).await?
        }
        () = tokio::time::sleep_until(deadline) => return Err(Failure::Late),
    };
    Ok(Said { success: status.success(), lines: clean(&talk.seen, call) })
}

async fn ended(child: &mut tokio::process::Child, deadline: Instant) -> Result<ExitStatus, Failure> {
    match tokio::time::timeout_at(deadline, child.wait()).await {
        Ok(status) => status.map_err(Failure::Start),
        Err(_) => Err(Failure::Late),
    }
}

/// A pseudo terminal that repeats nothing of what is typed.
fn terminal() -> io::Result<(AsyncFd<OwnedFd>, OwnedFd)> {
    let pair = openpty(None, None)?;
    let mut settings = tcgetattr(&pair.slave)?;
    settings.local_flags.remove(LocalFlags::ECHO | LocalFlags::ECHONL);
    tcsetattr(&pair.slave, SetArg::TCSANOW, &settings)?;
    fcntl(&pair.master, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    fcntl(&pair.slave, FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC))?;
    fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK))?;
    Ok((kernel::watch(pair.master)?, pair.slave))
}

struct Talk<'a> {
    ours: AsyncFd<OwnedFd>,
    call: &'a Call<'a>,
    seen: Vec<u8>,
    user: bool,
    password: bool,
}

impl Talk<'_> {
    /// Reads until the program has closed its side, and answers its two questions.
    async fn listen(&mut self) -> Result<(), Failure> {
        let mut buffer = [0; 4096];
        loop {
            let mut ready = self.ours.readable().await.map_err(Failure::Start)?;
            let read = ready.try_io(|fd| nix::unistd::read(fd, &mut buffer).map_err(io::Error::from));
            match read {
                Err(_would_block) => continue,
                // Linux answers EIO when the other side is closed.
                Ok(Ok(0) | Err(_)) => return Ok(()),
                Ok(Ok(n)) => self.seen.extend_from_slice(&buffer[..n]),
            }
            if self.seen.len() > MAX_OUTPUT {
                return Err(Failure::TooMuch);
            }
            self.answer().await?;
        }
    }

    async fn answer(&mut self) -> Result<(), Failure> {
        let line = self.seen.rsplit(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
        let line = String::from_utf8_lossy(line).trim().to_ascii_lowercase();
        if !line.ends_with(':') {
            return Ok(());
        }
        if line.contains("password") {
            if self.password {
                return Err(Failure::AskedAgain);
            }
            self.password = true;
            let password = self.call.password.expose().as_bytes().to_vec();
            return self.write(Secret::new(password)).await;
        }
        if line.contains("user") && !self.user {
            self.user = true;
            let user = self.call.user.as_bytes().to_vec();
            return self.write(Secret::new(user)).await;
        }
        Ok(())
    }

    async fn write(&mut self, line: Secret<Vec<u8>>) -> Result<(), Failure> {
        tokio::time::sleep(SETTLE).await;
        for mut rest in [line.expose().as_slice(), b"\n"] {
            while !rest.is_empty() {
                let mut ready = self.ours.writable().await.map_err(Failure::Start)?;
                match ready.try_io(|fd| nix::unistd::write(fd.as_fd(), rest).map_err(io::Error::from)) {
                    Err(_would_block) => {}
                    Ok(Ok(n)) => rest = &rest[n.min(rest.len())..],
                    // It has ended meanwhile, which reading will show.
                    Ok(Err(_)) => return Ok(()),
                }
            }
        }
        self.seen.push(b'\n');
        Ok(())
    }
}

/// Its lines. The password is taken out even though nothing should repeat it.
fn clean(seen: &[u8], call: &Call<'_>) -> Vec<String> {
    let text = String::from_utf8_lossy(seen);
    let text = match call.password.expose().as_str() {
        "" => text.into_owned(),
        password => text.replace(password, "***"),
    };
    let prompt = |line: &str| {
        let line = line.trim().to_ascii_lowercase();
        line.is_empty() || line.starts_with("username:") || line.starts_with("password:")
    };
    let line =
        |line: &str| line.chars().filter(|c| !c.is_control()).collect::<String>().trim_end().to_owned();
    text.split(['\n', '\r']).filter(|line| !prompt(line)).map(line).collect()
}
