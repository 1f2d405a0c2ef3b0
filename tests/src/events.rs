//! A WebSocket to a daemon, frame by frame.

use crate::daemon::{Daemon, USER};
use base64::Engine;
use futures_util::{SinkExt, StreamExt};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Error, Message};

/// How long a frame may take.
const FRAME_WITHIN: Duration = Duration::from_secs(20);

/// A connected event socket.
pub struct EventSocket(WebSocketStream<TlsStream<TcpStream>>);

/// A TLS connection that trusts exactly the daemon's certificate.
pub async fn tls(daemon: &Daemon) -> TlsStream<TcpStream> {
    let pem = std::fs::read(daemon.base().join("tls/server.crt")).expect("certificate");
    let mut roots = rustls::RootCertStore::empty();
    for cert in CertificateDer::pem_slice_iter(&pem) {
        roots.add(cert.expect("PEM")).expect("root");
    }
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(daemon.api.trim_start_matches("https://")).await.expect("connect");
    let name = ServerName::try_from("127.0.0.1").expect("name");
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.expect("TLS")
}

impl EventSocket {
    /// Connects as the well-known user.
    pub async fn connect(daemon: &Daemon) -> Self {
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{}:{}", USER.0, USER.1));
        Self::try_connect(daemon, Some(format!("Basic {basic}")), "").await.expect("event socket")
    }

    /// Connects with an `Authorization` header and a query string.
    ///
    /// # Errors
    /// The handshake's, when the daemon refuses.
    pub async fn try_connect(
        daemon: &Daemon,
        authorization: Option<String>,
        query: &str,
    ) -> Result<Self, Box<Error>> {
        let host = daemon.api.trim_start_matches("https://");
        let mut request = format!("wss://{host}/api/v3/ws{query}").into_client_request().map_err(Box::new)?;
        if let Some(value) = authorization {
            request.headers_mut().insert("authorization", value.parse().expect("header"));
        }
        let (socket, _) =
            tokio_tungstenite::client_async(request, tls(daemon).await).await.map_err(Box::new)?;
        Ok(Self(socket))
    }

    /// Sends a text frame.
    pub async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.expect("send");
    }

    /// The next event.
    pub async fn next(&mut self) -> Value {
        loop {
            match self.frame().await {
                Message::Text(text) => return serde_json::from_str(&text).expect("event"),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} instead of an event"),
            }
        }
    }

    /// The next frame of any kind.
    pub async fn frame(&mut self) -> Message {
        let frame = tokio::time::timeout(FRAME_WITHIN, self.0.next()).await.expect("no frame in time");
        frame.expect("the socket ended").expect("frame")
    }

    /// Registers a pattern and takes the acknowledgement, which must be the next frame.
    pub async fn register(&mut self, pattern: &str) {
        self.send(&format!("register {pattern}")).await;
        let ack = self.next().await;
        assert_eq!(
            (&ack["Type"], &ack["Action"], &ack["Key"]),
            (&"websocket".into(), &"register".into(), &pattern.into())
        );
    }

    /// Reads events until one of that type, action and key.
    pub async fn until(&mut self, kind: &str, action: &str, key: &str) -> Value {
        loop {
            let event = self.next().await;
            if event["Type"] == kind && event["Action"] == action && (key == "*" || event["Key"] == key) {
                return event;
            }
        }
    }

    /// Closes as Go clients do and waits for the answer.
    pub async fn close(mut self) {
        let frame = CloseFrame { code: 1000.into(), reason: "".into() };
        self.0.close(Some(frame)).await.expect("close");
        while let Some(Ok(frame)) =
            tokio::time::timeout(FRAME_WITHIN, self.0.next()).await.expect("close answer")
        {
            if matches!(frame, Message::Close(_)) {
                break;
            }
        }
    }
}
