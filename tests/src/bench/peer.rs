//! The other processes of the floors: this program again, as the simplest server of its kind.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use axum_server::accept::NoDelayAcceptor;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};

use super::Result;

/// Size of the messages that are echoed, in bytes: an action with a small machine.
pub(crate) const MESSAGE: usize = 600;

/// A peer process; it ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    /// What it said when it was ready.
    pub(crate) said: String,
}

impl Peer {
    /// Starts this program again as a peer and waits until it is ready.
    pub(crate) fn start(arguments: &[&str]) -> Result<Peer> {
        let mut child = Command::new(std::env::current_exe()?)
            .arg("--peer")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output of the peer")?;
        let mut peer = Peer { child, said: String::new() };
        BufReader::new(out).read_line(&mut peer.said)?;
        peer.said.truncate(peer.said.trim_end().len());
        if peer.said.is_empty() {
            return Err(format!("the peer {arguments:?} did not start").into());
        }
        Ok(peer)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the peer process does: `pingpong SOCKET`, `http SOCKET`, `https CERTIFICATE`,
/// `frames CERTIFICATE`, `bmcs LIVE DEAD`, `reply`.
pub(crate) fn serve(kind: &str, arguments: &[String]) -> Result<()> {
    if kind == "reply" {
        return say("ready");
    }
    if kind == "bmcs" {
        return super::bmcs::serve(arguments);
    }
    // The peer must not outlive the benchmark, however that ends: then its input ends.
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });
    let path = arguments.first().ok_or("the peer wants a path")?;
    match kind {
        "pingpong" => pingpong(Path::new(path)),
        "http" => http(Path::new(path)),
        "https" => https(Path::new(path)),
        "frames" => {
            let _ = rustls::crypto::ring::default_provider().install_default();
            runtime()?.block_on(super::socket::frames(Path::new(path), say))
        }
        _ => Err(format!("{kind} is no kind of peer").into()),
    }
}

fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

fn pingpong(path: &Path) -> Result<()> {
    let listener = UnixListener::bind(path)?;
    say("ready")?;
    let (mut stream, _) = listener.accept()?;
    let mut message = [0; MESSAGE];
    loop {
        if stream.read_exact(&mut message).is_err() {
            return Ok(());
        }
        stream.write_all(&message)?;
    }
}

fn echo() -> Router {
    Router::new()
        .route("/echo", post(|body: Bytes| async move { ([("content-type", "application/json")], body) }))
}

fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()
}

fn http(path: &Path) -> Result<()> {
    runtime()?.block_on(async {
        let listener = tokio::net::UnixListener::bind(path)?;
        say("ready")?;
        Ok(axum::serve(listener, echo()).await?)
    })
}

fn https(certificate: &Path) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    runtime()?.block_on(async {
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
        std::fs::write(certificate, made.cert.pem())?;
        let config =
            RustlsConfig::from_pem(made.cert.pem().into(), made.signing_key.serialize_pem().into()).await?;
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        listener.set_nonblocking(true)?;
        let address = listener.local_addr()?;
        let server = axum_server::from_tcp(listener)?
            .acceptor(RustlsAcceptor::new(config).acceptor(NoDelayAcceptor))
            .serve(echo().into_make_service());
        say(&address.to_string())?;
        Ok(server.await?)
    })
}
