//! Changing a simulator while it runs, from another process: one JSON object per line, one answer per line.
//!
//! | request | answer |
//! |---|---|
//! | `{"op":"state"}` | address, power, sessions, boot flags, boots, counts |
//! | `{"op":"faults","rules":[…]}` | replaces the faults; an empty list ends them. `"settings":{…}` may come along |
//! | `{"op":"power","on":true}` | a hand on the button |
//! | `{"op":"set","latency_ms":30,"power_delay_ms":2000,"sessions":4,"suites":[3]}` | [`Settings`]; those left out stay |
//! | `{"op":"log"}`, `{"op":"clear-log"}` | the request log; empties it and the counts |
//! | `{"op":"forget-sessions"}` | all sessions of both protocols are gone |
//! | `{"op":"restart-bmc"}` | the same, and it is away for `boot_ms` |
//! | `{"op":"stop"}` | ends the simulator |
//!
//! Each may carry `"bmc": N` (its index); without it, it is for the first one, and `faults`, `set`, `power`, `clear-log` and
//! `forget-sessions` for all. The address is loopback or a UNIX socket: whoever can reach it can do everything.

use crate::{Rule, Settings, SimError, Simulator};
use serde::Deserialize;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::Notify;

/// Longest request line.
const MAX_LINE: u64 = 1024 * 1024;

/// Where the control listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlAddress {
    /// A loopback TCP address.
    Tcp(SocketAddr),
    /// A UNIX socket.
    Unix(PathBuf),
}

impl std::str::FromStr for ControlAddress {
    type Err = String;

    /// `127.0.0.1:0` or `unix:PATH`.
    fn from_str(s: &str) -> Result<Self, String> {
        if let Some(path) = s.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        match s.parse::<SocketAddr>() {
            Ok(a) if a.ip().is_loopback() => Ok(Self::Tcp(a)),
            Ok(_) => Err(format!("{s} is not a loopback address; use 127.0.0.1:PORT or unix:PATH")),
            Err(_) => Err(format!("{s:?} is neither 127.0.0.1:PORT nor unix:PATH")),
        }
    }
}

impl std::fmt::Display for ControlAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Tcp(a) => write!(f, "{a}"),
            Self::Unix(p) => write!(f, "unix:{}", p.display()),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(tag = "op", rename_all = "kebab-case", deny_unknown_fields)]
enum Request {
    State {
        bmc: Option<usize>,
    },
    Faults {
        bmc: Option<usize>,
        rules: Vec<Rule>,
        #[serde(default)]
        settings: Settings,
    },
    Power {
        bmc: Option<usize>,
        on: bool,
    },
    Set {
        bmc: Option<usize>,
        #[serde(flatten)]
        settings: Settings,
    },
    Log {
        bmc: Option<usize>,
    },
    ClearLog {
        bmc: Option<usize>,
    },
    ForgetSessions {
        bmc: Option<usize>,
    },
    RestartBmc {
        bmc: Option<usize>,
    },
    Stop,
}

/// The control of a number of simulators.
#[derive(Debug)]
pub struct Control {
    bmcs: Arc<Vec<Simulator>>,
    stop: Arc<Notify>,
}

impl Control {
    /// For these simulators.
    pub fn new(bmcs: Arc<Vec<Simulator>>) -> Self {
        Self { bmcs, stop: Arc::new(Notify::new()) }
    }

    /// Returns when someone has asked it to stop.
    pub async fn stopped(&self) {
        self.stop.notified().await;
    }

    /// Listens; gives the real address.
    ///
    /// # Errors
    /// When the address is taken.
    pub async fn listen(&self, address: &ControlAddress) -> Result<ControlAddress, SimError> {
        let failed = |source| SimError::Listen { address: address.to_string(), source };
        match address {
            ControlAddress::Tcp(a) => {
                let listener = TcpListener::bind(a).await.map_err(failed)?;
                let bound = listener.local_addr().map_err(failed)?;
                let (bmcs, stop) = (Arc::clone(&self.bmcs), Arc::clone(&self.stop));
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(converse(stream, Arc::clone(&bmcs), Arc::clone(&stop)));
                    }
                });
                Ok(ControlAddress::Tcp(bound))
            }
            ControlAddress::Unix(path) => {
                let listener = UnixListener::bind(path).map_err(failed)?;
                let (bmcs, stop) = (Arc::clone(&self.bmcs), Arc::clone(&self.stop));
                tokio::spawn(async move {
                    while let Ok((stream, _)) = listener.accept().await {
                        tokio::spawn(converse(stream, Arc::clone(&bmcs), Arc::clone(&stop)));
                    }
                });
                Ok(address.clone())
            }
        }
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, bmcs: Arc<Vec<Simulator>>, stop: Arc<Notify>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = Vec::new();
        match (&mut stream).take(MAX_LINE).read_until(b'\n', &mut line).await {
            Ok(n) if n > 0 && line.ends_with(b"\n") => {}
            _ => return,
        }
        let answer = match serde_json::from_slice::<Request>(&line) {
            Ok(Request::Stop) => {
                stop.notify_one();
                json!({"ok": true})
            }
            Ok(request) => carry_out(request, &bmcs).unwrap_or_else(|e| json!({"error": e})),
            Err(e) => json!({"error": format!("cannot read the request: {e}")}),
        };
        if stream.get_mut().write_all(format!("{answer}\n").as_bytes()).await.is_err() {
            return;
        }
    }
}

fn one(bmcs: &[Simulator], index: Option<usize>) -> Result<&Simulator, String> {
    let index = index.unwrap_or(0);
    bmcs.get(index)
        .ok_or_else(|| format!("there is no BMC {index}; there are {}, counted from 0", bmcs.len()))
}

fn some(bmcs: &[Simulator], index: Option<usize>) -> Result<Vec<&Simulator>, String> {
    match index {
        Some(_) => one(bmcs, index).map(|b| vec![b]),
        None => Ok(bmcs.iter().collect()),
    }
}

fn carry_out(request: Request, bmcs: &[Simulator]) -> Result<Value, String> {
    match request {
        Request::State { bmc } => {
            let bmc = one(bmcs, bmc)?;
            let flags = bmc.boot_flags();
            return Ok(json!({
                "ok": true,
                "address": bmc.address().to_string(),
                "redfish": bmc.redfish_url(),
                "redfish_sessions": bmc.redfish_sessions(),
                "power": if bmc.power() { "on" } else { "off" },
                "sessions": bmc.sessions(),
                "boot": {
                    "valid": flags.valid, "persistent": flags.persistent, "efi": flags.efi,
                    "device": flags.device.to_string(),
                },
                "boots": bmc.boots().iter().map(ToString::to_string).collect::<Vec<_>>(),
                "identify": bmc.identify().is_some(),
                "counts": bmc.counts(),
            }));
        }
        Request::Log { bmc } => return Ok(json!({"ok": true, "log": one(bmcs, bmc)?.log()})),
        Request::Faults { bmc, rules, settings } => {
            for b in some(bmcs, bmc)? {
                apply(b, &settings)?;
                b.set_faults(rules.clone());
            }
        }
        Request::Power { bmc, on } => some(bmcs, bmc)?.into_iter().for_each(|b| b.set_power(on)),
        Request::Set { bmc, settings } => {
            some(bmcs, bmc)?.into_iter().try_for_each(|b| apply(b, &settings))?;
        }
        Request::RestartBmc { bmc } => some(bmcs, bmc)?.into_iter().for_each(Simulator::restart_bmc),
        Request::ClearLog { bmc } => some(bmcs, bmc)?.into_iter().for_each(Simulator::clear_log),
        Request::ForgetSessions { bmc } => some(bmcs, bmc)?.into_iter().for_each(Simulator::forget_sessions),
        Request::Stop => {}
    }
    Ok(json!({"ok": true}))
}

fn apply(bmc: &Simulator, settings: &Settings) -> Result<(), String> {
    let mut wrong = Ok(());
    bmc.configure(|config| wrong = settings.apply(config));
    wrong
}
