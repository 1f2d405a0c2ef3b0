//! What can go wrong between us and a BMC.

use crate::{CipherSuite, CompletionCode, RakpStatus};
use std::{io, net::SocketAddr, time::Duration};

/// Whose fault an [`Error`] is: the one who can do something about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The caller's settings: address, user, password, suite, privilege.
    User,
    /// The BMC answered, and would not or could not.
    Hardware,
    /// Nothing came back: the network, or a BMC that is off.
    Network,
    /// This machine: no socket, no randomness.
    Host,
}

/// Every failure of this library. No text of it holds a password, a key or packet contents.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The target cannot be asked for what was wanted; nothing was sent.
    #[error("{what}; correct the BMC's settings")]
    BadTarget {
        /// Which setting, and what is wrong with it.
        what: String,
    },
    /// The host name has no address.
    #[error("cannot find an address for the BMC {host:?}: {source}; check its name or use an IP address")]
    Resolve {
        /// The name as given.
        host: String,
        /// What the resolver said.
        source: io::Error,
    },
    /// The network says that nobody is there (ICMP unreachable, no route).
    #[error("the BMC at {peer} cannot be reached: {source}; check its address, port and network")]
    Unreachable {
        /// The BMC.
        peer: SocketAddr,
        /// What the operating system said.
        source: io::Error,
        /// The request had been sent and must not be repeated without reading the state back.
        maybe_done: bool,
    },
    /// No answer before the deadline.
    #[error(
        "the BMC at {peer} did not answer {step} within {waited:?}{}",
        if *.maybe_done { "; the command may have been carried out: read the state back before trying again" }
        else { "; check that IPMI over LAN is on and UDP is let through" }
    )]
    Silent {
        /// The BMC.
        peer: SocketAddr,
        /// What was waited for.
        step: &'static str,
        /// How long.
        waited: Duration,
        /// The request had been sent and must not be repeated without reading the state back.
        maybe_done: bool,
    },
    /// The BMC knows no such user, or the password (or the BMC key, Kg) is another one, or the user may not
    /// have the privilege.
    #[error(
        "the BMC at {peer} refused the credentials of user {user:?}: {reason}; correct them before trying again"
    )]
    Refused {
        /// The BMC.
        peer: SocketAddr,
        /// The user name.
        user: String,
        /// Which part was refused.
        reason: Refusal,
    },
    /// The BMC does not do the cipher suite that was asked for.
    #[error(
        "the BMC at {peer} does not offer cipher suite {asked}: {detail}; choose another suite (3 or 17)"
    )]
    SuiteRefused {
        /// The BMC.
        peer: SocketAddr,
        /// What was asked for.
        asked: CipherSuite,
        /// What came back.
        detail: String,
    },
    /// The BMC is busy; later it may do it. It did not do the command.
    #[error("the BMC at {peer} is busy: {command}: {code}; try again later")]
    Busy {
        /// The BMC.
        peer: SocketAddr,
        /// The command.
        command: &'static str,
        /// What it answered.
        code: CompletionCode,
    },
    /// All session slots of the BMC are taken.
    #[error(
        "the BMC at {peer} has no free session: {status}; close other sessions or wait for them to expire (about 60 s)"
    )]
    InsufficientResources {
        /// The BMC.
        peer: SocketAddr,
        /// What it answered.
        status: RakpStatus,
    },
    /// The BMC ended the opening of the session for another reason.
    #[error("the BMC at {peer} would not open a session at {step}: {status}")]
    NotOpened {
        /// The BMC.
        peer: SocketAddr,
        /// The step of the handshake.
        step: &'static str,
        /// What it answered.
        status: RakpStatus,
    },
    /// The BMC answered a command with a completion code other than 0.
    #[error("the BMC at {peer} refused {command}: {} (0x{:02x})", .code.words_for(*.netfn, *.cmd), .code.0)]
    Completion {
        /// The BMC.
        peer: SocketAddr,
        /// The command's name.
        command: &'static str,
        /// Its network function.
        netfn: u8,
        /// Its number.
        cmd: u8,
        /// What it answered.
        code: CompletionCode,
    },
    /// An answer that was ours (tag or sequence matched, integrity checked) but makes no sense.
    #[error("the BMC at {peer} answered {step} with nonsense: {what}")]
    Malformed {
        /// The BMC.
        peer: SocketAddr,
        /// What was asked.
        step: &'static str,
        /// What is wrong with the answer.
        what: &'static str,
    },
    /// This machine could not even try.
    #[error("this machine cannot talk to {what}: {source}")]
    Local {
        /// What was tried.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Which part of the credentials was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The BMC refused with a status of its own.
    #[error("{0}")]
    Status(RakpStatus),
    /// The BMC's proof of knowing the password does not match ours: wrong password (RAKP message 2).
    #[error("wrong password")]
    Password,
    /// The password matches but the session keys do not: wrong BMC key, Kg (RAKP message 4).
    #[error("the password is right but the session keys differ: check the BMC key (Kg)")]
    BmcKey,
    /// The user may not have this privilege (Set Session Privilege Level).
    #[error("the privilege level is not allowed for this user: {0}")]
    Privilege(CompletionCode),
}

impl Error {
    /// Who can do something about it.
    pub const fn fault(&self) -> Fault {
        match self {
            Self::BadTarget { .. }
            | Self::Resolve { .. }
            | Self::Refused { .. }
            | Self::SuiteRefused { .. } => Fault::User,
            Self::Unreachable { .. } | Self::Silent { .. } => Fault::Network,
            Self::Busy { .. }
            | Self::InsufficientResources { .. }
            | Self::NotOpened { .. }
            | Self::Completion { .. }
            | Self::Malformed { .. } => Fault::Hardware,
            Self::Local { .. } => Fault::Host,
        }
    }

    /// Whether the very same call may be made again without asking or reading anything first: it was not carried
    /// out, and the circumstances may change by themselves.
    pub const fn retry_is_safe(&self) -> bool {
        match self {
            Self::Unreachable { maybe_done, .. } | Self::Silent { maybe_done, .. } => !*maybe_done,
            Self::Busy { .. }
            | Self::InsufficientResources { .. }
            | Self::Resolve { .. }
            | Self::Local { .. } => true,
            Self::BadTarget { .. }
            | Self::Refused { .. }
            | Self::SuiteRefused { .. }
            | Self::NotOpened { .. }
            | Self::Completion { .. }
            | Self::Malformed { .. } => false,
        }
    }

    /// Whether the command may have been carried out although the call failed.
    pub const fn maybe_done(&self) -> bool {
        match self {
            Self::Unreachable { maybe_done, .. } | Self::Silent { maybe_done, .. } => *maybe_done,
            // Timeout while processing; response could not be provided; duplicated request.
            Self::Completion { code, .. } => matches!(code.0, 0xc3 | 0xce | 0xcf),
            _ => false,
        }
    }

    /// Whether the session is of no more use after this error, so that the next call needs a new one.
    pub const fn ends_session(&self) -> bool {
        !matches!(self, Self::Completion { .. } | Self::Busy { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::{Error, Fault};
    use crate::CompletionCode;
    use std::net::{Ipv4Addr, SocketAddr};

    fn completion(code: u8) -> Error {
        let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 623));
        Error::Completion { peer, command: "hard reset", netfn: 0, cmd: 2, code: CompletionCode(code) }
    }

    #[test]
    fn a_code_that_leaves_it_open_whether_the_command_ran_says_so() {
        for code in 1..=255 {
            let error = completion(code);
            assert_eq!(error.maybe_done(), matches!(code, 0xc3 | 0xce | 0xcf), "{code:#x}");
            assert!(!error.retry_is_safe() && error.fault() == Fault::Hardware);
        }
    }

    #[test]
    fn the_text_names_the_bmc_the_command_and_the_code() {
        let text = completion(0xd4).to_string();
        for part in ["127.0.0.1:623", "hard reset", "insufficient privilege", "0xd4"] {
            assert!(text.contains(part), "{text}");
        }
    }
}
