//! One VirtualBox: where its `VBoxManage` is, and how it is called.

use crate::ssh::{Ssh, SshTarget};
use crate::{Kind, Output, VboxError, local, refusal};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// So many commands of one VirtualBox run at a time. sshd allows ten sessions of one connection.
const AT_ONCE: usize = 4;
/// Long commands (making and removing disks) may take so many times the deadline.
const LONG: u32 = 10;

/// Where `VBoxManage` runs.
#[derive(Debug, Clone)]
pub enum Place {
    /// On this host, as the user of this process.
    Local,
    /// On another one.
    Ssh(SshTarget),
}

/// A VirtualBox. Cheap to share in an `Arc`; it keeps one SSH connection.
pub struct Vbox {
    program: String,
    prefix: Vec<String>,
    deadline: Duration,
    ssh: Option<Ssh>,
    gate: Semaphore,
}

impl Vbox {
    /// `VBoxManage` of that place, with a deadline of 30 s.
    #[must_use]
    pub fn new(place: Place) -> Self {
        Self {
            program: "VBoxManage".to_owned(),
            prefix: Vec::new(),
            deadline: Duration::from_secs(30),
            ssh: match place {
                Place::Local => None,
                Place::Ssh(target) => Some(Ssh::new(target)),
            },
            gate: Semaphore::new(AT_ONCE),
        }
    }

    /// Another program than `VBoxManage`.
    #[must_use]
    pub fn program(mut self, program: impl Into<String>) -> Self {
        self.program = program.into();
        self
    }

    /// Words before the program, for instance `sudo -n -u vbox`.
    #[must_use]
    pub fn prefix(mut self, words: Vec<String>) -> Self {
        self.prefix = words;
        self
    }

    /// How long a command may take.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// `local` or `ssh`.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        if self.ssh.is_some() { "ssh" } else { "local" }
    }

    /// Where it is, for texts.
    #[must_use]
    pub fn place(&self) -> String {
        self.ssh.as_ref().map_or_else(|| "this host".to_owned(), Ssh::place)
    }

    /// Closes the connection, if there is one.
    pub async fn close(&self) {
        if let Some(ssh) = &self.ssh {
            ssh.close().await;
        }
    }

    /// Forgets that the SSH key was refused; whether it was.
    pub fn unlock(&self) -> bool {
        self.ssh.as_ref().is_some_and(Ssh::unlock)
    }

    /// Runs `VBoxManage` with these arguments to its end, whatever its exit status.
    ///
    /// # Errors
    /// Every kind but those of refusals. [`VboxError::sent`] says whether the command may have been carried out.
    pub async fn run(&self, args: &[&str]) -> Result<Output, VboxError> {
        self.run_within(args, self.deadline).await
    }

    async fn run_within(&self, args: &[&str], deadline: Duration) -> Result<Output, VboxError> {
        if args.iter().any(|arg| arg.contains('\0')) {
            return Err(VboxError::new(Kind::Param, "a name with a NUL character is no name", "correct it"));
        }
        let words = args.iter().take(2).copied().collect::<Vec<_>>().join(" ");
        let permit = timeout(deadline, self.gate.acquire()).await;
        let Ok(Ok(_permit)) = permit else {
            let what = format!("VBoxManage {words} waited too long for other commands of {}", self.place());
            return Err(VboxError::new(Kind::Silent, what, "fewer actions at a time"));
        };
        let argv: Vec<&str> = self
            .prefix
            .iter()
            .map(String::as_str)
            .chain([self.program.as_str()])
            .chain(args.iter().copied())
            .collect();
        let answer = match &self.ssh {
            None => local::run(&argv, &words, deadline).await,
            Some(ssh) => ssh.run(argv, &words, deadline).await,
        };
        // Readings change nothing, so that asking again does no harm.
        answer.map_err(|error| VboxError { sent: error.sent && !reads(args), ..error })
    }

    /// As [`run`](Self::run); an exit status other than 0 is an error.
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn done(&self, args: &[&str]) -> Result<Output, VboxError> {
        self.judge(args, self.run(args).await?)
    }

    /// As [`done`](Self::done) with ten times the deadline: making and removing disks takes long.
    ///
    /// # Errors
    /// Every [`Kind`].
    pub async fn done_slowly(&self, args: &[&str]) -> Result<Output, VboxError> {
        self.judge(args, self.run_within(args, self.deadline * LONG).await?)
    }

    fn judge(&self, args: &[&str], output: Output) -> Result<Output, VboxError> {
        match output.status {
            Some(0) => Ok(output),
            // Killed by somebody, perhaps half way.
            None => {
                let error = refusal(args.first().copied().unwrap_or_default(), &output);
                Err(VboxError { kind: Kind::Protocol, sent: !reads(args), ..error })
            }
            Some(_) => Err(refusal(&args.iter().take(2).copied().collect::<Vec<_>>().join(" "), &output)),
        }
    }
}

/// Whether a command changes nothing.
fn reads(args: &[&str]) -> bool {
    matches!(args.first(), Some(&("--version" | "list" | "showvminfo" | "showmediuminfo")))
}
