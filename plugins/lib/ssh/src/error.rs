//! What can go wrong on the way, and whether the command may have been carried out.

use std::fmt;

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A word that no command can have, such as one with a NUL character.
    Param,
    /// The server refused the user, key or password.
    Credentials,
    /// It refused them before; nothing was sent.
    Locked,
    /// The server's key is not known, or is another one.
    HostKey,
    /// Nothing answers at the address.
    Unreachable,
    /// No answer in time while connecting.
    NoAnswer,
    /// The command did not end within its deadline, and was killed.
    Deadline,
    /// The command printed more than it may, and was killed.
    TooMuch,
    /// The server does not run commands.
    Refused,
    /// The connection broke while the command ran.
    Broke,
    /// The command itself ended with another status than 0.
    Failed,
}

/// A failure of the way to a command, or of a file's upload. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshError {
    /// What kind.
    pub kind: Kind,
    /// What happened, one sentence.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The command may have been carried out, or in part, although no answer came: do not repeat it blindly.
    pub sent: bool,
}

impl SshError {
    /// An error of a command that was surely not carried out.
    pub fn new(kind: Kind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, what: what.into(), next: next.into(), sent: false }
    }

    /// Marks that the command may have been carried out.
    #[must_use]
    pub fn maybe_sent(mut self) -> Self {
        self.sent = true;
        self
    }
}

impl fmt::Display for SshError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for SshError {}
