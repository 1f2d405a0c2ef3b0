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

mod answers;

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto::Builder;
use hyper_util::service::TowerToHyperService;
use serde_json::Value;
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
        let app = axum::Router::new().fallback(answers::answer).with_state(self.shared.clone());
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
