//! Slack's Web API and incoming webhooks over HTTP: bounded, with a deadline, credentials in headers only, and sure about what
//! may have been posted.

use crate::problem::{Failure, Kind, kind};
use crate::settings::{Settings, Way};
use crate::tls;
use drp_plugin_sdk::protocol::Secret;
use drp_plugin_sdk::{Value, json};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use std::time::Duration;

/// Longest answer that is read. A page of channels is the largest.
const MAX_BODY: usize = 1 << 20;
/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest pause that is honoured; what asks for more is asked again after it.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// What a 429 without `Retry-After` means.
const DEFAULT_WAIT: Duration = Duration::from_secs(30);
/// Pages of channels that are read.
const PAGES: usize = 10;
/// With the charset: Slack warns about JSON that does not name it.
const JSON: &str = "application/json; charset=utf-8";
const FORM: &str = "application/x-www-form-urlencoded";

/// Who we are for Slack.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Identity {
    pub(crate) workspace: String,
    pub(crate) user: String,
    /// Scopes of the token, when Slack says them.
    pub(crate) scopes: Vec<String>,
}

/// The way to Slack.
#[derive(Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    way: Way,
    /// For texts: never with path or credentials.
    host: String,
    authorization: Option<HeaderValue>,
}

/// What came back, read whole.
struct Answer {
    status: u16,
    scopes: String,
    body: Vec<u8>,
}

impl Api {
    /// Prepares the connections; sends nothing.
    ///
    /// # Errors
    /// What is unusable about the settings, in words.
    pub(crate) fn new(settings: &Settings) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(settings.tls_ca.as_deref())?)
            // A credential goes where the settings say and nowhere else.
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(CONNECT.min(settings.timeout))
            .timeout(settings.timeout)
            .pool_idle_timeout(Duration::from_secs(30))
            .pool_max_idle_per_host(2)
            .user_agent(concat!("drp-slack/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| format!("HTTP client: {}", innermost(&e)))?;
        let (url, authorization) = match &settings.way {
            Way::Bot { base, key } => {
                let bearer = Secret::new(format!("Bearer {}", key.expose()));
                let mut value = HeaderValue::from_str(bearer.expose())
                    .map_err(|_| "slack/bot-key holds characters that no token has".to_owned())?;
                value.set_sensitive(true);
                (base.as_str(), Some(value))
            }
            Way::Webhook(url) => (url.expose().as_str(), None),
        };
        let url = reqwest::Url::parse(url).map_err(|e| e.to_string())?;
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", url.host_str().unwrap_or("Slack"));
        Ok(Self { http, way: settings.way.clone(), host, authorization })
    }

    /// Whether it is a webhook, which has one channel and no name for it.
    pub(crate) fn is_webhook(&self) -> bool {
        matches!(self.way, Way::Webhook(_))
    }

    /// Checks the credentials and posts nothing: `auth.test`, or for a webhook an empty request, which a webhook that works
    /// refuses with 400 and another one with 403, 404 or 410.
    pub(crate) async fn check(&self) -> Result<Identity, Failure> {
        match &self.way {
            Way::Bot { .. } => {
                let answer = self.send(Some("auth.test"), &json!({})).await?;
                let scopes = answer.scopes.split(',').map(str::trim).filter(|s| !s.is_empty());
                let scopes: Vec<String> = scopes.map(str::to_owned).collect();
                let body = self.method(&answer)?;
                if !scopes.is_empty() && !scopes.iter().any(|scope| scope == "chat:write") {
                    let lacks = format!(" (the token lacks chat:write; it has {})", scopes.join(", "));
                    return Err(Failure::Refused("missing_scope".to_owned(), lacks));
                }
                let word =
                    |field: &str| body.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
                Ok(Identity { workspace: word("team"), user: word("user"), scopes })
            }
            Way::Webhook(_) => {
                let answer = self.send(None, &json!({})).await?;
                match self.webhook(&answer) {
                    Ok(()) => Ok(Identity::default()),
                    Err(Failure::Refused(error, _)) if kind(&error) == Kind::Message => {
                        Ok(Identity::default())
                    }
                    Err(failure) => Err(failure),
                }
            }
        }
    }

    /// The channels that the bot is in, by id.
    pub(crate) async fn channels(&self) -> Result<Vec<String>, Failure> {
        let mut channels = Vec::new();
        let mut cursor = String::new();
        for _ in 0..PAGES {
            // Methods that read take forms and no JSON.
            let body =
                self.method(&self.exchange(Some("users.conversations"), FORM, page_of(&cursor)).await?)?;
            let page = body.get("channels").and_then(Value::as_array).into_iter().flatten();
            channels.extend(page.filter_map(|c| c.get("id").and_then(Value::as_str)).map(str::to_owned));
            let next = body.pointer("/response_metadata/next_cursor").and_then(Value::as_str);
            match next {
                Some(next) if !next.is_empty() => next.clone_into(&mut cursor),
                _ => break,
            }
        }
        Ok(channels)
    }

    /// Posts a message, into a channel unless this is a webhook. Gives the time stamp that names the message, or nothing.
    pub(crate) async fn post(&self, channel: Option<&str>, message: &Value) -> Result<String, Failure> {
        let mut body = message.clone();
        if let (Some(channel), Value::Object(map)) = (channel, &mut body) {
            map.insert("channel".to_owned(), channel.into());
        }
        match &self.way {
            Way::Bot { .. } => {
                let body = self.method(&self.send(Some("chat.postMessage"), &body).await?)?;
                if let Some(warning) = body.get("warning").and_then(Value::as_str) {
                    drp_plugin_sdk::tracing::debug!(
                        "Slack took the message and warns: {}",
                        crate::mrkdwn::cut(warning, 200)
                    );
                }
                Ok(body.get("ts").and_then(Value::as_str).unwrap_or_default().to_owned())
            }
            Way::Webhook(_) => self.webhook(&self.send(None, &body).await?).map(|()| String::new()),
        }
    }

    async fn send(&self, method: Option<&str>, body: &Value) -> Result<Answer, Failure> {
        self.exchange(method, JSON, body.to_string()).await
    }

    async fn exchange(&self, method: Option<&str>, kind: &str, body: String) -> Result<Answer, Failure> {
        let url = match (&self.way, method) {
            (Way::Bot { base, .. }, method) => Secret::new(format!("{base}/{}", method.unwrap_or_default())),
            (Way::Webhook(url), _) => url.clone(),
        };
        let mut request = self.http.post(url.expose()).header(CONTENT_TYPE, kind).body(body);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization.clone());
        }
        let mut response = request.send().await.map_err(|e| self.failed(&e))?;
        let status = response.status().as_u16();
        if status == 429 {
            let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
            let seconds = header.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs);
            return Err(Failure::Limited(seconds.unwrap_or(DEFAULT_WAIT).min(LONGEST_WAIT)));
        }
        let header =
            |name: &str| response.headers().get(name).and_then(|v| v.to_str().ok()).unwrap_or_default();
        let scopes = crate::mrkdwn::cut(header("x-oauth-scopes"), 2000);
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(&e))? {
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(self.unclear("the answer is longer than 1 MiB"));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, scopes, body: bytes })
    }

    /// The answer of a Web API method: an object with `ok`, and `error` when that is false, with status 200 as a rule.
    fn method(&self, answer: &Answer) -> Result<Value, Failure> {
        let body = serde_json::from_slice::<Value>(&answer.body).ok().filter(Value::is_object);
        let ok = body.as_ref().and_then(|body| body.get("ok")).and_then(Value::as_bool);
        match (body, ok) {
            (Some(body), Some(true)) if (200..300).contains(&answer.status) => Ok(body),
            (Some(body), Some(false)) => {
                let word = |field: &str| body.get(field).and_then(Value::as_str).map(clean);
                let error = word("error").unwrap_or_else(|| "unknown".to_owned());
                if matches!(error.as_str(), "ratelimited" | "rate_limited") {
                    return Err(Failure::Limited(DEFAULT_WAIT));
                }
                // "It's possible some aspect of the operation succeeded before the error was raised" (chat.postMessage).
                if matches!(error.as_str(), "internal_error" | "fatal_error") {
                    return Err(self.unclear(&format!("Slack answered {error}")));
                }
                let needed = word("needed").map(|scope| format!(" (needed: {scope})")).unwrap_or_default();
                Err(Failure::Refused(error, needed))
            }
            _ => Err(self.unclear(&format!("status {} and no answer of Slack's in it", answer.status))),
        }
    }

    /// The answer of a webhook: a word of text, `ok` with status 200.
    fn webhook(&self, answer: &Answer) -> Result<(), Failure> {
        let text = clean(String::from_utf8_lossy(&answer.body).trim());
        match answer.status {
            200 if text == "ok" => Ok(()),
            400..=499 => {
                let word = text.split(|c: char| c.is_whitespace()).next().unwrap_or_default().to_owned();
                let named = !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '_');
                let error = match answer.status {
                    _ if named => word,
                    400 => "invalid_payload".to_owned(),
                    404 | 410 => "no_service".to_owned(),
                    _ => "action_prohibited".to_owned(),
                };
                Err(Failure::Refused(error, format!(" (status {})", answer.status)))
            }
            status => Err(self.unclear(&format!("status {status} instead of 200 and `ok`"))),
        }
    }

    fn unclear(&self, why: &str) -> Failure {
        Failure::Unclear(self.host.clone(), why.to_owned())
    }

    fn failed(&self, error: &reqwest::Error) -> Failure {
        if let Some(why) = certificate(error) {
            return Failure::Untrusted(self.host.clone(), why);
        }
        // The innermost cause says most, and holds neither URL nor headers.
        let why = if error.is_timeout() { "no answer in time".to_owned() } else { innermost(error) };
        if error.is_connect() {
            return Failure::Unreachable(self.host.clone(), why);
        }
        Failure::Unclear(self.host.clone(), why)
    }
}

/// The form that asks for a page of the bot's channels.
fn page_of(cursor: &str) -> String {
    let pairs = [
        ("types", "public_channel,private_channel"),
        ("exclude_archived", "true"),
        ("limit", "200"),
        ("cursor", cursor),
    ];
    let form = reqwest::Url::parse_with_params("http://form/", pairs);
    form.ok().and_then(|form| form.query().map(str::to_owned)).unwrap_or_default()
}

/// A word of Slack's as text that can be shown.
fn clean(text: &str) -> String {
    crate::redact::Secrets::default().scrub(&crate::mrkdwn::cut(text, 200))
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut why = error;
    while let Some(source) = why.source() {
        why = source;
    }
    clean(&why.to_string())
}

/// Why the certificate was refused, when that is what happened.
fn certificate(error: &reqwest::Error) -> Option<String> {
    drp_tls::refused_certificate(error).map(|why| clean(&why))
}
