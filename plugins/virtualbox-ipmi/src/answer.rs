//! Failures as the API shows them: what happened, whose fault it is, what to do next (as the ipmi plugin's).

use crate::outcome::Outcome;
use drp_plugin_sdk::Error;
use drp_vbox::{Fault, Kind, VboxError};

/// A verb that did not get where it should.
#[derive(Debug)]
pub(crate) enum Failure {
    /// VirtualBox, or the way to it.
    Vbox(VboxError),
    /// Another change of the machine, of that name, is under way.
    Conflict(&'static str),
    /// Too much waits already.
    QueueFull(String),
    /// The plugin stops.
    Cancelled,
    /// VirtualBox does not know the power state, or it does not settle; nothing was sent.
    PowerUnknown(String),
    /// The verb makes no sense in that state; nothing was sent.
    State(String, &'static str),
    /// Sent but not confirmed.
    Unconfirmed(Box<Outcome>),
}

impl From<VboxError> for Failure {
    fn from(error: VboxError) -> Self {
        Self::Vbox(error)
    }
}

impl Failure {
    /// What happened, one sentence.
    pub(crate) fn what(&self) -> String {
        match self {
            Self::Vbox(error) => error.what.clone(),
            Self::Conflict(verb) => format!("{verb} of this machine is in progress"),
            Self::QueueFull(what) | Self::PowerUnknown(what) | Self::State(what, _) => what.clone(),
            Self::Cancelled => "the plugin was stopped in between".to_owned(),
            Self::Unconfirmed(outcome) => outcome.text.clone(),
        }
    }

    /// As the answer to that command on that machine.
    pub(crate) fn answer(&self, command: &str, machine: &str) -> Error {
        let (code, kind, whose, next) = match self {
            Self::Vbox(error) => {
                (error.kind.code(), error.kind.word(), whose(error.kind), error.next.as_str())
            }
            Self::Conflict(_) => (409, "CONFLICT", USER, "wait for it"),
            Self::QueueFull(_) => (409, "QUEUE_FULL", USER, "fewer at a time"),
            Self::Cancelled => (409, "CANCELLED", HOST, "powerstatus, then run it again"),
            Self::PowerUnknown(_) => (502, "POWER_UNKNOWN", PEER, "powerstatus until it is known"),
            Self::State(_, next) => (409, "STATE", USER, *next),
            Self::Unconfirmed(_) => (504, "UNCONFIRMED", PEER, "powerstatus before anything else"),
        };
        let again = match self {
            Self::Vbox(error) if error.sent => {
                "; the command may have been carried out, so do not repeat it blindly"
            }
            // Somebody may be in between: that is looked into before anything is asked again.
            Self::Vbox(error) if error.kind == Kind::HostKey => "",
            Self::Vbox(error) if error.kind.fault() == Fault::Peer => "; asking again does no harm",
            _ => "",
        };
        let mut out = Error::new(code, kind, format!("{command} of {machine}: {}", self.what()))
            .and(format!("Whose fault: {whose}"))
            .and(format!("What to do: {next}{again}"))
            .on("plugin", crate::definition::NAME);
        if let Self::Unconfirmed(outcome) = self {
            out = out.and(format!("Evidence: {}", outcome.to_json()));
        }
        out
    }
}

const USER: &str = "the request's";
const PEER: &str = "VirtualBox's, or the network's before it";
const HOST: &str = "this host's";

fn whose(kind: Kind) -> &'static str {
    match kind.fault() {
        Fault::User => USER,
        Fault::Peer => PEER,
        Fault::Host => HOST,
    }
}

/// An error that no VirtualBox was asked about. Its fault is the caller's.
pub(crate) fn problem(code: u16, kind: &str, what: impl Into<String>, next: &str) -> Error {
    Error::new(code, kind, what)
        .and(format!("Whose fault: {USER}"))
        .and(format!("What to do: {next}"))
        .on("plugin", crate::definition::NAME)
}
