//! A real `drp serve` of this build, on free ports.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use http::{Method, header};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;

use super::http::{Kept, trust};
use super::{Bench, Result};

/// Name and password that `--well-known-password` makes.
const ACCOUNT: &[u8] = b"rocketskates:r0cketsk8ts";
const STOPPED_WITHIN: Duration = Duration::from_secs(30);

/// A running daemon; it is stopped when this is dropped.
pub(crate) struct Daemon {
    child: Child,
    address: String,
    socket: PathBuf,
    tls: TlsConnector,
    /// From spawning it until it said that it is ready.
    pub(crate) ready_after: Duration,
}

impl Daemon {
    /// Starts a daemon on a base root and waits until it is ready.
    pub(crate) fn start(bench: &Bench, base: &Path) -> Result<Daemon> {
        let log = std::fs::File::create(base.join("bench.log"))?;
        let mut command = Command::new(bench.binary("drp")?);
        command.args(["serve", "--api-port", "0", "--static-port", "0", "--secure-static-port", "0"]);
        command.args(["--bind", "127.0.0.1"]);
        command.args(["--well-known-password", "--base-root"]).arg(base);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let begin = Instant::now();
        let mut child = command.spawn()?;
        let out = child.stdout.take().ok_or("no output of the daemon")?;
        let mut lines = BufReader::new(out).lines();
        let ready = loop {
            match lines.next() {
                Some(line) => {
                    let line = line?;
                    if line.starts_with("drp ready") {
                        break line;
                    }
                }
                None => {
                    let _ = child.wait();
                    let log = std::fs::read_to_string(base.join("bench.log")).unwrap_or_default();
                    let lines: Vec<_> = log.lines().take(5).collect();
                    return Err(format!("the daemon did not start: {}", lines.join(" | ")).into());
                }
            }
        };
        let ready_after = begin.elapsed();
        // Whatever it prints later must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        let address = ready
            .split_whitespace()
            .find_map(|word| word.strip_prefix("https://"))
            .ok_or_else(|| format!("no address in {ready:?}"))?
            .to_owned();
        let tls = trust(&std::fs::read(base.join("tls/server.crt"))?)?;
        Ok(Daemon { child, address, socket: base.join("drp.sock"), tls, ready_after })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// A new connection over the local socket.
    pub(crate) async fn local(&self) -> Result<Kept> {
        Kept::unix(&self.socket).await
    }

    /// A new event socket.
    pub(crate) async fn socket(&self) -> Result<WebSocketStream<TlsStream<TcpStream>>> {
        super::socket::connect(&self.address, &self.tls, "/api/v3/ws", Some(&basic())).await
    }

    /// `https://127.0.0.1:<port>`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// A token of the well-known account.
    pub(crate) async fn token(&self) -> Result<String> {
        let mut asking =
            Kept::tls(&self.address, &self.tls).await?.header(header::AUTHORIZATION, &basic())?;
        let answer = asking
            .call(Method::GET, "/api/v3/users/rocketskates/token?ttl=3600", bytes::Bytes::new())
            .await?;
        let answer: serde_json::Value = serde_json::from_slice(&answer)?;
        Ok(answer["Token"].as_str().ok_or("no token in the answer")?.to_owned())
    }

    /// A new connection that carries a token.
    pub(crate) async fn connect(&self) -> Result<Kept> {
        let token = self.token().await?;
        let kept = Kept::tls(&self.address, &self.tls).await?;
        kept.header(header::AUTHORIZATION, &format!("Bearer {token}"))
    }
}

fn basic() -> String {
    use base64::Engine;
    format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(ACCOUNT))
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if let Ok(pid) = i32::try_from(self.child.id()) {
            let _ = kill(Pid::from_raw(pid), Signal::SIGTERM);
        }
        let begin = Instant::now();
        while begin.elapsed() < STOPPED_WITHIN {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
