//! What can go wrong, whose fault it is, and whether the command may have been carried out.

use std::fmt;

/// Who has to do something about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The request: a param, a name, the moment.
    User,
    /// VirtualBox, its host, or the network before it.
    Peer,
    /// This host.
    Host,
}

/// What kind of failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// A param is missing or unusable.
    Param,
    /// The SSH server refused user or key.
    Credentials,
    /// It refused them before; nothing was sent.
    Locked,
    /// The SSH server's key is not known, or is another one.
    HostKey,
    /// Nothing answers at the address, or the connection broke.
    Unreachable,
    /// No answer within the deadline.
    Silent,
    /// There is no `VBoxManage`.
    NoProgram,
    /// There is no such virtual machine.
    NoVm,
    /// Another session holds the machine.
    SessionLocked,
    /// The command makes no sense in the state the machine is in.
    State,
    /// Something of that name or id exists already.
    Exists,
    /// VirtualBox refused for another reason.
    Refused,
    /// What was printed makes no sense.
    Protocol,
    /// Too old a VirtualBox.
    Unsupported,
    /// This host failed.
    Internal,
}

impl Kind {
    /// Its word, the type of the API's error.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Param => "PARAM",
            Self::Credentials => "CREDENTIALS",
            Self::Locked => "LOCKED",
            Self::HostKey => "HOST_KEY",
            Self::Unreachable => "UNREACHABLE",
            Self::Silent => "SILENT",
            Self::NoProgram => "NO_PROGRAM",
            Self::NoVm => "NO_VM",
            Self::SessionLocked => "SESSION_LOCKED",
            Self::State => "STATE",
            Self::Exists => "EXISTS",
            Self::Refused => "REFUSED",
            Self::Protocol => "PROTOCOL",
            Self::Unsupported => "UNSUPPORTED",
            Self::Internal => "INTERNAL",
        }
    }

    /// Its HTTP status.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Param => 400,
            Self::Credentials | Self::Locked => 401,
            Self::NoProgram | Self::NoVm => 404,
            Self::SessionLocked | Self::State | Self::Exists => 409,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::HostKey | Self::Refused | Self::Protocol => 502,
            Self::Unreachable | Self::Silent => 504,
        }
    }

    /// Who has to do something.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Param | Self::Credentials | Self::Locked | Self::NoVm | Self::State | Self::Exists => {
                Fault::User
            }
            Self::Internal => Fault::Host,
            _ => Fault::Peer,
        }
    }
}

/// A failure of `VBoxManage` or of the way to it. It never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VboxError {
    /// What kind.
    pub kind: Kind,
    /// What happened, one sentence.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The command may have been carried out although no answer came: do not repeat it blindly.
    pub sent: bool,
}

impl VboxError {
    /// An error of a command that was surely not carried out.
    pub fn new(kind: Kind, what: impl Into<String>, next: impl Into<String>) -> Self {
        Self { kind, what: what.into(), next: next.into(), sent: false }
    }

    /// Marks that the command may have been carried out.
    #[must_use]
    pub(crate) fn maybe_sent(mut self) -> Self {
        self.sent = true;
        self
    }
}

impl fmt::Display for VboxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for VboxError {}
