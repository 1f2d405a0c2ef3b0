//! Failures as the API shows them: what happened, whose fault it is, what to do next.

use drp_bmc::{BmcError, Fault};
use drp_plugin_sdk::Error;

/// An error of this plugin that no BMC was asked about. Its fault is the caller's.
pub(crate) fn problem(code: u16, kind: &str, what: impl Into<String>, next: &str) -> Error {
    Error::new(code, kind, what)
        .and("Whose fault: the request's")
        .and(format!("What to do: {next}"))
        .on("plugin", "ipmi")
}

/// The answer to a failed verb.
pub(crate) fn failed(command: &str, machine: &str, error: &BmcError) -> Error {
    let whose = match error.fault() {
        Fault::User => "the request's",
        Fault::Hardware => "the BMC's, or the network's before it",
        Fault::Host => "this host's",
    };
    let again = match error.fault() {
        _ if !error.retry_is_safe() => "; the command may have been carried out, so do not repeat it blindly",
        Fault::User => "",
        Fault::Hardware | Fault::Host => "; asking again does no harm",
    };
    let mut out = Error::new(
        error.code(),
        error.kind.word(),
        format!("{command} of {machine} at {}: {}", error.bmc, error.what),
    )
    .and(format!("Whose fault: {whose}"))
    .and(format!("What to do: {}{again}", error.next))
    .on("plugin", "ipmi");
    if let Some(evidence) = error.evidence.as_ref().and_then(|e| serde_json::to_string(e).ok()) {
        out = out.and(format!("Evidence: {evidence}"));
    }
    out
}
