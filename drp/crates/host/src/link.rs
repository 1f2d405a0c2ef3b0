//! Calls into one plugin process over its to-plugin socket (wire-protocol §1.6, §1.7).

use crate::{HostError, Limits};
use axum::body::Body;
use bytes::Bytes;
use drp_protocol::{Error, wire};
use http::header::{CONTENT_TYPE, HOST, HeaderValue};
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::{self, Client};
use hyper_util::rt::TokioExecutor;
use hyperlocal::UnixConnector;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// A broken connection and the end of the process are seen by different tasks. So long a call that broke
/// waits for the news that explains it.
const NEWS: Duration = Duration::from_millis(50);

/// Connections to one plugin process: pooled, kept alive, bounded.
pub(crate) struct Link {
    pub(crate) plugin: Arc<str>,
    client: Client<UnixConnector, Body>,
    socket: PathBuf,
    action: Uri,
    places: Arc<Semaphore>,
    waiting: AtomicUsize,
    closing: AtomicBool,
    /// Cancelled when the process has ended; [`Link::how`] says how by then.
    pub(crate) gone: CancellationToken,
    pub(crate) how: Arc<OnceLock<String>>,
    limits: Arc<Limits>,
}

impl Link {
    pub(crate) fn new(plugin: Arc<str>, socket: &Path, limits: &Arc<Limits>) -> Self {
        let client = Client::builder(TokioExecutor::new())
            .set_host(false)
            .pool_idle_timeout(None)
            .pool_max_idle_per_host(64)
            .build(UnixConnector);
        Self {
            plugin,
            client,
            socket: socket.to_owned(),
            action: hyperlocal::Uri::new(socket, wire::ACTION).into(),
            places: Arc::new(Semaphore::new(limits.in_flight)),
            waiting: AtomicUsize::new(0),
            closing: AtomicBool::new(false),
            gone: CancellationToken::new(),
            how: Arc::new(OnceLock::new()),
            limits: Arc::clone(limits),
        }
    }

    /// Runs an action and gives the raw JSON of the answer. The tracing headers of `caller` are passed on.
    pub(crate) async fn action(
        &self,
        body: Bytes,
        deadline: Duration,
        caller: &HeaderMap,
    ) -> Result<Bytes, HostError> {
        const WHAT: &str = "action";
        let late =
            |sent| HostError::Timeout { plugin: self.plugin.to_string(), what: WHAT, after: deadline, sent };
        let end = tokio::time::Instant::now() + deadline;
        let _place = match Arc::clone(&self.places).try_acquire_owned() {
            Ok(place) if !self.closing.load(Ordering::Acquire) && !self.gone.is_cancelled() => place,
            Ok(_) => return Err(self.closing_error()),
            Err(_) => tokio::time::timeout_at(end, self.place()).await.map_err(|_| late(false))??,
        };
        let call = self.post(WHAT, self.action.clone(), body, caller);
        let (status, body) = tokio::time::timeout_at(end, call).await.map_err(|_| late(true))??;
        if status.is_success() { self.json(WHAT, body) } else { Err(self.own_error(WHAT, status, &body)) }
    }

    /// Sends something whose answer has no result: config, publish.
    pub(crate) async fn tell(
        &self,
        what: &'static str,
        body: Bytes,
        deadline: Duration,
    ) -> Result<(), HostError> {
        let path = if what == "config" { wire::CONFIG } else { wire::PUBLISH };
        let nobody = HeaderMap::new();
        let call = self.post(what, hyperlocal::Uri::new(&self.socket, path).into(), body, &nobody);
        let late =
            |_| HostError::Timeout { plugin: self.plugin.to_string(), what, after: deadline, sent: true };
        let (status, body) = tokio::time::timeout(deadline, call).await.map_err(late)??;
        if status.is_success() { Ok(()) } else { Err(self.own_error(what, status, &body)) }
    }

    /// Asks the plugin to stop. A plugin that exits before its answer is out has obeyed
    /// (wire-protocol §1.10). `false` when it cannot have heard.
    pub(crate) async fn stop(&self, deadline: Duration) -> bool {
        let uri = hyperlocal::Uri::new(&self.socket, wire::STOP).into();
        let nobody = HeaderMap::new();
        let call = self.post("stop", uri, Bytes::from_static(b"null"), &nobody);
        match tokio::time::timeout(deadline, call).await {
            Ok(Err(HostError::Transport { sent, .. })) => sent,
            Ok(_) => true,
            Err(_) => false,
        }
    }

    /// Passes a request through and gives the answer's head with its body still to be read.
    pub(crate) async fn forward(
        &self,
        mut request: Request<Body>,
        head: Duration,
    ) -> Result<(Response<Incoming>, OwnedSemaphorePermit), HostError> {
        const WHAT: &str = "plugin-apis";
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str()).to_owned();
        *request.uri_mut() = hyperlocal::Uri::new(&self.socket, &path).into();
        let call = async {
            let place = self.place().await?;
            Ok((self.send(WHAT, request).await?, place))
        };
        match tokio::time::timeout(head, call).await {
            Ok(result) => result,
            Err(_) => Err(HostError::Timeout {
                plugin: self.plugin.to_string(),
                what: WHAT,
                after: head,
                sent: true,
            }),
        }
    }

    /// Takes no further calls. Those that wait for a place get an error, those in flight go on.
    pub(crate) fn close(&self) {
        self.closing.store(true, Ordering::Release);
    }

    /// Waits until no call is in flight, at most so long.
    pub(crate) async fn drained(&self, most: Duration) -> bool {
        let Ok(all) = u32::try_from(self.limits.in_flight) else { return true };
        tokio::select! {
            done = tokio::time::timeout(most, self.places.acquire_many(all)) => done.is_ok(),
            () = self.gone.cancelled() => true,
        }
    }

    pub(crate) fn in_flight(&self) -> usize {
        self.limits.in_flight.saturating_sub(self.places.available_permits())
    }

    async fn place(&self) -> Result<OwnedSemaphorePermit, HostError> {
        struct Waiting<'a>(&'a AtomicUsize);
        impl Drop for Waiting<'_> {
            fn drop(&mut self) {
                self.0.fetch_sub(1, Ordering::Relaxed);
            }
        }
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(&self.waiting);
        if before >= self.limits.waiting {
            return Err(HostError::Overloaded {
                plugin: self.plugin.to_string(),
                limit: self.limits.in_flight,
            });
        }
        let place = tokio::select! {
            place = Arc::clone(&self.places).acquire_owned() => place,
            () = self.gone.cancelled() => return Err(self.closing_error()),
        };
        drop(waiting);
        match place {
            Ok(place) if !self.closing.load(Ordering::Acquire) => Ok(place),
            _ => Err(self.closing_error()),
        }
    }

    fn closing_error(&self) -> HostError {
        let state = if self.gone.is_cancelled() { "it has ended" } else { "it is stopping" };
        HostError::NotRunning { plugin: self.plugin.to_string(), state: state.to_owned() }
    }

    async fn post(
        &self,
        what: &'static str,
        uri: Uri,
        body: Bytes,
        caller: &HeaderMap,
    ) -> Result<(StatusCode, Bytes), HostError> {
        let mut request = Request::new(Body::from(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, HeaderValue::from_static("unix"));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        for name in [wire::LOG_REQUEST, wire::LOG_TOKEN, wire::REQUEST_ID] {
            if let Some(value) = caller.get(name) {
                headers.insert(name, value.clone());
            }
        }
        let response = self.send(what, request).await?;
        let status = response.status();
        let read = Limited::new(response.into_body(), self.limits.answer).collect();
        let read = tokio::select! {
            biased;
            read = read => read,
            () = self.gone.cancelled() => return Err(self.gone_error(what)),
        };
        match read {
            Ok(body) => Ok((status, body.to_bytes())),
            Err(e) if e.is::<LengthLimitError>() => Err(HostError::AnswerTooLarge {
                plugin: self.plugin.to_string(),
                what,
                limit: self.limits.answer,
            }),
            Err(e) => Err(self.explain(what, format!("the answer broke off: {}", chain(&*e)), true).await),
        }
    }

    async fn send(
        &self,
        what: &'static str,
        request: Request<Body>,
    ) -> Result<Response<Incoming>, HostError> {
        let sent = tokio::select! {
            biased;
            answer = self.client.request(request) => answer,
            () = self.gone.cancelled() => return Err(self.gone_error(what)),
        };
        match sent {
            Ok(response) => Ok(response),
            Err(e) => {
                let reached = !legacy::Error::is_connect(&e);
                Err(self.explain(what, chain(&e), reached).await)
            }
        }
    }

    /// A call broke. When the process has ended, that is the reason; what was not sent was not done all the same.
    async fn explain(&self, what: &'static str, why: String, sent: bool) -> HostError {
        if tokio::time::timeout(NEWS, self.gone.cancelled()).await.is_ok() {
            return if sent { self.gone_error(what) } else { self.closing_error() };
        }
        HostError::Transport { plugin: self.plugin.to_string(), what, why, sent }
    }

    fn gone_error(&self, what: &'static str) -> HostError {
        let how = self.how.get().cloned().unwrap_or_else(|| "ended".to_owned());
        HostError::Gone { plugin: self.plugin.to_string(), what, how }
    }

    fn json(&self, what: &'static str, body: Bytes) -> Result<Bytes, HostError> {
        if body.is_empty() {
            return Ok(Bytes::from_static(b"null"));
        }
        match serde_json::from_slice::<serde::de::IgnoredAny>(&body) {
            Ok(_) => Ok(body),
            Err(e) => Err(HostError::BrokenAnswer {
                plugin: self.plugin.to_string(),
                what,
                why: format!("it is not JSON: {e}; it starts with {:?}", start_of(&body)),
            }),
        }
    }

    /// The plugin's own error, out of the one or two shapes in which it comes.
    fn own_error(&self, what: &'static str, status: StatusCode, body: &Bytes) -> HostError {
        let code = status.as_u16();
        if code < 400 {
            return HostError::BrokenAnswer {
                plugin: self.plugin.to_string(),
                what,
                why: format!("status {code} with {:?}", start_of(body)),
            };
        }
        let error = if body.trim_ascii_start().starts_with(b"{") {
            serde_json::from_slice::<Error>(body).ok()
        } else {
            None
        };
        let mut error = error.map_or_else(
            || {
                Error::new(code, "INVOKE", format!("answered {code}: {}", start_of(body)))
                    .on("plugins", &*self.plugin)
            },
            unnest,
        );
        if !(400..600).contains(&error.code) {
            error.code = code;
        }
        HostError::Plugin { plugin: self.plugin.to_string(), error: Box::new(error) }
    }
}

/// `config` and `publish` answer with an outer error whose only message is the JSON text of the plugin's
/// own (wire-protocol §1.7). Gives the inner one.
pub(crate) fn unnest(outer: Error) -> Error {
    let [message] = outer.messages.as_slice() else { return outer };
    if !message.trim_start().starts_with('{') {
        return outer;
    }
    match serde_json::from_str::<Error>(message) {
        Ok(inner) if inner != Error::default() => {
            let code = if inner.code == 0 { outer.code } else { inner.code };
            unnest(Error { code, ..inner })
        }
        _ => outer,
    }
}

fn start_of(body: &[u8]) -> String {
    String::from_utf8_lossy(&body[..body.len().min(200)]).into_owned()
}

/// An error with what caused it, which for connections is where the news is.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text.push_str(": ");
            text.push_str(&cause_text);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::unnest;
    use drp_protocol::Error;

    #[test]
    fn a_nested_error_comes_out() {
        let inner = Error::new(409, "plugin", "no such lamp").on("plugin", "lamp");
        let outer = Error::new(409, "", serde_json::to_string(&inner).unwrap());
        assert_eq!(unnest(outer), inner);
        let plain = Error::new(400, "POST", "Invalid content type: ");
        assert_eq!(unnest(plain.clone()), plain);
        let odd = Error::new(500, "", "{\"colour\": 1}");
        assert_eq!(unnest(odd.clone()), odd);
    }
}
