//! `drp-mockcloud`: serves a cloud that exists in memory only. See `README.md`.

mod api;
mod cloud;
mod fault;
mod server;

use api::{Service, router};
use clap::Parser;
use cloud::Cloud;
use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;
use zeroize::Zeroizing;

/// A small cloud API that creates nothing.
#[derive(Parser)]
#[command(name = "drp-mockcloud", version)]
struct Arguments {
    /// Where it listens; loopback only. Port 0 is any free one.
    #[arg(long, value_name = "ADDR:PORT", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// A file whose first line is the key that clients must have.
    #[arg(long, value_name = "FILE")]
    key_file: PathBuf,
    /// Milliseconds that a server takes to be created, started, stopped or rebooted.
    #[arg(long, value_name = "MS", default_value_t = 200)]
    delay: u64,
    /// Most servers.
    #[arg(long, value_name = "N", default_value_t = 100)]
    quota: usize,
}

#[derive(Debug, thiserror::Error)]
enum StartError {
    #[error(
        "{0} is no address of this host alone: a mock listens on loopback only, for instance 127.0.0.1:0"
    )]
    NotLoopback(IpAddr),
    #[error("the key in {path} cannot be used: {why}; write one line of text into the file")]
    Key { path: PathBuf, why: String },
    #[error("cannot listen on {address}: {source}")]
    Listen { address: SocketAddr, source: std::io::Error },
    #[error("the service ended: {0}")]
    Serve(#[from] std::io::Error),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "drp-mockcloud: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn run(arguments: &Arguments) -> Result<(), StartError> {
    if !arguments.listen.ip().is_loopback() {
        return Err(StartError::NotLoopback(arguments.listen.ip()));
    }
    let key = key(&arguments.key_file)?;
    let address = arguments.listen;
    let listener = tokio::net::TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })?;
    let cloud = Cloud::new(Duration::from_millis(arguments.delay), arguments.quota);
    // Whoever started it reads where it is.
    let ready =
        serde_json::json!({ "url": format!("http://{}", listener.local_addr()?), "pid": std::process::id() });
    let mut out = std::io::stdout();
    writeln!(out, "{ready}")?;
    out.flush()?;
    axum::serve(listener, router(Service::new(cloud, key))).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

fn key(path: &Path) -> Result<Zeroizing<String>, StartError> {
    let bad = |why: String| StartError::Key { path: path.to_owned(), why };
    let text = Zeroizing::new(std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?);
    match text.lines().next().map(str::trim) {
        Some(key) if !key.is_empty() => Ok(Zeroizing::new(key.to_owned())),
        _ => Err(bad("its first line is empty".to_owned())),
    }
}

/// Resolves on SIGTERM or SIGINT.
async fn stopped() {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut term), Ok(mut int)) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()))
    else {
        return std::future::pending().await;
    };
    tokio::select! { _ = term.recv() => {}, _ = int.recv() => {} }
}
