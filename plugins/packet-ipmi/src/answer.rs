//! Results and errors as the API shows them (plugins §2.1).

use crate::metal::{Device, Fault, MetalError, Power};
use crate::names::PLUGIN;
use drp_plugin_sdk::{Error, Value};
use serde::Serialize;
use std::time::Instant;

/// One thing that was tried.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Attempt {
    /// The call.
    pub(crate) call: String,
    /// Why it was not the last; empty when it went well.
    pub(crate) error: String,
    pub(crate) ms: u64,
}

/// What an action did.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Outcome {
    /// Power: `on`, `off` or `unknown`.
    pub(crate) state: &'static str,
    /// What was asked for.
    pub(crate) requested: String,
    /// What was read afterwards, in the service's words.
    pub(crate) observed: String,
    pub(crate) driver: &'static str,
    pub(crate) attempts: Vec<Attempt>,
    /// `observed` was read afterwards and is what was asked for.
    pub(crate) verified: bool,
    pub(crate) ms: u64,
    pub(crate) text: String,
    /// Id of the device.
    pub(crate) uuid: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) details: Option<Value>,
}

/// What is under way: the call that is being made and those that were.
#[derive(Debug)]
pub(crate) struct Story {
    began: Instant,
    last: Instant,
    requested: String,
    pub(crate) uuid: String,
    attempts: Vec<Attempt>,
}

impl Story {
    pub(crate) fn new(requested: &str, uuid: &str) -> Self {
        let now = Instant::now();
        Self { began: now, last: now, requested: requested.into(), uuid: uuid.into(), attempts: Vec::new() }
    }

    /// Notes a call with its end.
    pub(crate) fn note(&mut self, call: impl Into<String>, error: Option<&MetalError>) {
        let error = error.map(ToString::to_string).unwrap_or_default();
        self.attempts.push(Attempt { call: call.into(), error, ms: millis(self.last) });
        self.last = Instant::now();
    }

    /// The end of it.
    pub(crate) fn outcome(self, device: Option<&Device>, verified: bool, text: impl Into<String>) -> Outcome {
        let power = device.map_or(Power::Unknown, Device::power);
        Outcome {
            state: power.word(),
            requested: self.requested,
            observed: device.map(|d| d.state.clone()).unwrap_or_default(),
            driver: "packet",
            attempts: self.attempts,
            verified,
            ms: millis(self.began),
            text: text.into(),
            uuid: self.uuid,
            details: None,
        }
    }

    /// Its end in an error of the API.
    pub(crate) fn failed(&self, error: &MetalError) -> Error {
        failed(&self.requested, &self.uuid, error)
    }

    /// Sent, but what was read afterwards is not what was asked for: 504 with the evidence.
    pub(crate) fn unconfirmed(self, device: Option<&Device>, what: String) -> Error {
        let command = self.requested.clone();
        let uuid = self.uuid.clone();
        let evidence = serde_json::to_string(&self.outcome(device, false, what.clone())).unwrap_or_default();
        Error::new(504, "UNCONFIRMED", format!("{command} of {uuid}: sent but not confirmed: {what}"))
            .and("Whose fault: the API's, or the network's before it")
            .and("What to do: read the state before anything else; the command may still take effect, so do not repeat it blindly")
            .and(format!("Evidence: {evidence}"))
            .on("plugin", PLUGIN)
    }
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// An error that the API was not asked about. Its fault is the caller's.
pub(crate) fn problem(code: u16, kind: &str, what: impl Into<String>, next: &str) -> Error {
    Error::new(code, kind, what)
        .and("Whose fault: the request's")
        .and(format!("What to do: {next}"))
        .on("plugin", PLUGIN)
}

/// A param that does not do.
pub(crate) fn bad_param(name: &str, what: &str, next: &str) -> Error {
    problem(400, "PARAM", format!("{name} {what}"), next)
}

/// A failed call, as an error of the action or operation it was made for.
pub(crate) fn failed(command: &str, of: &str, error: &MetalError) -> Error {
    let (code, kind) = error.code();
    let whose = match error.fault() {
        Fault::User => "the request's, or a param's",
        Fault::Service => "the API's, or the network's before it",
    };
    let again = match error.fault() {
        _ if error.maybe_done() => "; the command may have been carried out, so do not repeat it blindly",
        Fault::User => "",
        Fault::Service => "; asking again does no harm",
    };
    let of = if of.is_empty() { String::new() } else { format!(" of {of}") };
    Error::new(code, kind, format!("{command}{of}: {error}"))
        .and(format!("Whose fault: {whose}"))
        .and(format!("What to do: {}{again}", error.next()))
        .on("plugin", PLUGIN)
}

/// The daemon itself did not do what it was asked.
pub(crate) fn daemon(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(500, "DAEMON", format!("{what}: {error}"))
        .and("Whose fault: the daemon's, or that of what it was asked")
        .and("What to do: the daemon's log")
        .on("plugin", PLUGIN)
}

/// The first sentence of an error, for `packet/error` and logs.
pub(crate) fn line(error: &Error) -> String {
    let text = error.messages.first().cloned().unwrap_or_else(|| error.to_string());
    text.chars().take(500).collect()
}
