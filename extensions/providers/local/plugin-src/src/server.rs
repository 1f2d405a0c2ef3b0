//! One server: what it is doing, and its record as callers see it.

use crate::failure::Failure;
use crate::firewall::{Forward, Protocol, SSH};
use crate::launch::{TALK_LIMIT, console, monitor};
use crate::plan::ZONE;
use crate::process;
use crate::qmp::Qmp;
use crate::record::Record;
use drp_plugin_sdk::{Value, json};
use std::path::Path;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// What a server is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    /// `creating`, `running`, `paused`, `stopped`, `error` or `deleting`.
    pub(crate) status: &'static str,
    /// Why, where it is not plain.
    pub(crate) message: Option<String>,
}

impl State {
    fn of(status: &'static str, message: Option<&str>) -> Self {
        Self { status, message: message.map(str::to_owned) }
    }

    pub(crate) fn runs(&self) -> bool {
        matches!(self.status, "running" | "paused")
    }
}

/// Looks at a server's QEMU.
pub(crate) async fn state(record: &Record, dir: &Path) -> State {
    let Some(run) = &record.run else {
        return State::of("stopped", record.ended.as_deref());
    };
    if run.boot != process::boot() {
        return State::of("stopped", Some("this host was started anew since"));
    }
    if process::find(run, dir).is_none() {
        let why = "its QEMU process is gone and nobody had stopped it; qemu.log in its folder may say why";
        return State::of("error", Some(why));
    }
    let asked =
        async { Qmp::open(&monitor(dir), TALK_LIMIT).await?.call("query-status", json!({})).await }.await;
    match asked {
        Err(error) => State::of("error", Some(&error.to_string())),
        Ok(answer) => match answer.get("status").and_then(Value::as_str).unwrap_or_default() {
            "running" => State::of("running", None),
            "shutdown" => State::of("stopped", Some("it switched itself off")),
            "guest-panicked" => State::of("error", Some("its kernel panicked")),
            broken @ ("internal-error" | "io-error") => State::of("error", Some(broken)),
            other => State::of("paused", Some(other)),
        },
    }
}

/// The port of this host that leads to its SSH server.
pub(crate) fn ssh_port(forwards: &[Forward]) -> Option<u16> {
    forwards.iter().find(|f| f.protocol == Protocol::Tcp && f.guest_port == SSH).map(|f| f.host_port)
}

/// How one logs in, as `get-ssh-access` and `create-server` tell it; `None` when port 22 is not forwarded.
pub(crate) fn access(record: &Record, dir: &Path) -> Option<Value> {
    let port = ssh_port(&record.forwards)?;
    let user = &record.image.user;
    Some(json!({
        "server_id": record.server_id,
        "hostname": record.hostname,
        "host": "127.0.0.1",
        "port": port,
        "user": user,
        "command": format!("ssh -p {port} {user}@127.0.0.1"),
        "console": serial(dir),
    }))
}

/// Where its serial console is.
pub(crate) fn serial(dir: &Path) -> Value {
    json!({"type": "unix", "path": console(dir)})
}

/// A server as `list-servers` and `get-server-info` show it.
pub(crate) fn shown(record: &Record, dir: &Path, state: &State) -> Value {
    let runs = state.runs();
    let mut shown = json!({
        "server_id": record.server_id,
        "hostname": record.hostname,
        "status": state.status,
        "plan": record.plan.name,
        "zone": ZONE,
        "os": record.os,
        "cpus": record.plan.cpus,
        "memory_mb": record.plan.memory_mb,
        "disk_gb": record.disk_gb,
        "tags": record.tags,
        "created_at": record.created,
        "ip_addresses": if runs { json!(["127.0.0.1"]) } else { json!([]) },
        "firewall_rules": record.firewall_rules,
        "forwards": if runs { json!(record.forwards) } else { json!([]) },
    });
    if runs {
        shown["console"] = serial(dir);
        if let Some(access) = access(record, dir) {
            shown["ssh_access"] = access;
        }
    }
    if let Some(message) = &state.message {
        shown["message"] = json!(message);
    }
    if let (Some(run), true) = (&record.run, runs) {
        shown["accel"] = json!(run.accel);
        shown["pid"] = json!(run.pid);
        shown["started_at"] = json!(run.since);
    }
    shown
}

/// Waits until its SSH server greets. QEMU takes connections for every forwarded port at once, so that one is taken
/// means nothing; the greeting does (RFC 4253 §4.2).
pub(crate) async fn ssh_greets(record: &Record, dir: &Path, limit: Duration) -> Result<(), Failure> {
    let Some(port) = ssh_port(&record.forwards) else { return Ok(()) };
    let end = tokio::time::Instant::now() + limit;
    loop {
        if greeting(port).await {
            return Ok(());
        }
        let state = state(record, dir).await;
        if !state.runs() {
            return Err(Failure::State(format!(
                "server {} does not run any more: {}",
                record.server_id,
                state.message.unwrap_or_else(|| state.status.to_owned())
            )));
        }
        if tokio::time::Instant::now() >= end {
            return Err(Failure::TooLate(format!(
                "server {} runs, but its SSH server did not greet within {} s; get-ssh-access names its console",
                record.server_id,
                limit.as_secs()
            )));
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
}

async fn greeting(port: u16) -> bool {
    let ask = async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let mut start = [0; 4];
        stream.read_exact(&mut start).await?;
        std::io::Result::Ok(&start == b"SSH-")
    };
    matches!(tokio::time::timeout(Duration::from_secs(5), ask).await, Ok(Ok(true)))
}
