//! As much of the daemon's API as plugins in tests need: params of machines and the event stream, over HTTPS.

use crate::TestkitError;
use axum::{
    Router,
    body::{Body, Bytes},
    extract::{
        Path, State,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, Method, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{any, get},
};
use axum_server::{Handle, tls_rustls::RustlsConfig};
use drp_protocol::{Error, Event};
use serde_json::Value;
use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::broadcast;

/// The token that plugins get.
pub(crate) const TOKEN: &str = "test-token";

/// An HTTPS API with a certificate of its own.
///
/// It serves `machines/<id>/params[/<name>]`, `info` and the WebSocket. Registrations are acknowledged and
/// recorded; everything emitted goes to every connection, whatever it registered.
#[derive(Clone)]
pub struct FakeApi {
    inner: Arc<Inner>,
}

struct Inner {
    endpoint: String,
    certificate: String,
    handle: Handle<SocketAddr>,
    state: Mutex<ApiState>,
    frames: broadcast::Sender<Frame>,
}

#[derive(Default)]
struct ApiState {
    params: BTreeMap<String, BTreeMap<String, Value>>,
    registered: Vec<String>,
    requests: Vec<String>,
    failure: Option<Error>,
    features: Option<Vec<String>>,
}

#[derive(Clone)]
enum Frame {
    Text(String),
    Hang,
}

impl FakeApi {
    pub(crate) async fn start() -> Result<Self, TestkitError> {
        let failed = |e: &dyn std::fmt::Display| TestkitError::Api(e.to_string());
        // Another test of the same process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(vec!["localhost".into(), "127.0.0.1".into()])
            .map_err(|e| failed(&e))?;
        let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
        let tls =
            RustlsConfig::from_pem(certificate.clone().into(), key.into()).await.map_err(|e| failed(&e))?;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|e| failed(&e))?;
        listener.set_nonblocking(true).map_err(|e| failed(&e))?;
        let endpoint = format!("https://{}", listener.local_addr().map_err(|e| failed(&e))?);
        let handle = Handle::new();
        let inner = Arc::new(Inner {
            endpoint,
            certificate,
            handle: handle.clone(),
            state: Mutex::default(),
            frames: broadcast::Sender::new(1024),
        });
        let api = Self { inner };
        let server = axum_server::from_tcp_rustls(listener, tls).map_err(|e| failed(&e))?;
        tokio::spawn(server.handle(handle).serve(api.service().into_make_service()));
        Ok(api)
    }

    fn service(&self) -> Router {
        Router::new()
            .route("/api/v3/ws", get(websocket))
            .route("/api/v3/info", get(info))
            .route("/api/v3/machines/{id}/params/{*name}", any(param))
            .fallback(async |method: Method, uri: axum::http::Uri| {
                error(&Error::new(404, method.as_str(), "No route").on("", uri.to_string()))
            })
            .with_state(self.clone())
    }

    fn state(&self) -> MutexGuard<'_, ApiState> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `https://127.0.0.1:<port>`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.inner.endpoint
    }

    /// The certificate, PEM.
    #[must_use]
    pub fn certificate(&self) -> &str {
        &self.inner.certificate
    }

    /// The value of a machine's param.
    #[must_use]
    pub fn param(&self, machine: &str, name: &str) -> Option<Value> {
        self.state().params.get(machine)?.get(name).cloned()
    }

    /// Sets a machine's param.
    pub fn set_param(&self, machine: &str, name: &str, value: impl Into<Value>) {
        self.state().params.entry(machine.to_owned()).or_default().insert(name.to_owned(), value.into());
    }

    /// Answers every request about params with this error from now on.
    pub fn fail_with(&self, failure: Option<Error>) {
        self.state().failure = failure;
    }

    /// Features that `info` shows from now on; at first `secure-param-upgrade`.
    pub fn set_features(&self, features: &[&str]) {
        self.state().features = Some(features.iter().map(ToString::to_string).collect());
    }

    /// Requests about params so far, as `METHOD path`.
    #[must_use]
    pub fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }

    /// Patterns registered so far, over all connections, in order.
    #[must_use]
    pub fn registered(&self) -> Vec<String> {
        self.state().registered.clone()
    }

    /// Sends an event to every WebSocket.
    pub fn emit(&self, event: &Event) {
        // An error means that nobody is connected.
        let _ = self.inner.frames.send(Frame::Text(serde_json::to_string(event).unwrap_or_default()));
    }

    /// Breaks every WebSocket without a close frame.
    pub fn hang_up(&self) {
        let _ = self.inner.frames.send(Frame::Hang);
    }

    pub(crate) fn shut_down(&self) {
        self.inner.handle.shutdown();
    }
}

async fn info(State(api): State<FakeApi>) -> Response {
    let features = api.state().features.clone().unwrap_or_else(|| vec!["secure-param-upgrade".to_owned()]);
    json(200, serde_json::json!({ "features": features }).to_string())
}

fn json(status: u16, body: impl Into<Body>) -> Response {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

fn error(error: &Error) -> Response {
    json(error.code, serde_json::to_vec(error).unwrap_or_default())
}

fn authorised(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).is_some_and(|v| v.as_bytes() == format!("Bearer {TOKEN}").as_bytes())
}

async fn param(
    State(api): State<FakeApi>,
    Path((id, name)): Path<(String, String)>,
    method: Method,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if !authorised(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut state = api.state();
    state.requests.push(format!("{method} machines/{id}/params/{name}"));
    if let Some(failure) = &state.failure {
        return error(failure);
    }
    let params = state.params.entry(id).or_default();
    match method {
        Method::GET => json(200, params.get(&name).unwrap_or(&Value::Null).to_string()),
        Method::POST => match serde_json::from_slice::<Value>(&body) {
            Ok(value) => {
                params.insert(name, value.clone());
                json(200, value.to_string())
            }
            Err(e) => error(&Error::new(400, "POST", e.to_string())),
        },
        Method::DELETE => match params.remove(&name) {
            Some(old) => json(200, old.to_string()),
            None => error(&Error::new(404, "DELETE", "Not Found").on("params", name)),
        },
        other => error(&Error::new(405, other.as_str(), "Method not allowed")),
    }
}

async fn websocket(State(api): State<FakeApi>, headers: HeaderMap, upgrade: WebSocketUpgrade) -> Response {
    if !authorised(&headers) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    upgrade.on_upgrade(move |socket| serve_socket(api, socket))
}

async fn serve_socket(api: FakeApi, mut socket: WebSocket) {
    let mut frames = api.inner.frames.subscribe();
    loop {
        let text = tokio::select! {
            frame = frames.recv() => match frame {
                Ok(Frame::Text(text)) => text,
                Ok(Frame::Hang) | Err(_) => return,
            },
            message = socket.recv() => match message {
                Some(Ok(Message::Text(text))) => match text.split_once(' ') {
                    Some((verb @ ("register" | "deregister"), pattern)) => {
                        if verb == "register" {
                            api.state().registered.push(pattern.to_owned());
                        }
                        let ack = Event::now("websocket", verb, pattern, Value::Null);
                        serde_json::to_string(&ack).unwrap_or_default()
                    }
                    _ => continue,
                },
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if socket.send(Message::text(text)).await.is_err() {
            return;
        }
    }
}
