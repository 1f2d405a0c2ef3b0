//! WebSockets over TLS: to the daemon, and between this program and its peer.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use rustls::pki_types::{PrivateKeyDer, ServerName};
use serde_json::json;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::client::TlsStream;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use super::Result;

/// Sockets of the floor, and frames a second to all of them together.
const SOCKETS: usize = 100;
const PACE: u32 = 10_000;

/// A clock that two processes share.
pub(crate) fn now() -> Duration {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// Connects to `127.0.0.1:port`.
pub(crate) async fn connect(
    address: &str,
    tls: &TlsConnector,
    path: &str,
    authorization: Option<&str>,
) -> Result<WebSocketStream<TlsStream<TcpStream>>> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let stream = tls.connect(ServerName::try_from("localhost")?, stream).await?;
    let mut request = format!("wss://{address}{path}").into_client_request()?;
    if let Some(value) = authorization {
        request.headers_mut().insert(AUTHORIZATION, value.parse()?);
    }
    Ok(tokio_tungstenite::client_async(request, stream).await?.0)
}

/// The peer: waits for all sockets, then sends each in its turn an event with its time.
pub(crate) async fn frames(certificate: &Path, ready: impl FnOnce(&str) -> Result<()>) -> Result<()> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])?;
    std::fs::write(certificate, made.cert.pem())?;
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der())?;
    let config = rustls::ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)?;
    let tls = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await?;
    ready(&listener.local_addr()?.to_string())?;
    let mut senders = Vec::new();
    for _ in 0..SOCKETS {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let mut socket = tokio_tungstenite::accept_async(tls.accept(stream).await?).await?;
        let (send, mut frames) = tokio::sync::mpsc::channel::<Message>(4096);
        tokio::spawn(async move {
            while let Some(frame) = frames.recv().await {
                socket.send(frame).await?;
            }
            // The reader leaves when it has enough.
            while socket.next().await.is_some_and(|frame| frame.is_ok()) {}
            Result::Ok(())
        });
        senders.push(send);
    }
    let begin = std::time::Instant::now();
    for n in 0.. {
        let due = Duration::from_secs(1) * n / PACE;
        if let Some(early) =
            due.checked_sub(begin.elapsed()).filter(|early| *early > Duration::from_millis(1))
        {
            tokio::time::sleep(early).await;
        }
        let at = u64::try_from(now().as_nanos())?;
        let event = json!({"Time": "2026-01-01T00:00:00.000000000Z", "Type": "each", "Action": "on", "Key": "1",
            "Principal": "local:root", "Object": {"At": at}, "Original": null});
        if senders[n as usize % SOCKETS].send(Message::text(event.to_string())).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}
