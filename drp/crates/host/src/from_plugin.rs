//! The from-plugin socket: what a plugin asks of the daemon (wire-protocol §1.8).

use crate::lines::{Gate, Pass};
use crate::{Backend, HostError, Limits};
use axum::Router;
use axum::body::Body;
use axum::extract::{Path as UrlPath, State};
use axum::http::{Method, Response, StatusCode, Uri, header};
use axum::routing::{get, post};
use axum::serve::Listener;
use bytes::{Bytes, BytesMut};
use drp_protocol::{Error, Event, Level, Line, Time, wire};
use http_body_util::BodyExt;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Where the log lines of one instance go, whoever writes them.
#[derive(Clone)]
pub(crate) struct Reporter {
    pub(crate) plugin: Arc<str>,
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) gate: Arc<Gate>,
}

impl Reporter {
    /// A line that the plugin posted or printed. Too many are counted and left out.
    pub(crate) fn posted(&self, mut line: Line) {
        let Pass::Yes(left_out) = self.gate.pass() else { return };
        if left_out > 0 {
            self.host(Level::Warn, format!("{left_out} log lines were left out: the plugin writes too many"));
        }
        // Fatal and panic are about the plugin's process, never about this one.
        if matches!(line.level, Level::Fatal | Level::Panic) {
            line.level = Level::Error;
        }
        self.backend.log(line);
    }

    /// A line that the plugin printed.
    pub(crate) fn printed(&self, stream: &'static str, level: Level, text: String) {
        self.posted(Line { file: stream.to_owned(), ..self.line(level, text) });
    }

    /// A line of the host about the plugin.
    pub(crate) fn host(&self, level: Level, text: impl Into<String>) {
        self.backend.log(Line { file: "host".to_owned(), ..self.line(level, text.into()) });
    }

    fn line(&self, level: Level, message: String) -> Line {
        Line {
            time: Time::now().to_string(),
            service: self.plugin.to_string(),
            principal: format!("plugin:{}", self.plugin),
            level,
            message,
            // A log event about an event would never end.
            ignore_publish: true,
            ..Line::default()
        }
    }
}

#[derive(Clone)]
struct Service {
    reporter: Reporter,
    leaving: mpsc::Sender<Error>,
    limits: Arc<Limits>,
}

/// The serving side of one from-plugin socket.
pub(crate) struct FromPlugin {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl FromPlugin {
    /// Binds the socket, mode 0600, and serves it at once.
    pub(crate) fn serve(
        path: &Path,
        reporter: Reporter,
        leaving: mpsc::Sender<Error>,
        limits: &Arc<Limits>,
    ) -> Result<Self, HostError> {
        let _ = std::fs::remove_file(path);
        let listener = UnixListener::bind(path).map_err(|e| HostError::io("cannot listen on", path, e))?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))
            .map_err(|e| HostError::io("cannot make private", path, e))?;
        let places = Arc::new(Semaphore::new(limits.from_plugin_connections));
        let router = router(Service { reporter, leaving, limits: Arc::clone(limits) });
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let task = tokio::spawn(async move {
            let listener = Bounded { listener, places };
            let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
        });
        Ok(Self { stop, task })
    }

    /// Stops serving. Called only after the child was reaped: a plugin whose log line fails may spin.
    pub(crate) async fn close(mut self) {
        self.stop.cancel();
        if tokio::time::timeout(Duration::from_millis(500), &mut self.task).await.is_err() {
            self.task.abort();
        }
    }
}

impl Drop for FromPlugin {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

fn router(service: Service) -> Router {
    let mut router = Router::new();
    // The wrapper's code and its documentation disagree about the prefix.
    for prefix in [wire::SERVER_PREFIX, wire::SERVER_PREFIX_DOCUMENTED] {
        router = router
            .route(&format!("{prefix}/publish"), post(publish))
            .route(&format!("{prefix}/log"), post(log))
            .route(&format!("{prefix}/leaving"), post(leaving))
            .route(&format!("{prefix}/objects/{{*prefix}}"), get(objects))
            .route(&format!("{prefix}/certificate"), get(certificate));
    }
    router.fallback(unknown).method_not_allowed_fallback(unknown).with_state(service)
}

async fn publish(State(service): State<Service>, uri: Uri, body: Body) -> Response<Body> {
    let body = match whole(body, service.limits.from_plugin_body).await {
        Ok(body) => body,
        Err((code, why)) => return fail(code, "POST", uri.path(), why),
    };
    let mut event = match serde_json::from_slice::<Event>(&body) {
        Ok(event) => event,
        Err(e) => return fail(400, "POST", uri.path(), e.to_string()),
    };
    event.principal = format!("plugin:{}", service.reporter.plugin);
    if event.time.is_empty() {
        event.time = Time::now().to_string();
    }
    match service.reporter.backend.publish(&service.reporter.plugin, event).await {
        Ok(()) => json(200, &Error::success()),
        Err(e) => json(if e.code >= 400 { e.code } else { 409 }, &e),
    }
}

/// Takes a log line. Whatever is in it, the answer is 204: a wrapper-built plugin whose log line fails
/// logs that failure the same way, without end (wire-protocol §1.8).
async fn log(State(service): State<Service>, body: Body) -> Response<Body> {
    const MOST: usize = 1 << 20;
    let reporter = &service.reporter;
    match whole(body, MOST).await {
        Ok(body) => match serde_json::from_slice::<Line>(&body) {
            Ok(mut line) => {
                if line.message.len() > service.limits.line.max(64 << 10) {
                    let end = line.message.floor_char_boundary(service.limits.line.max(64 << 10));
                    line.message.truncate(end);
                    line.message.push_str(crate::lines::CUT);
                }
                reporter.posted(line);
            }
            Err(_) => {
                let text = String::from_utf8_lossy(&body[..body.len().min(service.limits.line)]).into_owned();
                reporter.printed("log", Level::Info, text);
            }
        },
        Err((_, why)) => reporter.printed("log", Level::Warn, format!("a log line was left out: {why}")),
    }
    no_content()
}

async fn leaving(State(service): State<Service>, body: Body) -> Response<Body> {
    let body = whole(body, service.limits.from_plugin_body).await.unwrap_or_default();
    let error = serde_json::from_slice::<Error>(&body).unwrap_or_default();
    let _ = service.leaving.try_send(error);
    no_content()
}

async fn objects(
    State(service): State<Service>,
    uri: Uri,
    UrlPath(prefix): UrlPath<String>,
) -> Response<Body> {
    match service.reporter.backend.objects(&prefix).await {
        Ok(list) => answer(200, Body::from(list)),
        Err(mut e) => {
            if e.key.is_empty() {
                uri.path().clone_into(&mut e.key);
            }
            json(if e.code >= 400 { e.code } else { 500 }, &e)
        }
    }
}

async fn certificate(State(service): State<Service>, uri: Uri) -> Response<Body> {
    let Some(pem) = service.reporter.backend.certificate() else {
        return fail(404, "GET", uri.path(), "the API has no certificate of its own");
    };
    let mut response = answer(200, Body::from(pem));
    let kind = header::HeaderValue::from_static("application/x-pem-file");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

async fn unknown(method: Method, uri: Uri) -> Response<Body> {
    // Null and not an empty list, as at the other socket (wire-protocol §1.6).
    let error = serde_json::json!({
        "Model": "", "Key": uri.path(), "Type": method.as_str(), "Messages": null, "Code": 404,
    });
    json(404, &error)
}

/// Reads a body within a bound; a longer one is read to its end and refused, so that the plugin gets an
/// answer and not a broken connection.
async fn whole(mut body: Body, most: usize) -> Result<Bytes, (u16, String)> {
    let read = async {
        let mut all = BytesMut::new();
        let mut size = 0_usize;
        while let Some(frame) = body.frame().await {
            let frame = frame.map_err(|e| (400, format!("the body broke off: {e}")))?;
            if let Ok(data) = frame.into_data() {
                size = size.saturating_add(data.len());
                if size <= most {
                    all.extend_from_slice(&data);
                }
            }
        }
        if size > most {
            Err((413, format!("the body is larger than {most} bytes")))
        } else {
            Ok(all.freeze())
        }
    };
    match tokio::time::timeout(Duration::from_secs(30), read).await {
        Ok(result) => result,
        Err(_) => Err((408, "the body did not arrive within 30 s".to_owned())),
    }
}

fn fail(code: u16, method: &str, path: &str, why: impl Into<String>) -> Response<Body> {
    json(code, &Error::new(code, method, why).on("", path))
}

fn json(code: u16, value: &impl serde::Serialize) -> Response<Body> {
    answer(code, Body::from(serde_json::to_vec(value).unwrap_or_default()))
}

fn no_content() -> Response<Body> {
    answer(204, Body::empty())
}

pub(crate) fn answer(code: u16, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let kind = header::HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// A listener that holds so many connections at once; further ones wait in the backlog.
struct Bounded {
    listener: UnixListener,
    places: Arc<Semaphore>,
}

struct Placed {
    stream: UnixStream,
    _place: Option<OwnedSemaphorePermit>,
}

impl Listener for Bounded {
    type Io = Placed;
    type Addr = tokio::net::unix::SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        let place = Arc::clone(&self.places).acquire_owned().await.ok();
        loop {
            match self.listener.accept().await {
                Ok((stream, addr)) => return (Placed { stream, _place: place }, addr),
                // Out of descriptors, most likely: let some be closed first.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    fn local_addr(&self) -> io::Result<Self::Addr> {
        self.listener.local_addr()
    }
}

impl AsyncRead for Placed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Placed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
