//! Whether it is well.

use crate::TaskservError;
use crate::machine::Machine;
use crate::plan::Plan;
use crate::record::{HealthCheck, HealthType, shortened};
use crate::scripts;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How long the command of a check may take beyond the check's own time.
const GRACE: Duration = Duration::from_secs(5);
/// How long a unit that was put back may take to come up.
const SETTLE: Duration = Duration::from_secs(30);

/// Looks once. The text says why it is not well.
pub(crate) async fn look(machine: &Machine, plan: &Plan) -> Result<Result<(), String>, TaskservError> {
    if plan.has_unit() {
        let state = active(machine, &plan.unit_name()).await?;
        if state != "active" {
            return Ok(Err(format!("systemd says that {} is {state}", plan.unit_name())));
        }
    }
    let Some(check) = &plan.record.health_check else { return Ok(Ok(())) };
    let limit = Duration::from_secs_f64(check.timeout);
    match check.r#type {
        HealthType::Systemd => Ok(Ok(())),
        HealthType::Http => {
            let url = check.endpoint.clone().unwrap_or_default();
            let seconds = check.timeout.ceil().to_string();
            let output =
                within(limit, machine.ask(scripts::HTTP, &[&url, &seconds], "asking for its health")).await?;
            Ok(match output {
                Some(output) if output.success() => Ok(()),
                Some(output) => Err(format!("{url}: {}", said(&output.stderr))),
                None => Err(format!("{url}: no answer within {seconds} s")),
            })
        }
        HealthType::Tcp => {
            let port = check.port.unwrap_or_default();
            let sockets = machine.tell(scripts::SOCKETS, &[], "looking at sockets").await?;
            Ok(if listens(&sockets, port) { Ok(()) } else { Err(format!("nobody listens on port {port}")) })
        }
        HealthType::Command => {
            let words: Vec<String> =
                check.command.iter().map(|word| plan.fill(word, &machine.root)).collect();
            let argv: Vec<&str> = words.iter().map(String::as_str).collect();
            match machine.run_within(&argv, "the health command", limit).await {
                Ok(output) if output.success() => Ok(Ok(())),
                Ok(output) => {
                    let status =
                        output.status.map_or_else(|| "a signal".to_owned(), |s| format!("status {s}"));
                    Ok(Err(format!("{} ended with {status}: {}", shortened(&words[0]), said(&output.stderr))))
                }
                Err(TaskservError::Ssh(error)) if error.kind == drp_ssh::Kind::Deadline => {
                    Ok(Err(error.what))
                }
                Err(error) => Err(error),
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, TaskservError>>,
) -> Result<Option<T>, TaskservError> {
    match tokio::time::timeout(limit + GRACE, work).await {
        Ok(answer) => answer.map(Some),
        Err(_) => Ok(None),
    }
}

/// Looks until it is well, or as long as it takes to be ill: `interval` times `retries`.
pub(crate) async fn wait(machine: &Machine, plan: &Plan) -> Result<bool, TaskservError> {
    let (interval, retries) =
        plan.record.health_check.as_ref().map_or((1.0, 3), |c: &HealthCheck| (c.interval, c.retries));
    let patience = Duration::from_secs_f64((interval * f64::from(retries)).min(86_400.0));
    let end = Instant::now() + patience;
    let pause = Duration::from_secs_f64(interval.min(1.0));
    loop {
        let why = match look(machine, plan).await? {
            Ok(()) => return Ok(true),
            Err(why) => why,
        };
        let failed = why.ends_with(" is failed");
        if failed || Instant::now() + pause >= end {
            let what = format!("{} on {} is not well: {why}", plan.record.name, machine.ssh.target());
            let next = format!("see `journalctl -u {}` there", plan.unit_name());
            return Err(TaskservError::machine(what, next));
        }
        sleep(pause).await;
    }
}

/// Waits until systemd calls a unit that was put back `active`; else what it says of it.
pub(crate) async fn settled(machine: &Machine, unit: &str) -> Result<Option<String>, TaskservError> {
    let end = Instant::now() + SETTLE.min(machine.timeout);
    loop {
        let state = active(machine, unit).await?;
        if state == "active" {
            return Ok(None);
        }
        if state == "failed" || Instant::now() >= end {
            return Ok(Some(format!("systemd says that {unit} is {state}")));
        }
        sleep(Duration::from_millis(500)).await;
    }
}

/// As the answer tells it.
pub(crate) fn told(health: &Result<(), String>) -> Value {
    let now = drp_plugin_sdk::Event::now("", "", "", Value::Null);
    let last =
        serde_json::to_value(&now).ok().and_then(|event| event.get("Time").cloned()).unwrap_or_default();
    match health {
        Ok(()) => json!({"healthy": true, "status": "ok", "last_check": last}),
        Err(why) => json!({"healthy": false, "error": why, "last_check": last}),
    }
}

/// What systemd says of a unit: `active`, `inactive`, `failed`, …
pub(crate) async fn active(machine: &Machine, unit: &str) -> Result<String, TaskservError> {
    let output =
        machine.run_within(&["systemctl", "is-active", unit], "systemctl is-active", machine.timeout).await?;
    let word = shortened(String::from_utf8_lossy(&output.stdout).trim());
    Ok(if word.is_empty() { "unknown".to_owned() } else { word })
}

fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    if text.trim().is_empty() { "it said nothing".to_owned() } else { shortened(text.trim()) }
}

/// Whether a socket listens: the second field of `/proc/net/tcp` ends in the port in hex, the fourth is `0A` (proc(5)).
fn listens(sockets: &str, port: u16) -> bool {
    let end = format!(":{port:04X}");
    sockets.lines().any(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        fields.get(1).is_some_and(|local| local.ends_with(&end)) && fields.get(3) == Some(&"0A")
    })
}

#[cfg(test)]
mod tests {
    use super::listens;

    #[test]
    fn listening_sockets_are_known() {
        let text = "  sl  local_address rem_address   st\n   0: 0100007F:1F90 00000000:0000 0A 0\n   1: 0100007F:0050 0100007F:1F91 01 0\n";
        assert!(listens(text, 8080));
        assert!(!listens(text, 80) && !listens(text, 8081));
    }
}
