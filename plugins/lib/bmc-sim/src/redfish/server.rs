//! The wire: HTTP/1.1, with or without TLS, around [`Engine::web`](crate::engine::Engine::web).

use super::http::{Delivery, Outcome, Request};
use super::tls::Identity;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HOST, HeaderMap, IF_MATCH, IF_NONE_MATCH};
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;

/// Longest request body.
const MAX_BODY: usize = 1 << 20;
/// Connections of one BMC at a time; more are cut at once.
const CONNECTIONS: usize = 64;
/// TLS handshake, request head and request body have so long each.
const PATIENCE: Duration = Duration::from_secs(30);

/// What answers requests.
pub(crate) trait Shared: Send + Sync + 'static {
    /// Answers one.
    fn web(&self, request: &Request) -> Outcome;
}

/// The connection is to be cut.
#[derive(Debug, thiserror::Error)]
#[error("cut on purpose")]
struct Cut;

/// A body that may end too early.
struct Payload {
    data: Option<Bytes>,
    announced: u64,
    cut: bool,
}

impl http_body::Body for Payload {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if let Some(data) = self.data.take() {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        Poll::Ready(if std::mem::take(&mut self.cut) { Some(Err(Cut)) } else { None })
    }

    fn is_end_stream(&self) -> bool {
        self.data.is_none() && !self.cut
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.announced)
    }
}

/// Accepts connections until it is dropped.
pub(crate) async fn serve<S: Shared>(listener: TcpListener, identity: Option<Identity>, shared: Arc<S>) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (stream, peer) = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    // Mostly too many open files; it passes.
                    tracing::warn!(%error, "accept");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
            },
            Some(_) = connections.join_next() => continue,
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else { continue };
        let (identity, shared) = (identity.clone(), Arc::clone(&shared));
        connections.spawn(async move {
            let _slot = slot;
            connection(stream, peer, identity, shared).await;
        });
    }
}

async fn connection<S: Shared>(
    stream: TcpStream,
    peer: SocketAddr,
    identity: Option<Identity>,
    shared: Arc<S>,
) {
    let _ = stream.set_nodelay(true);
    match identity {
        None => converse(stream, peer, false, shared).await,
        Some(identity) => match tokio::time::timeout(PATIENCE, identity.acceptor.accept(stream)).await {
            Ok(Ok(stream)) => converse(stream, peer, true, shared).await,
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS"),
            Err(_) => tracing::debug!(%peer, "no TLS handshake"),
        },
    }
}

async fn converse<S: Shared>(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: SocketAddr,
    secure: bool,
    shared: Arc<S>,
) {
    let service = service_fn(move |request| {
        let shared = Arc::clone(&shared);
        async move { answer(request, peer, secure, &*shared).await }
    });
    let served = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "connection ended");
    }
}

async fn answer<S: Shared>(
    request: hyper::Request<Incoming>,
    peer: SocketAddr,
    secure: bool,
    shared: &S,
) -> Result<hyper::Response<Payload>, Cut> {
    let (head, body) = request.into_parts();
    let text = |headers: &HeaderMap, name: &str| {
        headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
    };
    let body = tokio::time::timeout(PATIENCE, Limited::new(body, MAX_BODY).collect()).await;
    let Ok(Ok(body)) = body else {
        return response(413, &[], Vec::new(), None);
    };
    let body = body.to_bytes();
    let json = serde_json::from_slice(&body).ok();
    let request = Request {
        method: head.method.as_str().to_owned(),
        path: head.uri.path().to_owned(),
        host: text(&head.headers, HOST.as_str()).unwrap_or_default(),
        secure,
        peer: peer.to_string(),
        token: text(&head.headers, "x-auth-token"),
        authorization: text(&head.headers, AUTHORIZATION.as_str()),
        if_match: text(&head.headers, IF_MATCH.as_str()),
        if_none_match: text(&head.headers, IF_NONE_MATCH.as_str()),
        malformed: json.is_none() && !body.is_empty(),
        json,
    };
    let Outcome { after, delivery } = shared.web(&request);
    if !after.is_zero() {
        tokio::time::sleep(after).await;
    }
    match delivery {
        Delivery::Answer { status, headers, body, announced } => response(status, &headers, body, announced),
        Delivery::Cut => Err(Cut),
        Delivery::Silence => std::future::pending().await,
    }
}

fn response(
    status: u16,
    headers: &[(&'static str, String)],
    body: Vec<u8>,
    announced: Option<usize>,
) -> Result<hyper::Response<Payload>, Cut> {
    let mut response = hyper::Response::builder()
        .status(status)
        .header("odata-version", "4.0")
        .header("cache-control", "no-cache");
    if !body.is_empty() {
        response = response.header("content-type", "application/json;charset=utf-8");
    }
    for (name, value) in headers {
        response = response.header(*name, value);
    }
    let length = announced.unwrap_or(body.len());
    let payload = Payload {
        announced: u64::try_from(length).unwrap_or(u64::MAX),
        cut: announced.is_some(),
        data: (!body.is_empty()).then(|| Bytes::from(body)),
    };
    response.body(payload).map_err(|_| Cut)
}
