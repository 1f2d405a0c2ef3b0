//! A stand-in for the daemon: a few routes of the API with the behaviour the client depends on.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use drp_client::{Client, Trust};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::broadcast;

/// What the routes share with the test.
#[derive(Clone)]
pub struct Shared {
    /// One line per request: method, path with query, and the scheme of the credentials.
    pub seen: Arc<Mutex<Vec<String>>>,
    /// Texts sent to every socket; the text `drop` breaks the connections.
    pub push: broadcast::Sender<String>,
    /// Frames that came over sockets.
    pub frames: Arc<Mutex<Vec<String>>>,
}

pub struct Daemon {
    pub shared: Shared,
    pub address: SocketAddr,
    pub certificate: String,
    handle: axum_server::Handle<SocketAddr>,
}

impl Shared {
    pub fn new() -> Self {
        Self { seen: Arc::default(), push: broadcast::channel(20_000).0, frames: Arc::default() }
    }

    pub fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }

    pub fn frames(&self) -> Vec<String> {
        self.frames.lock().unwrap().clone()
    }

    pub fn router(&self) -> Router {
        Router::new()
            .route("/api/v3/machines", get(list).post(create).head(list))
            .route("/api/v3/machines/{id}", any(machine))
            .route("/api/v3/machines/{id}/params/{*key}", any(echo))
            .route("/api/v3/machines/{id}/actions/{command}", post(echo))
            .route("/api/v3/users/{user}/token", get(token))
            .route("/api/v3/plugin_providers/{name}", post(upload))
            .route("/api/v3/plugin_providers/{name}/binary", get(|| async { vec![7_u8; 300_000] }))
            .route("/api/v3/big", get(|| async { "[".repeat(4096) }))
            .route("/api/v3/slow", get(|| async { tokio::time::sleep(Duration::from_secs(60)).await }))
            .route("/api/v3/ws", get(socket))
            .fallback(|| async { (StatusCode::NOT_FOUND, "") })
            .layer(axum::middleware::from_fn_with_state(self.clone(), note))
            .with_state(self.clone())
    }
}

impl Daemon {
    /// Serves HTTPS on a free port of the loopback.
    pub async fn start() -> Self {
        let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        let certificate = key.cert.pem();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![key.cert.der().clone()],
                key.signing_key.serialize_der().try_into().unwrap(),
            )
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (shared, handle) = (Shared::new(), axum_server::Handle::new());
        let server = axum_server::from_tcp_rustls(
            listener,
            axum_server::tls_rustls::RustlsConfig::from_config(Arc::new(config)),
        )
        .unwrap()
        .handle(handle.clone());
        tokio::spawn(server.serve(shared.router().into_make_service()));
        Self { shared, address, certificate, handle }
    }

    pub fn builder(&self) -> drp_client::Builder {
        Client::builder()
            .endpoint(format!("https://{}", self.address))
            .trust(Trust::Pinned(self.certificate.clone()))
            .retry_waits([])
    }

    pub fn client(&self) -> Client {
        self.builder().token("t".to_owned()).build().unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.handle.shutdown();
    }
}

async fn note(
    State(shared): State<Shared>,
    request: axum::extract::Request,
    next: axum::middleware::Next,
) -> Response {
    let scheme = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|v| v.split(' ').next())
        .unwrap_or("-")
        .to_owned();
    shared.seen.lock().unwrap().push(format!("{} {} {scheme}", request.method(), request.uri()));
    next.run(request).await
}

fn error(code: u16, kind: &str, key: &str, text: &str) -> Response {
    let body = json!({"Model": "machines", "Key": key, "Type": kind, "Messages": [text], "Code": code});
    (StatusCode::from_u16(code).unwrap(), axum::Json(body)).into_response()
}

async fn list(Query(query): Query<HashMap<String, String>>) -> Response {
    if query.contains_key("Nope") {
        return error(406, "GET", "", "Filter not found: Nope");
    }
    let counts =
        [("X-DRP-LIST-TOTAL-COUNT", "5"), ("X-DRP-LIST-FILTER-COUNT", "2"), ("X-DRP-LIST-COUNT", "1")];
    (counts, axum::Json(json!([{"Uuid": "u1", "Name": "m1", "Extra": true}]))).into_response()
}

async fn create(body: Bytes) -> Response {
    let value: Value = serde_json::from_slice(&body).unwrap();
    if value["Name"] == "taken" {
        return error(409, "CREATE", "taken", "already exists");
    }
    (StatusCode::CREATED, axum::Json(value)).into_response()
}

async fn machine(Path(id): Path<String>, method: Method, body: Bytes) -> Response {
    match (id.as_str(), method) {
        ("none", Method::HEAD) => StatusCode::NOT_FOUND.into_response(),
        ("none", _) => error(404, "GET", "none", "Not Found"),
        ("private", _) => StatusCode::FORBIDDEN.into_response(),
        ("empty", Method::DELETE) => StatusCode::NO_CONTENT.into_response(),
        (_, Method::PATCH | Method::PUT) => {
            axum::Json(serde_json::from_slice::<Value>(&body).unwrap()).into_response()
        }
        (id, _) => axum::Json(json!({"Uuid": id, "Name": "m1"})).into_response(),
    }
}

async fn echo(method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    axum::Json(json!({"Method": method.as_str(), "Uri": uri.to_string(), "Type": kind, "Body": body}))
        .into_response()
}

async fn token(headers: HeaderMap) -> Response {
    match headers.get(header::AUTHORIZATION).map(|v| v.to_str().unwrap().to_owned()) {
        // user:right
        Some(value) if value == "Basic dXNlcjpyaWdodA==" => {
            axum::Json(json!({"Token": "good"})).into_response()
        }
        _ => StatusCode::FORBIDDEN.into_response(),
    }
}

async fn upload(Path(name): Path<String>, body: Body) -> Response {
    let bytes = axum::body::to_bytes(body, usize::MAX).await.unwrap();
    (StatusCode::CREATED, axum::Json(json!({"path": name, "size": bytes.len()}))).into_response()
}

async fn socket(State(shared): State<Shared>, upgrade: WebSocketUpgrade) -> Response {
    upgrade.on_upgrade(move |socket| talk(shared, socket))
}

async fn talk(shared: Shared, mut socket: WebSocket) {
    let mut push = shared.push.subscribe();
    loop {
        tokio::select! {
            frame = socket.recv() => match frame {
                Some(Ok(Message::Text(text))) => {
                    shared.frames.lock().unwrap().push(text.to_string());
                    let (verb, pattern) = text.split_once(' ').unwrap();
                    let ack = json!({"Type": "websocket", "Action": verb, "Key": pattern});
                    if pattern != "never.acknowledged.x" {
                        socket.send(Message::text(ack.to_string())).await.unwrap();
                    }
                }
                Some(Ok(Message::Close(frame))) => {
                    let code = frame.map_or(0, |f| f.code);
                    shared.frames.lock().unwrap().push(format!("close {code}"));
                    return;
                }
                Some(Ok(_)) => {}
                _ => return,
            },
            text = push.recv() => match text {
                Ok(text) if text == "drop" => return,
                Ok(text) => if socket.send(Message::text(text)).await.is_err() { return },
                Err(_) => return,
            }
        }
    }
}
