//! HTTP and HTTPS in front of the world, with faults and a log.

use super::world::World;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// How it is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// In the clear.
    Http,
    /// With a certificate of an authority of its own; see [`MetalApi::authority`].
    Https,
}

/// What happens to a request instead of the usual.
#[derive(Debug, Clone)]
pub enum Kind {
    /// It is answered with this status, these headers and this text, and not carried out.
    Says(u16, Vec<(&'static str, String)>, String),
    /// It is not carried out and never answered.
    Hangs,
    /// It is carried out, and the connection breaks before the answer.
    LosesAnswer,
    /// It is carried out and never answered.
    HangsAfter,
    /// The connection breaks before it is carried out.
    Breaks,
}

/// What to do with matching requests.
#[derive(Debug, Clone)]
pub struct Fault {
    method: String,
    path: String,
    times: usize,
    kind: Kind,
}

/// One request.
#[derive(Debug, Clone)]
pub struct Entry {
    /// HTTP method.
    pub method: String,
    /// Without `/metal/v1`, with the query.
    pub path: String,
    /// Whether it was carried out.
    pub done: bool,
    /// Its body as JSON, null without one.
    pub body: Value,
    /// Whether the key came in its header and nowhere else.
    pub key_in_header: bool,
}

#[derive(Default)]
struct Shared {
    world: Mutex<World>,
    faults: Mutex<Vec<Fault>>,
    log: Mutex<Vec<Entry>>,
}

/// A running stand-in; it ends when it is dropped.
pub struct MetalApi {
    shared: Arc<Shared>,
    url: String,
    authority: Option<String>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for MetalApi {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl MetalApi {
    /// Starts it on a free port of loopback.
    pub async fn start(scheme: Scheme) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let (tls, authority) = match scheme {
            Scheme::Http => (None, None),
            Scheme::Https => {
                let (acceptor, pem) = tls();
                (Some(acceptor), Some(pem))
            }
        };
        let shared = Arc::new(Shared::default());
        let task = tokio::spawn(serve(listener, tls, shared.clone()));
        let word = if authority.is_some() { "https" } else { "http" };
        Self { shared, url: format!("{word}://127.0.0.1:{port}/metal/v1"), authority, task }
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The certificate to believe, PEM; empty over HTTP.
    pub fn authority(&self) -> &str {
        self.authority.as_deref().unwrap_or_default()
    }

    /// What it has.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.shared.world.lock().expect("the world")
    }

    /// The next `times` requests with that method (`*`: any) whose path begins so are met with a fault.
    pub fn fault(&self, method: &str, path: &str, times: usize, kind: Kind) {
        let fault = Fault { method: method.to_owned(), path: path.to_owned(), times, kind };
        self.shared.faults.lock().expect("faults").push(fault);
    }

    /// No more faults.
    pub fn well(&self) {
        self.shared.faults.lock().expect("faults").clear();
    }

    /// All requests so far.
    pub fn log(&self) -> Vec<Entry> {
        self.shared.log.lock().expect("log").clone()
    }

    /// Requests with that method whose path begins so.
    pub fn requests(&self, method: &str, path: &str) -> Vec<Entry> {
        self.log().into_iter().filter(|e| e.method == method && e.path.starts_with(path)).collect()
    }
}

/// A certificate for loopback that is its own authority.
fn tls() -> (TlsAcceptor, String) {
    let made = rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned(), "localhost".to_owned()]);
    let made = made.expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("its key");
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("TLS")
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("TLS");
    (TlsAcceptor::from(Arc::new(config)), made.cert.pem())
}

async fn serve(listener: TcpListener, tls: Option<TlsAcceptor>, shared: Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        let _ = stream.set_nodelay(true);
        let (tls, shared) = (tls.clone(), shared.clone());
        tokio::spawn(async move {
            match tls {
                None => connection(stream, shared).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        connection(stream, shared).await;
                    }
                }
            }
        });
    }
}

async fn connection(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, shared.clone()));
    // An error of the service ends the connection without an answer, which is what a lost answer looks like.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

#[derive(Debug)]
struct Broken;

impl std::fmt::Display for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("broken on purpose")
    }
}

impl std::error::Error for Broken {}

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Full<Bytes>>, Broken> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(|_| Broken)?.to_bytes();
    let method = head.method.to_string();
    let path = head.uri.path().strip_prefix("/metal/v1").unwrap_or("/elsewhere").to_owned();
    let whole = match head.uri.query() {
        Some(query) => format!("{path}?{query}"),
        None => path.clone(),
    };
    let key =
        head.headers.get("x-auth-token").and_then(|key| key.to_str().ok()).unwrap_or_default().to_owned();
    let query: BTreeMap<String, String> = head
        .uri
        .query()
        .unwrap_or_default()
        .split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let json = serde_json::from_slice(&body).unwrap_or(Value::Null);
    let kind = {
        let mut faults = shared.faults.lock().expect("faults");
        let hit = faults
            .iter_mut()
            .find(|f| f.times > 0 && (f.method == "*" || f.method == method) && whole.starts_with(&f.path));
        hit.map(|fault| {
            fault.times -= 1;
            fault.kind.clone()
        })
    };
    let done = matches!(kind, None | Some(Kind::LosesAnswer | Kind::HangsAfter));
    let reply =
        done.then(|| shared.world.lock().expect("the world").answer(&key, &method, &path, &query, &json));
    let others = format!("{whole}{}", String::from_utf8_lossy(&body));
    shared.log.lock().expect("log").push(Entry {
        method,
        path: whole,
        done,
        body: json,
        key_in_header: !key.is_empty()
            && !others.contains(&key)
            && !head.headers.contains_key("authorization"),
    });
    let response = Response::builder();
    match (kind, reply) {
        (None, Some((status, body))) => {
            let text = if body.is_null() { Vec::new() } else { body.to_string().into_bytes() };
            let response = response.status(status).header("content-type", "application/json");
            response.body(Full::from(text)).map_err(|_| Broken)
        }
        (Some(Kind::Says(status, headers, text)), _) => {
            let response =
                headers.into_iter().fold(response.status(status), |r, (name, value)| r.header(name, value));
            response.body(Full::from(text)).map_err(|_| Broken)
        }
        (Some(Kind::Hangs | Kind::HangsAfter), _) => {
            // Longer than any test waits; the client goes away first.
            tokio::time::sleep(Duration::from_secs(600)).await;
            Err(Broken)
        }
        _ => Err(Broken),
    }
}
