//! Where requests come in: ids, log lines, CORS, panics; then authentication and the routes.

use super::auth::{Pass, authenticate};
use super::call::Call;
use super::query::{Query, segments};
use super::reply::{Answer, Failure, Reply, no_route};
use crate::app::App;
use crate::audit::{Entry, Story, place};
use crate::listen::{LocalAddr, Peer};
use crate::routes;
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, Request, State};
use drp_objects::Principal;
use drp_protocol::{Error, wire};
use futures_util::FutureExt;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, CONTENT_TYPE, ORIGIN,
    WWW_AUTHENTICATE,
};
use http::request::Parts;
use http::{Extensions, HeaderMap, HeaderValue, Method, Response, StatusCode, Version};
use std::net::{IpAddr, SocketAddr};
use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tracing::Instrument;

/// How long a request waits for the daemon to be up: no more than clients wait for an answer.
const START: Duration = Duration::from_secs(20);
/// Answers from this size on are packed for clients that offer it.
const PACKED: u64 = 8 << 10;
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "X-DRP-LIST-COUNT, X-DRP-LIST-FILTER-COUNT, X-DRP-LIST-TOTAL-COUNT, X-DRP-SHA256SUM, ETag, X-Request-Id",
);

/// The API as the TLS listener serves it.
pub(crate) fn api(app: Arc<App>) -> Router {
    Router::new().fallback(over_tls).with_state(app).layer(packed())
}

/// The API as the local socket serves it.
pub(crate) fn local_api(app: Arc<App>) -> Router {
    Router::new().fallback(over_socket).with_state(app)
}

/// Metrics for whoever comes, and nothing else.
pub(crate) fn metrics_alone(app: Arc<App>) -> Router {
    let page = |State(app): State<Arc<App>>| async move { crate::metrics::page(&app).await };
    Router::new().route("/metrics", axum::routing::get(page)).with_state(app)
}

type WorthPacking = fn(StatusCode, Version, &HeaderMap, &Extensions) -> bool;

/// Packs JSON answers for clients that offer it. Files, streams and what plugins answer stay as they are.
fn packed() -> CompressionLayer<WorthPacking> {
    fn worth_it(_: StatusCode, _: Version, headers: &HeaderMap, extensions: &Extensions) -> bool {
        let json =
            headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
        json && extensions.get::<Long>().is_some()
    }
    CompressionLayer::new().quality(CompressionLevel::Fastest).compress_when(worth_it as WorthPacking)
}

/// Marks an answer that is worth packing.
#[derive(Debug, Clone, Copy)]
struct Long;

async fn over_tls(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    enter(app, request, None).await
}

async fn over_socket(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let peer = request.extensions().get::<ConnectInfo<Peer>>().map_or(Peer { uid: None }, |info| info.0);
    enter(app, request, Some(peer)).await
}

async fn enter(app: Arc<App>, request: Request, local: Option<Peer>) -> Response<Body> {
    let began = Instant::now();
    let method = request.method().clone();
    let path = request.uri().path().to_owned();
    let id = request_id(request.headers());
    let traced =
        request.headers().contains_key(wire::LOG_REQUEST) || request.headers().contains_key(wire::LOG_TOKEN);
    let cross_origin = request.headers().contains_key(ORIGIN);
    let serving = app.metrics.begin();
    let mut route = "none";
    let reply = if method == Method::OPTIONS && cross_origin && !for_a_plugin(&request, local.is_some()) {
        preflight()
    } else {
        answer(Arc::clone(&app), request, local, Arc::clone(&id), &mut route)
            .await
            .unwrap_or_else(Failure::into_reply)
    };
    let status = reply.0.status();
    drop(serving);
    app.metrics.request(route, &method, status.as_u16(), began.elapsed());
    let mut response = reply.for_method(&method);
    let long = http_body::Body::size_hint(response.body()).exact().is_some_and(|size| size >= PACKED);
    if long && !path.contains("/plugin-apis/") {
        response.extensions_mut().insert(Long);
    }
    let headers = response.headers_mut();
    // A plugin that says itself whom it answers has the last word.
    if cross_origin && !headers.contains_key(ACCESS_CONTROL_ALLOW_ORIGIN) {
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }
    if let Ok(id) = HeaderValue::from_str(&id) {
        headers.insert(wire::REQUEST_ID, id);
    }
    // The query string stays out: it may hold a token.
    if traced {
        tracing::info!(request = %id, %method, path, status = status.as_u16(), took = ?began.elapsed(), "request");
    } else {
        tracing::debug!(request = %id, %method, path, status = status.as_u16(), took = ?began.elapsed(), "request");
    }
    response
}

/// The caller's own id (`X-Request-Id`, else `X-Log-Token`) when it can stand in a log line, else a new one. New ones
/// differ from those of the daemon's lives before.
fn request_id(headers: &HeaderMap) -> Arc<str> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    static LIFE: LazyLock<u64> = LazyLock::new(|| {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        now.map_or(0, |since| since.as_millis() as u64)
    });
    let names = [wire::REQUEST_ID, wire::LOG_TOKEN].into_iter();
    let mut given = names.filter_map(|name| headers.get(name)?.to_str().ok()).map(str::trim);
    match given.find(|text| wire::is_request_id(text)) {
        Some(text) => text.into(),
        None => format!("r{:x}-{}", *LIFE, NEXT.fetch_add(1, Ordering::Relaxed)).into(),
    }
}

/// Whether an OPTIONS request is one that a plugin shall answer: passed through like any method. A browser's preflight
/// never has credentials (Fetch standard, "CORS-preflight fetch"), so it would not get past the door; the daemon answers
/// those itself.
fn for_a_plugin(request: &Request, local: bool) -> bool {
    let path = request.uri().path();
    let plugin = path.starts_with("/plugin-apis/") || path.starts_with("/api/v3/plugin-apis/");
    let shown = request.headers().contains_key(AUTHORIZATION)
        || Query::parse(request.uri().query().unwrap_or_default()).get("token").is_some();
    plugin && (local || shown)
}

fn preflight() -> Reply {
    Reply::none()
        .with("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS")
        .with(
            "access-control-allow-headers",
            "Authorization, Content-Type, If-None-Match, Prefer, X-Log-Request, X-Log-Token, X-Request-Id",
        )
        .with("access-control-max-age", "86400")
}

async fn answer(
    app: Arc<App>,
    request: Request,
    local: Option<Peer>,
    id: Arc<str>,
    template: &mut &'static str,
) -> Answer {
    let (mut parts, body) = request.into_parts();
    // Plugins get it with actions and what is passed through to them.
    if let Ok(id) = HeaderValue::from_str(&id) {
        parts.headers.insert(wire::REQUEST_ID, id);
    }
    let path = segments(parts.uri.path());
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    if let Some(route) = routes::table().open(&path) {
        *template = route.template;
        return routes::open(&app, &parts, route);
    }
    let below: Option<&[&str]> = match path.as_slice() {
        // Templates of `/api/v1` are whole, and below `/api/v3` there is none of them.
        ["api", "v3", "api", ..] => None,
        ["api", "v3", rest @ ..] | rest @ (["plugin-apis", ..] | ["metrics"] | ["api", "v1", ..]) => {
            Some(rest)
        }
        _ => None,
    };
    let Some(below) = below else {
        let url = parts.uri.path_and_query().map_or("/", |p| p.as_str());
        return Err(no_route(&parts.method, url));
    };
    let rest: Vec<String> = below.iter().map(|s| (*s).to_owned()).collect();
    let words: Vec<&str> = rest.iter().map(String::as_str).collect();
    if let Some((route, _)) = routes::find(&app, &words) {
        *template = route.template;
    }
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    let (who, pass) = match local {
        Some(peer) if peer.is_operator() => (Principal::full(format!("local:{}", peer.name())), Pass::Local),
        Some(peer) => {
            app.audit.record_rarely(Entry {
                who: format!("local:{}", peer.name()),
                from: place(None),
                request: id.to_string(),
                action: "login".to_owned(),
                outcome: "refused".to_owned(),
                status: 403,
                detail: "not the operator".to_owned(),
                ..Entry::default()
            });
            let text = format!(
                "user {} may not use the local socket: only the daemon's own user and root may; use the API with a password",
                peer.name()
            );
            return Err(Error::new(403, "AUTH", text).into());
        }
        None => match authenticate(&app, &parts.headers, &query, caller(&parts), &id).await {
            Ok(known) => known,
            Err(reply) => {
                app.metrics.login_refused(why_refused(&reply));
                return Ok(reply);
            }
        },
    };
    started(&app, &who, &rest).await?;
    // Types of plugins are known only now.
    let found = routes::find(&app, &words);
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let reached = parts.extensions.get::<LocalAddr>().map(|address| address.0.ip());
    let safe = matches!(parts.method, Method::GET | Method::HEAD);
    let span = tracing::error_span!("request", %id);
    let story = Story::new(&who, peer, &id, &parts.method, &rest, &query);
    // An object has one key in the audit log, whichever of its names the request uses.
    if let Some((scope, named)) = story.names_by_index()
        && let Some(key) = app.objects.resolve(scope, named)
    {
        story.about(&key);
    }
    let call = Call {
        app,
        who,
        pass,
        parts,
        body: std::sync::Mutex::new(body),
        query,
        reached,
        peer,
        local: local.is_some(),
        id,
        story: story.clone(),
    };
    let told = told(Arc::clone(&call.app), story, routes::route(call, found));
    let routed = AssertUnwindSafe(told).catch_unwind().instrument(span);
    if safe {
        return routed.await.unwrap_or_else(|panic| Err(panicked(&*panic)));
    }
    // What changes something runs to its end even when the caller hangs up.
    match tokio::spawn(routed).await {
        Ok(done) => done.unwrap_or_else(|panic| Err(panicked(&*panic))),
        Err(_) => Err(Error::new(503, "INVOKE", "The daemon is stopping").into()),
    }
}

/// Why somebody was not let in, for the metrics.
fn why_refused(reply: &Reply) -> &'static str {
    let asks = reply.0.headers().contains_key(WWW_AUTHENTICATE);
    match reply.0.status() {
        StatusCode::UNAUTHORIZED => "none",
        StatusCode::TOO_MANY_REQUESTS => "limit",
        StatusCode::SERVICE_UNAVAILABLE => "plugin",
        // Only the refusal of a password has no body and does not ask for another one (wire-protocol §3.2).
        _ if !asks && !reply.0.headers().contains_key(CONTENT_TYPE) => "password",
        _ => "token",
    }
}

/// Where a request over TLS comes from.
fn caller(parts: &Parts) -> IpAddr {
    let info = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    info.map_or(IpAddr::from([0, 0, 0, 0]), |info| info.0.ip())
}

/// Tells the audit log how a request ended, before its caller is answered.
async fn told(app: Arc<App>, story: Story, routed: impl Future<Output = Answer>) -> Answer {
    let answer = routed.await;
    let status = match &answer {
        Ok(reply) => reply.0.status().as_u16(),
        Err(failure) => failure.code(),
    };
    if let Some(entry) = story.ends(status) {
        app.audit.record(entry);
    }
    answer
}

/// Until the content of all providers is in, nothing says which params are secret and what can be done: requests
/// wait. Only plugins go on, since `define` may use the API, and whoever asks what state the daemon is in.
async fn started(app: &App, who: &Principal, path: &[String]) -> Result<(), Failure> {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let about_us =
        matches!(path.as_slice(), ["info"] | ["api", "v1", "health"] | ["system", "status" | "shutdown"]);
    if about_us || who.is_plugin() || app.life.started(START).await {
        return Ok(());
    }
    let text = format!(
        "the daemon is still starting: its plugin providers have not all been looked at after {START:?}; try again, or see its log"
    );
    Err(Error::new(503, "START", text).into())
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Failure {
    let text =
        panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(text = text.unwrap_or("no text"), "a request panicked");
    Error::new(500, "PANIC", "The daemon made a mistake with this request; its log says more").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_when_they_can_be_printed() {
        let mut headers = HeaderMap::new();
        assert!(request_id(&headers).starts_with('r'));
        headers.insert(wire::LOG_TOKEN, HeaderValue::from_static("trace-7"));
        assert_eq!(&*request_id(&headers), "trace-7");
        headers.insert(wire::REQUEST_ID, HeaderValue::from_static("mine-8"));
        assert_eq!(&*request_id(&headers), "mine-8");
        headers.insert(wire::REQUEST_ID, HeaderValue::from_static("two words"));
        assert_eq!(&*request_id(&headers), "trace-7");
        let long = HeaderValue::from_str(&"x".repeat(1000)).unwrap();
        headers.insert(wire::LOG_TOKEN, long);
        assert!(request_id(&headers).starts_with('r'));
        assert_ne!(request_id(&headers), request_id(&headers));
    }
}
