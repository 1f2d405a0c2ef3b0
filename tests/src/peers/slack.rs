//! A stand-in for Slack: the part of its Web API and of its incoming webhooks that notifiers use, over HTTP or HTTPS, with
//! faults and a log of all requests. There is no Slack to run on loopback.
//!
//! Where its behaviour comes from (Slack's public documentation):
//! * <https://docs.slack.dev/apis/web-api/>: answers are JSON with `ok`, and `error` when that is false, with status 200; the
//!   token is a `Bearer` in `Authorization`; JSON bodies are for methods that write, others take forms; a JSON body without
//!   charset earns the warning `missing_charset`.
//! * <https://docs.slack.dev/reference/methods/auth.test>, `chat.postMessage`, `users.conversations`: fields, error names, limits
//!   (text of 40,000 characters), cursors; `X-OAuth-Scopes` names the scopes of the token, `missing_scope` comes with `needed`
//!   and `provided`.
//! * <https://docs.slack.dev/apis/web-api/rate-limits>: status 429 with `Retry-After` in seconds, and `ratelimited`; about one
//!   message a second for a channel, with short bursts let through.
//! * <https://docs.slack.dev/reference/block-kit/blocks>: 50 blocks, 3,000 characters in a section, 10 fields of 2,000, 10 elements.
//! * <https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks>: text answers, `ok` or a word with 400
//!   (`invalid_payload`, `no_text`), 403 (`invalid_token`, `action_prohibited`), 404 (`no_service`), 410 (`channel_is_archived`).
//!
//! What Slack does beyond that (who is told, how a message looks) it does not know.

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::{Value, json};
use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::sync::Notify;
use tokio::task::{JoinHandle, JoinSet};
use tokio_rustls::TlsAcceptor;

/// The bot token that it knows. A canary: it must turn up in no log.
pub const TOKEN: &str = "xoxb-canary-1234-5678-tokenCanary";
/// The secret end of the webhook's address. A canary.
pub const HOOK_SECRET: &str = "hookCanaryS3cr3tXYZ";
/// How long a test waits for a message.
const PATIENCE: Duration = Duration::from_secs(60);

/// What goes wrong with the next message.
#[derive(Debug, Clone)]
pub enum Fault {
    /// 429 with `Retry-After`.
    Limited(u64),
    /// `ok: false` and this name, or for the webhook this status and name.
    Error(&'static str, u16),
    /// Another status with an HTML page, as a proxy or an overloaded front answers.
    Page(u16),
    /// No answer for so long.
    Hang(Duration),
    /// Posted, and the connection breaks before the answer is whole.
    LoseAnswer,
    /// 200 with something that is not JSON.
    Garbage,
}

/// A request as it came.
#[derive(Debug, Clone)]
pub struct Request {
    /// When.
    pub at: Instant,
    /// Method of the Web API, or path of the webhook.
    pub path: String,
    /// Query string, which must hold nothing.
    pub query: String,
    /// Headers, names in lower case.
    pub headers: BTreeMap<String, String>,
    /// Body as text.
    pub body: String,
}

impl Request {
    /// Whether it checks credentials and posts nothing.
    pub fn is_check(&self) -> bool {
        self.path == "auth.test" || (self.path.starts_with("/services/") && self.body == "{}")
    }
}

/// A message that was posted.
#[derive(Debug, Clone)]
pub struct Message {
    /// When.
    pub at: Instant,
    /// Name of the channel, `webhook` for that of the webhook.
    pub channel: String,
    /// Everything that was sent.
    pub body: Value,
}

impl Message {
    /// `text`.
    pub fn text(&self) -> &str {
        self.body["text"].as_str().unwrap_or_default()
    }

    /// All texts of the message, blocks too.
    pub fn whole(&self) -> String {
        self.body.to_string()
    }
}

#[derive(Debug, Clone, Default)]
struct Channel {
    id: String,
    private: bool,
    member: bool,
    archived: bool,
}

#[derive(Default)]
struct Data {
    channels: BTreeMap<String, Channel>,
    /// Error that the token earns instead of being taken.
    token_error: Option<&'static str>,
    scopes: String,
    webhook_archived: bool,
    faults: VecDeque<Fault>,
    requests: Vec<Request>,
    messages: Vec<Message>,
    /// 429 for messages that come faster than one a second in a channel, without the bursts that Slack lets through.
    strict: bool,
    refused_pace: usize,
}

struct Shared {
    data: Mutex<Data>,
    news: Notify,
}

/// A running stand-in. Gone when it is dropped.
pub struct Slack {
    address: SocketAddr,
    tls: Option<(TlsAcceptor, String)>,
    shared: Arc<Shared>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Slack {
    /// Over HTTP. The bot is in `#ops` (C01) and `#dev` (C02), not in `#other` (C03).
    pub async fn start() -> Self {
        Self::launch(None).await
    }

    /// Over HTTPS, with a certificate of its own.
    pub async fn start_tls() -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()])
            .expect("certificate");
        let pem = made.cert.pem();
        let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("key");
        let config = rustls::ServerConfig::builder()
            .with_no_client_auth()
            .with_single_cert(vec![made.cert.der().clone()], key)
            .expect("TLS");
        Self::launch(Some((TlsAcceptor::from(Arc::new(config)), pem))).await
    }

    async fn launch(tls: Option<(TlsAcceptor, String)>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        let data = Data { scopes: "chat:write,channels:read,groups:read".to_owned(), ..Data::default() };
        let shared = Arc::new(Shared { data: Mutex::new(data), news: Notify::new() });
        let slack = Self { address, tls, shared, server: Mutex::new(None) };
        slack.channel("ops", "C01", true);
        slack.channel("dev", "C02", true);
        slack.channel("other", "C03", false);
        slack.serve(listener);
        slack
    }

    fn serve(&self, listener: TcpListener) {
        let tls = self.tls.as_ref().map(|(acceptor, _)| acceptor.clone());
        let app = axum::Router::new().fallback(answer).with_state(self.shared.clone());
        let task = tokio::spawn(async move {
            // Ended with this task.
            let mut connections = JoinSet::new();
            loop {
                let Ok((stream, _)) = listener.accept().await else { return };
                let _ = stream.set_nodelay(true);
                let (tls, service) = (tls.clone(), TowerToHyperService::new(app.clone()));
                connections.spawn(async move {
                    let builder = Builder::new(TokioExecutor::new());
                    match tls {
                        None => drop(builder.serve_connection(TokioIo::new(stream), service).await),
                        Some(tls) => {
                            let Ok(stream) = tls.accept(stream).await else { return };
                            drop(builder.serve_connection(TokioIo::new(stream), service).await);
                        }
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        *self.server.lock().expect("server") = Some(task);
    }

    fn data(&self) -> MutexGuard<'_, Data> {
        self.shared.data.lock().expect("data")
    }

    /// What `slack/api-url` is.
    pub fn api_url(&self) -> String {
        format!("{}/api", self.base())
    }

    /// What `slack/webhook-url` is.
    pub fn webhook_url(&self) -> String {
        format!("{}/services/T01/B01/{HOOK_SECRET}", self.base())
    }

    fn base(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}", self.address.port())
    }

    /// Its certificate, PEM.
    pub fn certificate(&self) -> &str {
        &self.tls.as_ref().expect("over TLS").1
    }

    /// Makes a channel, or changes whether the bot is in it.
    pub fn channel(&self, name: &str, id: &str, member: bool) {
        self.data()
            .channels
            .insert(name.to_owned(), Channel { id: id.to_owned(), member, ..Channel::default() });
    }

    /// Makes a private channel with the bot in it.
    pub fn private_channel(&self, name: &str, id: &str) {
        let channel = Channel { id: id.to_owned(), member: true, private: true, archived: false };
        self.data().channels.insert(name.to_owned(), channel);
    }

    /// Archives a channel.
    pub fn archive(&self, name: &str) {
        self.data().channels.get_mut(name).expect("a channel").archived = true;
    }

    /// Archives the channel of the webhook.
    pub fn archive_webhook(&self) {
        self.data().webhook_archived = true;
    }

    /// What the token earns from now on, such as `account_inactive`.
    pub fn refuse_token(&self, error: Option<&'static str>) {
        self.data().token_error = error;
    }

    /// The scopes of the token.
    pub fn scopes(&self, scopes: &str) {
        scopes.clone_into(&mut self.data().scopes);
    }

    /// What goes wrong with the next messages, in order.
    pub fn faults(&self, faults: impl IntoIterator<Item = Fault>) {
        self.data().faults.extend(faults);
    }

    /// Whether messages that come faster than one a second in a channel earn 429.
    pub fn strict(&self) {
        self.data().strict = true;
    }

    /// How many messages came too fast.
    pub fn too_fast(&self) -> usize {
        self.data().refused_pace
    }

    /// All requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.data().requests.clone()
    }

    /// All messages that were posted so far.
    pub fn messages(&self) -> Vec<Message> {
        self.data().messages.clone()
    }

    /// Waits until the messages are as wanted, and gives them.
    pub async fn until(&self, what: &str, wanted: impl Fn(&[Message]) -> bool) -> Vec<Message> {
        let look = async {
            loop {
                let news = self.shared.news.notified();
                let messages = self.messages();
                if wanted(&messages) {
                    return messages;
                }
                news.await;
            }
        };
        match tokio::time::timeout(PATIENCE, look).await {
            Ok(messages) => messages,
            Err(_) => panic!("never {what}: {:#?}\n{:#?}", self.messages(), self.requests()),
        }
    }

    /// Waits for a message that holds a text.
    pub async fn message(&self, text: &str) -> Message {
        let found = |m: &Message| m.whole().contains(text);
        let messages = self.until(text, |messages| messages.iter().any(found)).await;
        messages.into_iter().find(found).expect("found")
    }

    /// Goes away: connections break, new ones are refused.
    pub async fn down(&self) {
        let server = self.server.lock().expect("server").take();
        if let Some(server) = server {
            server.abort();
            let _ = server.await;
        }
    }

    /// Comes back at the same address.
    pub async fn up(&self) {
        let end = Instant::now() + Duration::from_secs(10);
        loop {
            match TcpListener::bind(self.address).await {
                Ok(listener) => return self.serve(listener),
                Err(e) => assert!(Instant::now() < end, "{}: {e}", self.address),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Slack {
    fn drop(&mut self) {
        if let Some(server) = self.server.lock().ok().and_then(|mut server| server.take()) {
            server.abort();
        }
    }
}

async fn answer(State(shared): State<Arc<Shared>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let request = Request {
        at: Instant::now(),
        path: uri.path().trim_start_matches("/api/").to_owned(),
        query: uri.query().unwrap_or_default().to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let posts =
        request.path == "chat.postMessage" || (request.path.starts_with("/services/") && !request.is_check());
    let fault = {
        let mut data = shared.data.lock().expect("data");
        data.requests.push(request.clone());
        if posts { data.faults.pop_front() } else { None }
    };
    let webhook = request.path.starts_with("/services/");
    let outcome = match fault {
        Some(Fault::Limited(after)) => limited(after),
        Some(Fault::Error(name, status)) if webhook => text(status, name),
        Some(Fault::Error(name, status)) => reply(status, json!({"ok": false, "error": name})),
        Some(Fault::Page(status)) => text(status, "<html><body>upstream connect error</body></html>"),
        Some(Fault::Garbage) => text(200, "{\"ok\": tr"),
        Some(Fault::Hang(time)) => {
            tokio::time::sleep(time).await;
            text(504, "late")
        }
        Some(Fault::LoseAnswer) => {
            drop(handle(&shared, &request));
            let pieces: [Result<Bytes, std::io::Error>; 2] =
                [Ok(Bytes::from_static(b"{\"ok\": tr")), Err(std::io::ErrorKind::ConnectionReset.into())];
            let body = Body::from_stream(futures_util::stream::iter(pieces));
            Response::builder().header("content-length", "100").body(body).expect("answer")
        }
        None => handle(&shared, &request),
    };
    shared.news.notify_waiters();
    outcome
}

fn handle(shared: &Shared, request: &Request) -> Response {
    let mut data = shared.data.lock().expect("data");
    if let Some(path) = request.path.strip_prefix("/services/") {
        return webhook(&mut data, path, request);
    }
    let refused = |error: &str| reply(200, json!({"ok": false, "error": error}));
    match request.headers.get("authorization").and_then(|value| value.strip_prefix("Bearer ")) {
        None => return refused("not_authed"),
        Some(TOKEN) => {}
        Some(_) => return refused("invalid_auth"),
    }
    if let Some(error) = data.token_error {
        return refused(error);
    }
    let kind = request.headers.get("content-type").map(String::as_str).unwrap_or_default();
    let json_body = kind.starts_with("application/json");
    let mut answer = match request.path.as_str() {
        "auth.test" => json!({
            "ok": true, "url": "https://drp-test.slack.com/", "team": "DRP test", "user": "drp", "team_id": "T01",
            "user_id": "U01", "bot_id": "B01", "is_enterprise_install": false,
        }),
        // Takes forms only; arguments in JSON are not seen.
        "users.conversations" => conversations(&data, if json_body { "" } else { &request.body }),
        "chat.postMessage" => match serde_json::from_str::<Value>(&request.body) {
            Ok(body) if json_body => post(&mut data, &body),
            _ => json!({"ok": false, "error": "invalid_json"}),
        },
        _ => json!({"ok": false, "error": "unknown_method"}),
    };
    if json_body && !kind.contains("charset") {
        answer["warning"] = "missing_charset".into();
        answer["response_metadata"] = json!({"warnings": ["missing_charset"]});
    }
    if answer["error"] == "ratelimited" {
        return limited(1);
    }
    let mut response = reply(200, answer);
    response.headers_mut().insert("x-oauth-scopes", data.scopes.parse().expect("header"));
    response
}

fn post(data: &mut Data, body: &Value) -> Value {
    let refused = |error: &str| json!({"ok": false, "error": error});
    if !data.scopes.split(',').any(|scope| scope == "chat:write") {
        return json!({"ok": false, "error": "missing_scope", "needed": "chat:write", "provided": data.scopes});
    }
    let asked = body["channel"].as_str().unwrap_or_default();
    let found = data
        .channels
        .iter()
        .find(|(name, channel)| asked.trim_start_matches('#') == *name || asked == channel.id);
    let Some((name, channel)) = found.map(|(name, channel)| (name.clone(), channel.clone())) else {
        return refused("channel_not_found");
    };
    match (&channel, too_big(body)) {
        (Channel { archived: true, .. }, _) => refused("is_archived"),
        (Channel { member: false, private: true, .. }, _) => refused("channel_not_found"),
        (Channel { member: false, .. }, _) => refused("not_in_channel"),
        (_, Some(error)) => refused(error),
        _ if data.strict && !at_pace(data, &name) => refused("ratelimited"),
        _ => {
            let ts = format!("1700000000.{:06}", data.messages.len() + 1);
            data.messages.push(Message { at: Instant::now(), channel: name, body: body.clone() });
            json!({"ok": true, "channel": channel.id, "ts": ts, "message": {"text": body["text"], "type": "message"}})
        }
    }
}

/// Whether the last message of the channel is a second old, with a little for the way.
fn at_pace(data: &mut Data, channel: &str) -> bool {
    let last = data.messages.iter().rev().find(|message| message.channel == channel);
    let slow = last.is_none_or(|last| last.at.elapsed() >= Duration::from_millis(900));
    data.refused_pace += usize::from(!slow);
    slow
}

/// The name of the limit that a message breaks.
fn too_big(body: &Value) -> Option<&'static str> {
    let long = |value: &Value| value.as_str().map_or(0, |text| text.chars().count());
    let blocks = body["blocks"].as_array();
    if long(&body["text"]) > 40_000 {
        return Some("msg_too_long");
    }
    if long(&body["text"]) == 0 && blocks.is_none() {
        return Some("no_text");
    }
    let inside = |list: &Value, most: usize, longest: usize| {
        list.as_array().is_none_or(|list| {
            (1..=most).contains(&list.len())
                && list.iter().all(|entry| (1..=longest).contains(&long(&entry["text"])))
        })
    };
    let fits = |block: &Value| match block["type"].as_str() {
        Some("section") => {
            (block["text"].is_null() || (1..=3000).contains(&long(&block["text"]["text"])))
                && (block["text"].is_object() || block["fields"].is_array())
                && inside(&block["fields"], 10, 2000)
        }
        Some("context") => block["elements"].is_array() && inside(&block["elements"], 10, 3000),
        _ => false,
    };
    let right = blocks.is_none_or(|blocks| blocks.len() <= 50 && blocks.iter().all(fits));
    (!right).then_some("invalid_blocks")
}

/// The channels of the bot, two a page so that readers have to follow the cursor.
fn conversations(data: &Data, form: &str) -> Value {
    let argument = |name: &str| {
        let pairs = form.split('&').filter_map(|pair| pair.split_once('='));
        pairs
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value.replace("%2C", ","))
            .next()
            .unwrap_or_default()
    };
    for scope in ["channels:read", "groups:read"] {
        if !data.scopes.contains(scope) {
            return json!({"ok": false, "error": "missing_scope", "needed": scope, "provided": data.scopes});
        }
    }
    let types = argument("types");
    let shown = |channel: &&Channel| {
        channel.member
            && !(channel.archived && argument("exclude_archived") == "true")
            && if channel.private {
                types.contains("private_channel")
            } else {
                types.is_empty() || types.contains("public_channel")
            }
    };
    let all: Vec<&str> = data.channels.values().filter(shown).map(|channel| channel.id.as_str()).collect();
    let from: usize = argument("cursor").parse().unwrap_or(0);
    let page: Vec<Value> = all.iter().skip(from).take(2).map(|id| json!({"id": id})).collect();
    let next = if from + 2 < all.len() { (from + 2).to_string() } else { String::new() };
    json!({"ok": true, "channels": page, "response_metadata": {"next_cursor": next}})
}

fn webhook(data: &mut Data, path: &str, request: &Request) -> Response {
    match path.split('/').collect::<Vec<_>>().as_slice() {
        ["T01", "B01", HOOK_SECRET] => {}
        ["T01", "B01", _] => return text(403, "invalid_token"),
        ["T01", ..] => return text(404, "no_service"),
        _ => return text(404, "no_team"),
    }
    if data.webhook_archived {
        return text(410, "channel_is_archived");
    }
    let Ok(body) = serde_json::from_str::<Value>(&request.body) else { return text(400, "invalid_payload") };
    match too_big(&body) {
        Some("no_text") => text(400, "no_text"),
        Some(error) => text(400, error),
        None if data.strict && !at_pace(data, "webhook") => limited(1),
        None => {
            data.messages.push(Message { at: Instant::now(), channel: "webhook".to_owned(), body });
            text(200, "ok")
        }
    }
}

fn limited(after: u64) -> Response {
    let mut response = reply(429, json!({"ok": false, "error": "ratelimited"}));
    response.headers_mut().insert("retry-after", after.into());
    response
}

fn reply(status: u16, body: Value) -> Response {
    let mut response = text(status, &body.to_string());
    response.headers_mut().insert("content-type", "application/json; charset=utf-8".parse().expect("header"));
    response
}

fn text(status: u16, body: &str) -> Response {
    let mut response = Response::new(Body::from(body.to_owned()));
    *response.status_mut() = StatusCode::from_u16(status).expect("status");
    response
}
