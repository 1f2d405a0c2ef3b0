//! Sending one request and taking its answer.

use crate::credentials::{Keyring, LOGIN_TTL, REFRESH_AFTER, Session};
use crate::path::escape_into;
use crate::{Builder, ClientError, Credentials};
use bytes::{Bytes, BytesMut};
use drp_protocol::{Level, Secret, UserToken, wire};
use reqwest::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use reqwest::{Method, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The API's base path (wire-protocol §3.1).
pub(crate) const API: &str = "/api/v3";
const JSON: &str = "application/json";

/// A client of one daemon. Clones share connections and the login.
#[derive(Clone)]
pub struct Client(pub(crate) Arc<Inner>);

pub(crate) enum Place {
    Socket(PathBuf),
    #[cfg_attr(not(feature = "events"), allow(dead_code))]
    Url(reqwest::Url),
}

pub(crate) struct Inner {
    pub(crate) http: reqwest::Client,
    pub(crate) place: Place,
    /// Scheme, host and prefix without a final slash.
    pub(crate) base: String,
    #[cfg_attr(not(feature = "events"), allow(dead_code))]
    pub(crate) tls: Arc<rustls::ClientConfig>,
    pub(crate) keyring: Keyring,
    pub(crate) waits: Vec<Duration>,
    pub(crate) timeout: Duration,
    #[cfg_attr(not(feature = "events"), allow(dead_code))]
    pub(crate) connect_timeout: Duration,
    pub(crate) body_limit: u64,
    pub(crate) log_level: Option<Level>,
    pub(crate) log_token: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("endpoint", &self.endpoint()).finish_non_exhaustive()
    }
}

impl Client {
    /// Settings to build a client from.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// The URL or socket path it talks to.
    #[must_use]
    pub fn endpoint(&self) -> String {
        match &self.0.place {
            Place::Socket(path) => path.display().to_string(),
            Place::Url(_) => self.0.base.clone(),
        }
    }

    /// Any JSON request, for routes this client has no method for. The path starts with `/` and is taken as it
    /// is; `/plugin-apis/…` and `/api/v3/…` both are complete paths. An empty answer is `null`.
    ///
    /// # Errors
    /// As for every call: [`ClientError`].
    pub async fn raw(
        &self,
        method: &str,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<serde_json::Value, ClientError> {
        let method = Method::from_bytes(method.as_bytes())
            .map_err(|_| ClientError::Setting(format!("{method:?} is not an HTTP method")))?;
        let body = body.map(encode).transpose()?;
        let answer = self.exchange(method.clone(), path, body).await?;
        if answer.is_empty() { Ok(serde_json::Value::Null) } else { decode(&method, path, &answer) }
    }

    pub(crate) async fn get_json<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        let answer = self.exchange(Method::GET, path, None).await?;
        decode(&Method::GET, path, &answer)
    }

    pub(crate) async fn send_json<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &(impl Serialize + ?Sized),
    ) -> Result<T, ClientError> {
        let answer = self.exchange(method.clone(), path, Some(encode(body)?)).await?;
        decode(&method, path, &answer)
    }

    /// Sends a JSON request and gives the body of the answer.
    pub(crate) async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Bytes, ClientError> {
        let response = self.respond(method.clone(), path, body).await?;
        let what = format!("{method} {path}");
        tokio::time::timeout(self.0.timeout, self.collect(response, &what))
            .await
            .map_err(|_| ClientError::Timeout { endpoint: self.endpoint(), what })?
    }

    /// Sends a JSON request, with retries while no connection comes about, and gives the answer unless it is
    /// a refusal.
    pub(crate) async fn respond(
        &self,
        method: Method,
        path: &str,
        body: Option<Bytes>,
    ) -> Result<Response, ClientError> {
        let token = self.authorise().await?;
        self.attempt(&method, path, || {
            let mut request = self.request(method.clone(), path);
            if let Some(body) = &body {
                request = request.header(CONTENT_TYPE, JSON).body(body.clone());
            }
            self.credit(request, token.as_ref())
        })
        .await
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        make: impl Fn() -> RequestBuilder,
    ) -> Result<Response, ClientError> {
        let mut waits = self.0.waits.iter();
        loop {
            match self.once(method, path, make()).await {
                Err(error) if error.retry_is_safe() => {
                    let Some(wait) = waits.next() else { return Err(error) };
                    tracing::debug!(%error, ?wait, "no connection, trying again");
                    tokio::time::sleep(*wait).await;
                }
                other => return other,
            }
        }
    }

    /// One attempt: the answer, or the refusal as an error.
    pub(crate) async fn once(
        &self,
        method: &Method,
        path: &str,
        request: RequestBuilder,
    ) -> Result<Response, ClientError> {
        let response = tokio::time::timeout(self.0.timeout, request.send())
            .await
            .map_err(|_| ClientError::Timeout {
                endpoint: self.endpoint(),
                what: format!("{method} {path}"),
            })?
            .map_err(|e| self.failure(&e, &format!("{method} {path}")))?;
        self.judge(method, path, response).await
    }

    /// The answer, or the refusal as an error.
    pub(crate) async fn judge(
        &self,
        method: &Method,
        path: &str,
        response: Response,
    ) -> Result<Response, ClientError> {
        let what = format!("{method} {path}");
        if response.status().as_u16() < 400 {
            return Ok(response);
        }
        let status = response.status().as_u16();
        // A refusal is short; what is longer than this is not ours to understand.
        let body = tokio::time::timeout(self.0.timeout, self.collect(response, &what))
            .await
            .ok()
            .and_then(Result::ok)
            .unwrap_or_default();
        Err(refusal(method, path, status, &body))
    }

    /// A request with everything but credentials and body.
    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let mut request = self
            .0
            .http
            .request(method, format!("{}{path}", self.0.base))
            .header(ACCEPT, JSON)
            .header(CACHE_CONTROL, "no-store");
        if let Some(level) = self.0.log_level {
            request = request.header(wire::LOG_REQUEST, level.name());
        }
        if let Some(token) = &self.0.log_token {
            request = request.header(wire::LOG_TOKEN, token);
        }
        request
    }

    /// Puts the credentials on a request; `token` is what [`authorise`](Self::authorise) gave.
    pub(crate) fn credit(&self, request: RequestBuilder, token: Option<&Secret>) -> RequestBuilder {
        match (token, &self.0.keyring.given) {
            (Some(token), _) => request.bearer_auth(token.expose()),
            (None, Credentials::Basic { user, password }) => {
                request.basic_auth(user, Some(password.expose()))
            }
            _ => request,
        }
    }

    /// The bearer token to use, fetched or renewed when it must be.
    pub(crate) async fn authorise(&self) -> Result<Option<Secret>, ClientError> {
        let (user, password) = match &self.0.keyring.given {
            Credentials::None | Credentials::Basic { .. } => return Ok(None),
            Credentials::Token(token) => return Ok(Some(token.clone())),
            Credentials::Login { user, password } => (user, password),
        };
        let mut session = self.0.keyring.session.lock().await;
        if let Some(live) = session.as_ref().filter(|s| s.since.elapsed() < REFRESH_AFTER) {
            return Ok(Some(live.token.clone()));
        }
        let mut path = format!("{API}/users/");
        escape_into(&mut path, user, false);
        path.push_str(&format!("/token?ttl={LOGIN_TTL}"));
        let since = Instant::now();
        let old = session.take().map(|s| s.token);
        let mut answer = None;
        if let Some(old) = old {
            answer = self.fetch_token(&path, |r| r.bearer_auth(old.expose())).await.ok();
        }
        let answer = match answer {
            Some(answer) => answer,
            None => self.fetch_token(&path, |r| r.basic_auth(user, Some(password.expose()))).await?,
        };
        let token = Secret::new(answer.token);
        *session = Some(Session { token: token.clone(), since });
        Ok(Some(token))
    }

    async fn fetch_token(
        &self,
        path: &str,
        credit: impl Fn(RequestBuilder) -> RequestBuilder,
    ) -> Result<UserToken, ClientError> {
        let response = self.attempt(&Method::GET, path, || credit(self.request(Method::GET, path))).await?;
        let body = self.collect(response, "GET token").await?;
        decode(&Method::GET, path, &body)
    }

    /// The body, within the limit.
    pub(crate) async fn collect(&self, mut response: Response, what: &str) -> Result<Bytes, ClientError> {
        let limit = self.0.body_limit;
        let too_long = || ClientError::Answer {
            what: what.to_owned(),
            reason: format!("it is longer than the limit of {limit} bytes"),
        };
        if response.content_length().is_some_and(|n| n > limit) {
            return Err(too_long());
        }
        let Some(first) = response.chunk().await.map_err(|e| self.failure(&e, what))? else {
            return Ok(Bytes::new());
        };
        let mut all = None::<BytesMut>;
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failure(&e, what))? {
            let all = all.get_or_insert_with(|| BytesMut::from(&first[..]));
            if (all.len() + chunk.len()) as u64 > limit {
                return Err(too_long());
            }
            all.extend_from_slice(&chunk);
        }
        Ok(all.map_or(first, BytesMut::freeze))
    }

    /// A failure of the transport in words.
    pub(crate) fn failure(&self, error: &reqwest::Error, what: &str) -> ClientError {
        let endpoint = self.endpoint();
        if let Some(reason) = certificate_trouble(error) {
            return ClientError::Untrusted { endpoint, reason };
        }
        let reason = root_cause(error);
        if error.is_connect() {
            ClientError::Unreachable { endpoint, reason }
        } else if error.is_timeout() {
            ClientError::Timeout { endpoint, what: what.to_owned() }
        } else if error.is_builder() {
            ClientError::Setting(format!("{what}: {reason}"))
        } else {
            ClientError::Broken { endpoint, reason }
        }
    }
}

/// The refusal that an answer of status 400 and above means.
pub(crate) fn refusal(method: &Method, path: &str, status: u16, body: &[u8]) -> ClientError {
    match serde_json::from_slice::<drp_protocol::Error>(body) {
        Ok(mut error) if !error.messages.is_empty() || !error.r#type.is_empty() => {
            if error.code == 0 {
                error.code = status;
            }
            ClientError::Api(error)
        }
        _ => ClientError::Status { method: method.to_string(), path: path.to_owned(), status },
    }
}

pub(crate) fn encode(body: &(impl Serialize + ?Sized)) -> Result<Bytes, ClientError> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|e| ClientError::Setting(format!("the request cannot be written as JSON: {e}")))
}

pub(crate) fn decode<T: DeserializeOwned>(
    method: &Method,
    path: &str,
    body: &[u8],
) -> Result<T, ClientError> {
    serde_json::from_slice(body)
        .map_err(|e| ClientError::Answer { what: format!("{method} {path}"), reason: e.to_string() })
}

/// The innermost text of an error: the outer ones only say that something failed.
pub(crate) fn root_cause(error: &(dyn std::error::Error + 'static)) -> String {
    let mut deepest = error;
    while let Some(inner) = deepest.source() {
        deepest = inner;
    }
    deepest.to_string()
}

/// What is wrong with the certificate, when that is what stopped the connection. An I/O error hides the error it
/// wraps from `source`, so that both ways are gone.
fn certificate_trouble(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return certificate_words(tls);
    }
    if let Some(inner) = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
        return certificate_trouble(inner);
    }
    certificate_trouble(error.source()?)
}

/// The words for a certificate that was not accepted; `None` for other TLS errors.
pub(crate) fn certificate_words(error: &rustls::Error) -> Option<String> {
    match error {
        rustls::Error::InvalidCertificate(rustls::CertificateError::ApplicationVerificationFailure) => {
            Some("it is not the pinned one".into())
        }
        rustls::Error::InvalidCertificate(rustls::CertificateError::UnknownIssuer) => {
            Some("no authority that is trusted here signed it".into())
        }
        rustls::Error::InvalidCertificate(why) => Some(why.to_string()),
        _ => None,
    }
}
