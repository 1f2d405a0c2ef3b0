//! Why a verb did not succeed: what happened, whose fault it is, what to do next.

use crate::Outcome;
use thiserror::Error;

/// Who has to act.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The one who asked: parameters, credentials, moment.
    User,
    /// The BMC or the network before it.
    Hardware,
    /// The machine this program runs on.
    Host,
}

/// What kind of failure. Decides the code and whether a repetition is safe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A parameter is missing or makes no sense.
    Param,
    /// The BMC refused the credentials.
    Credentials,
    /// The BMC's certificate is not one that is believed.
    Certificate,
    /// These credentials were refused before and were not tried again.
    Locked,
    /// Another power change of this BMC is in progress.
    Conflict,
    /// The queue of this BMC, or of all, is full.
    QueueFull,
    /// The machine is in a state in which the verb makes no sense.
    State,
    /// The program is stopping, or the caller went away.
    Cancelled,
    /// The driver or the BMC has no such command.
    Unsupported,
    /// The BMC refused the command.
    Refused,
    /// The BMC is busy at the moment.
    NodeBusy,
    /// The BMC has no free session.
    Exhausted,
    /// The BMC answered what it must not answer.
    Protocol,
    /// The BMC reports no power state, so nothing was sent.
    PowerUnknown,
    /// The BMC does not answer.
    Silent,
    /// No way to the BMC: name, route or port.
    Unreachable,
    /// The command was sent, and its effect could not be read back.
    Unconfirmed,
    /// Something of this host failed.
    Internal,
}

/// A failure. Its text names the BMC, what happened and what to do; it never holds a secret.
#[derive(Debug, Clone, Error)]
#[error("{bmc}: {what}; {next}")]
pub struct BmcError {
    /// What kind.
    pub kind: Kind,
    /// Which BMC, `host:port`.
    pub bmc: String,
    /// What happened.
    pub what: String,
    /// What to do next.
    pub next: String,
    /// The command may have reached the BMC and have been carried out.
    pub maybe_done: bool,
    /// The BMC asked to wait so long before the next try.
    pub retry_after: Option<std::time::Duration>,
    /// It ended before the command could leave, so that nothing was carried out.
    pub not_sent: bool,
    /// What was done and seen up to the failure.
    pub evidence: Option<Box<Outcome>>,
}

impl BmcError {
    /// A failure with the advice that goes with its kind.
    #[must_use]
    pub fn new(kind: Kind, bmc: impl Into<String>, what: impl Into<String>) -> Self {
        let next = kind.advice().to_owned();
        Self {
            kind,
            bmc: bmc.into(),
            what: what.into(),
            next,
            maybe_done: false,
            retry_after: None,
            not_sent: false,
            evidence: None,
        }
    }

    /// The same with better advice.
    #[must_use]
    pub fn advise(mut self, next: impl Into<String>) -> Self {
        self.next = next.into();
        self
    }

    /// The same, with the mark that the command may have been carried out.
    #[must_use]
    pub fn maybe_done(mut self) -> Self {
        self.maybe_done = true;
        self
    }

    /// The same, with the time that the BMC asked to wait.
    #[must_use]
    pub fn retry_after(mut self, wait: Option<std::time::Duration>) -> Self {
        self.retry_after = wait;
        self
    }

    /// The same, with the mark that the command did not leave.
    #[must_use]
    pub fn not_sent(mut self) -> Self {
        self.not_sent = true;
        self
    }

    /// The code it has in an answer (plugins §2.1).
    #[must_use]
    pub fn code(&self) -> u16 {
        self.kind.code()
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(&self) -> Fault {
        self.kind.fault()
    }

    /// The same request may be made again without risk of doing something twice.
    #[must_use]
    pub fn retry_is_safe(&self) -> bool {
        !self.maybe_done && !matches!(self.kind, Kind::Unconfirmed)
    }

    /// Another protocol may reach where this one did not: no connection, no answer, not this service, no trust, no such
    /// command. Never after something may have been carried out, nor after a plain refusal.
    #[must_use]
    pub fn another_driver_may_help(&self) -> bool {
        let elsewhere = matches!(
            self.kind,
            Kind::Unreachable | Kind::Silent | Kind::Protocol | Kind::Certificate | Kind::Unsupported
        );
        elsewhere && !self.maybe_done
    }

    /// The session it happened on is still good.
    pub(crate) fn leaves_session(&self) -> bool {
        matches!(self.kind, Kind::Unsupported | Kind::Refused | Kind::NodeBusy | Kind::Param)
    }
}

impl Kind {
    /// HTTP status.
    #[must_use]
    pub fn code(self) -> u16 {
        match self {
            Self::Param => 400,
            Self::Credentials | Self::Locked => 401,
            Self::Conflict | Self::QueueFull | Self::State | Self::Cancelled => 409,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Certificate
            | Self::Refused
            | Self::NodeBusy
            | Self::Exhausted
            | Self::Protocol
            | Self::PowerUnknown => 502,
            Self::Silent | Self::Unreachable | Self::Unconfirmed => 504,
        }
    }

    /// Whose fault it is.
    #[must_use]
    pub fn fault(self) -> Fault {
        match self {
            Self::Param
            | Self::Certificate
            | Self::Credentials
            | Self::Locked
            | Self::Conflict
            | Self::State
            | Self::Unsupported => Fault::User,
            Self::Internal | Self::Cancelled | Self::QueueFull => Fault::Host,
            _ => Fault::Hardware,
        }
    }

    /// Its word in the `Type` field of an error.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Param => "PARAM",
            Self::Certificate => "CERTIFICATE",
            Self::Credentials => "CREDENTIALS",
            Self::Locked => "LOCKED",
            Self::Conflict => "CONFLICT",
            Self::QueueFull => "QUEUE_FULL",
            Self::State => "STATE",
            Self::Cancelled => "CANCELLED",
            Self::Unsupported => "UNSUPPORTED",
            Self::Refused => "REFUSED",
            Self::NodeBusy => "BMC_BUSY",
            Self::Exhausted => "NO_SESSION",
            Self::Protocol => "PROTOCOL",
            Self::PowerUnknown => "POWER_UNKNOWN",
            Self::Silent => "SILENT",
            Self::Unreachable => "UNREACHABLE",
            Self::Unconfirmed => "UNCONFIRMED",
            Self::Internal => "INTERNAL",
        }
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Param => "correct the parameter",
            Self::Certificate => {
                "compare the fingerprint with the one the BMC shows on its console, then set ipmi/tls-fingerprint to it; \
                 or give the authority in ipmi/tls-ca"
            }
            Self::Credentials => {
                "correct ipmi/username and ipmi/password; they are not tried again until they change"
            }
            Self::Locked => {
                "correct ipmi/username and ipmi/password, or run the action unlock to try the same again"
            }
            Self::Conflict => "wait for it to end, then ask again",
            Self::QueueFull => "ask again in a while, with fewer requests at a time",
            Self::State => "read powerstatus, then choose the verb that fits",
            Self::Cancelled => "ask again when the plugin runs",
            Self::Unsupported => "use another verb, or another driver in ipmi/mode",
            Self::Refused => "see what the BMC's own log says about it",
            Self::NodeBusy => "ask again in a while",
            Self::Exhausted => {
                "close sessions that other tools hold on the BMC, or wait until it drops idle ones"
            }
            Self::Protocol => "check that this is the BMC's address, and its firmware",
            Self::PowerUnknown => "nothing was sent; read powerstatus until the BMC knows the state",
            Self::Silent => {
                "check ipmi/address and ipmi/port-ipmitool, that IPMI over LAN is enabled, and firewalls"
            }
            Self::Unreachable => "check ipmi/address, name resolution, routes and firewalls",
            Self::Unconfirmed => {
                "read powerstatus before doing anything else; the command may still take effect"
            }
            Self::Internal => "see the plugin's log",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_says_what_and_what_next() {
        let error =
            BmcError::new(Kind::Silent, "10.0.0.1:623", "no answer to power up within 10 s").maybe_done();
        assert_eq!(error.code(), 504);
        assert_eq!(error.fault(), Fault::Hardware);
        assert!(!error.retry_is_safe());
        assert!(
            error
                .to_string()
                .starts_with("10.0.0.1:623: no answer to power up within 10 s; check ipmi/address")
        );
    }
}
