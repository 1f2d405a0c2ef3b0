//! What the daemon can call on the to-plugin socket (wire-protocol §1.6, §1.7, §1.14).

use crate::{Context, Params, Plugin, definition::Hooks, scope::Scope};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderValue, Method, StatusCode, Uri, header, request::Parts},
    response::Response,
};
use drp_protocol::{Error, JsonMap, Level, wire};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

/// Longest body of config, action and publish, in bytes. Bodies of a plugin's own routes are the plugin's affair.
const BODY_LIMIT: usize = 64 << 20;

/// How long stop waits for a config that runs.
const TURN_LIMIT: Duration = Duration::from_secs(1);

/// The plugin as the daemon sees it.
pub(crate) struct Endpoint<P> {
    pub(crate) plugin: Arc<P>,
    pub(crate) context: Context,
    pub(crate) hooks: Hooks<P>,
    pub(crate) stop_deadline: Duration,
    /// Cancelled when the server shall finish what it has and end.
    pub(crate) quit: CancellationToken,
    routes: OnceLock<axum::Router>,
    /// The stop hook runs once, however often the daemon asks.
    stopped: tokio::sync::OnceCell<()>,
    /// One config at a time; it also holds the running event stream.
    turn: Mutex<Option<crate::listen::EventTask>>,
}

/// What answers a request.
type Outcome = Result<Response, Error>;

impl<P: Plugin> Endpoint<P> {
    pub(crate) fn new(plugin: Arc<P>, context: Context, hooks: Hooks<P>, stop_deadline: Duration) -> Self {
        Self {
            plugin,
            context,
            hooks,
            stop_deadline,
            quit: CancellationToken::new(),
            routes: OnceLock::new(),
            stopped: tokio::sync::OnceCell::new(),
            turn: Mutex::new(None),
        }
    }

    /// The service: one function that looks at method and path.
    pub(crate) fn app(self: &Arc<Self>) -> axum::Router {
        axum::Router::new().fallback(dispatch::<P>).with_state(self.clone())
    }

    /// Runs the stop hook, within its deadline, and ends the event stream.
    pub(crate) async fn stop(&self) {
        self.stopped
            .get_or_init(|| async {
                self.context.cancelled().cancel();
                let (plugin, context) = (self.plugin.clone(), self.context.scoped(Scope::current()));
                let hook = Scope::current().run(async move { plugin.stop(&context).await });
                match tokio::time::timeout(self.stop_deadline, hook).await {
                    Ok(Ok(())) => {}
                    Ok(Err(panicked)) => tracing::error!("the stop hook panicked: {}", panicked.what),
                    Err(_) => tracing::error!("the stop hook took longer than {:?}", self.stop_deadline),
                }
                // A config hook that hangs holds its turn; the stream then ends with the process.
                let turn = tokio::time::timeout(TURN_LIMIT, self.turn.lock()).await;
                if let Some(events) = turn.ok().and_then(|mut running| running.take()) {
                    events.end().await;
                }
            })
            .await;
    }

    async fn config(self: &Arc<Self>, params: JsonMap) -> Result<(), Error> {
        let mut running = self.turn.lock().await;
        if let Some(name) = params.get("Name").and_then(|n| n.as_str()) {
            self.context.rename(name);
        }
        let (plugin, context) = (self.plugin.clone(), self.context.scoped(Scope::current()));
        plugin.config(&context, Params::from(params)).await.map_err(|e| nested(&e))?;
        if let Some(old) = running.take() {
            old.end().await;
        }
        // By a function pointer, so that a plugin without a selector does not carry a WebSocket client.
        // Who tries out one action without a daemon gets no events.
        #[cfg(feature = "client")]
        if let Some(select) = self.hooks.select
            && !self.context.without_daemon()
        {
            *running = Some(select(self.clone()).await?);
        }
        Ok(())
    }

    async fn own_route(&self, prefix: usize, request: Request) -> Response {
        let routes = self.routes.get_or_init(|| self.plugin.routes(&self.context)).clone();
        let (mut parts, body) = request.into_parts();
        let (method, url) = (parts.method.clone(), parts.uri.to_string());
        let rest = parts.uri.path_and_query().map_or("", |p| p.as_str()).get(prefix..).unwrap_or_default();
        let rest = if rest.starts_with('/') { rest.to_owned() } else { format!("/{rest}") };
        parts.uri = Uri::try_from(rest).unwrap_or_default();
        let answer =
            Scope::current().run(async move { routes.oneshot(Request::from_parts(parts, body)).await });
        match answer.await {
            Ok(Ok(response)) if response.status() == StatusCode::NOT_FOUND && is_mute(&response) => {
                not_found(&method, &url)
            }
            Ok(Ok(response)) => response,
            Ok(Err(never)) => match never {},
            Err(panicked) => failure(&panicked.error(method.as_str(), &url)),
        }
    }
}

async fn dispatch<P: Plugin>(State(endpoint): State<Arc<Endpoint<P>>>, request: Request) -> Response {
    let mut scope = Scope::fresh();
    if let Some(level) = header_text(request.headers(), wire::LOG_REQUEST) {
        scope.level = Level::parse(level);
    }
    scope.ignore_publish = request.uri().path() == wire::PUBLISH;
    let given = header_text(request.headers(), wire::REQUEST_ID).filter(|id| wire::is_request_id(id));
    scope.request = given.map(Into::into);
    let own = HeaderValue::from(scope.id);
    let id = given.and_then(|id| HeaderValue::from_str(id).ok()).unwrap_or(own);
    let mut response = scope.within(answer(endpoint, request)).await;
    response.headers_mut().insert("x-request-id", id);
    response
}

async fn answer<P: Plugin>(endpoint: Arc<Endpoint<P>>, request: Request) -> Response {
    if let Some(token) = header_text(request.headers(), wire::LOG_TOKEN) {
        tracing::error!("Log token: {token}");
    }
    let path = request.uri().path();
    if let Some(prefix) = own_prefix(path) {
        return endpoint.own_route(prefix, request).await;
    }
    let post = request.method() == Method::POST;
    let outcome = match path {
        wire::CONFIG if post => config(endpoint, request).await,
        wire::ACTION if post && endpoint.hooks.action.is_some() => action(endpoint, request).await,
        wire::PUBLISH if post && endpoint.hooks.takes_all() => publish(endpoint, request).await,
        wire::STOP if post => {
            // Read and not looked at: a daemon that still writes when the answer comes would miss it.
            let _ = to_bytes(request.into_body(), BODY_LIMIT).await;
            endpoint.stop().await;
            // The server finishes this answer before it ends, so the daemon sees it.
            endpoint.quit.cancel();
            Ok(json_reply(200, &Error::success()))
        }
        _ => return not_found(request.method(), path),
    };
    outcome.unwrap_or_else(|e| failure(&e))
}

async fn config<P: Plugin>(endpoint: Arc<Endpoint<P>>, request: Request) -> Outcome {
    let (parts, params) = body::<Option<JsonMap>>(request).await?;
    let work = Scope::current().run(async move { endpoint.config(params.unwrap_or_default()).await });
    work.await.map_err(|p| p.error("POST", parts.uri.path()))??;
    Ok(json_reply(200, &Error::success()))
}

async fn action<P: Plugin>(endpoint: Arc<Endpoint<P>>, request: Request) -> Outcome {
    let (parts, action) = body::<drp_protocol::Action>(request).await?;
    let Some(hook) = endpoint.hooks.action else { return Ok(not_found(&parts.method, parts.uri.path())) };
    let context = endpoint.context.scoped(Scope::current());
    let work = Scope::current().run(hook(endpoint.plugin.clone(), context, action.into()));
    let value = work.await.map_err(|p| p.error("POST", parts.uri.path()))??;
    let value = crate::depth::bounded(value)
        .map_err(|text| Error::new(500, parts.method.as_str(), text).on("", parts.uri.path()))?;
    Ok(json_reply(200, &value))
}

async fn publish<P: Plugin>(endpoint: Arc<Endpoint<P>>, request: Request) -> Outcome {
    let (parts, event) = body::<drp_protocol::Event>(request).await?;
    let Some(hook) = endpoint.hooks.publish else { return Ok(not_found(&parts.method, parts.uri.path())) };
    let context = endpoint.context.scoped(Scope::current());
    let work = Scope::current().run(hook(endpoint.plugin.clone(), context, event));
    work.await.map_err(|p| p.error("POST", parts.uri.path()))?.map_err(|e| nested(&e))?;
    Ok(json_reply(200, &Error::success()))
}

/// Decodes the body. An empty one is the empty value.
async fn body<T: DeserializeOwned + Default>(request: Request) -> Result<(Parts, T), Error> {
    let (parts, body) = request.into_parts();
    let kind = header_text(&parts.headers, header::CONTENT_TYPE.as_str()).unwrap_or_default();
    let refused = |code, text: String| Error::new(code, parts.method.as_str(), text);
    if !kind.to_ascii_lowercase().contains("application/json") {
        return Err(refused(400, format!("Invalid content type: {kind}")));
    }
    let bytes: Bytes = to_bytes(body, BODY_LIMIT)
        .await
        .map_err(|e| refused(413, format!("the body is longer than {BODY_LIMIT} bytes or broke off: {e}")))?;
    if bytes.is_empty() {
        return Ok((parts, T::default()));
    }
    let value = serde_json::from_slice(&bytes).map_err(|e| refused(400, e.to_string()))?;
    Ok((parts, value))
}

fn header_text<'a>(headers: &'a axum::http::HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|v| v.to_str().ok())
}

/// The length of `[/api/v3]/plugin-apis/<plugin>`, which the daemon leaves in front of a plugin's own routes.
fn own_prefix(path: &str) -> Option<usize> {
    let rest = path.strip_prefix("/api/v3").unwrap_or(path);
    let name = rest.strip_prefix("/plugin-apis/")?;
    let name_end = name.find('/').unwrap_or(name.len());
    Some(path.len() - name.len() + name_end)
}

/// Config and publish carry a plugin's error as JSON text inside an outer error of the same code
/// (wire-protocol §1.7).
pub(crate) fn nested(error: &Error) -> Error {
    let inner = with_code(error);
    let text = serde_json::to_string(&inner).unwrap_or_default();
    Error { code: inner.code, messages: vec![text], ..Error::default() }
}

/// The error with the status it travels with: a code that no HTTP error has becomes 500.
fn with_code(error: &Error) -> Error {
    let code = if (400..=599).contains(&error.code) { error.code } else { 500 };
    Error { code, ..error.clone() }
}

fn failure(error: &Error) -> Response {
    let error = with_code(error);
    json_reply(error.code, &error)
}

fn not_found(method: &Method, path: &str) -> Response {
    // `Messages` is null and not a list, as Go writes one that was never made (wire-protocol §1.6).
    let error = serde_json::json!({
        "Model": "", "Key": path, "Type": method.as_str(), "Messages": null, "Code": 404,
    });
    json_reply(404, &error)
}

fn json_reply(code: u16, value: &impl Serialize) -> Response {
    let mut bytes = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
    bytes.push(b'\n');
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// An answer that says nothing about itself: the router's own 404.
fn is_mute(response: &Response) -> bool {
    !response.headers().contains_key(header::CONTENT_TYPE)
}

#[cfg(test)]
mod tests {
    use super::{nested, own_prefix};
    use drp_protocol::Error;

    #[test]
    fn own_routes_are_found_behind_both_prefixes() {
        let rest = |path: &'static str| own_prefix(path).map(|n| &path[n..]);
        assert_eq!(rest("/plugin-apis/lamp-1/a/b"), Some("/a/b"));
        assert_eq!(rest("/api/v3/plugin-apis/lamp-1"), Some(""));
        assert_eq!(rest("/api/v3/machines"), None);
    }

    #[test]
    fn a_plugin_error_travels_nested_with_a_code_that_http_has() {
        let outer = nested(&Error::new(0, "plugin", "no lamp").on("plugin", "lamp"));
        assert_eq!((outer.code, outer.r#type.as_str()), (500, ""));
        let inner: Error = serde_json::from_str(&outer.messages[0]).unwrap();
        assert_eq!(inner, Error::new(500, "plugin", "no lamp").on("plugin", "lamp"));
    }
}
