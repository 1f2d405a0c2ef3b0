//! HTTP to the API: bounded, with deadlines, and sure about what may have been carried out.

use super::gate::{Gate, retry_after};
use super::{MetalError, tls};
use bytes::BytesMut;
use drp_plugin_sdk::{Secret, Value, tracing};
use reqwest::header::HeaderValue;
use reqwest::redirect::Policy;
use reqwest::{Method, Response, Url};
use std::net::IpAddr;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Longest answer that is read. A page of a hundred devices is some hundred KiB.
const MAX_BODY: usize = 16 << 20;
const CONNECT: Duration = Duration::from_secs(10);
/// So many requests at the same time.
const AT_ONCE: usize = 8;
/// So often is asked, where asking again does no harm.
const TRIES: u32 = 4;
/// Before the second try; doubled for each further one.
const FIRST_WAIT: Duration = Duration::from_millis(250);
/// A request may wait so long, over all its tries, beside its deadline.
const PATIENCE: Duration = Duration::from_secs(60);
/// So much of a text from the service is shown.
const SHOWN: usize = 300;

/// Where the API is.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    /// `packet/api-url`.
    pub(crate) url: String,
    /// `packet/tls-ca`: authorities in PEM form.
    pub(crate) ca: Option<String>,
    /// `packet/api-key`.
    pub(crate) key: Secret,
    /// For one answer.
    pub(crate) timeout: Duration,
}

/// The API with one key.
#[derive(Debug)]
pub(crate) struct Metal {
    http: reqwest::Client,
    base: Url,
    host: String,
    key: HeaderValue,
    timeout: Duration,
    at_once: Semaphore,
    gate: Gate,
}

impl Metal {
    /// Sends nothing yet.
    pub(crate) fn new(target: &Target) -> Result<Self, MetalError> {
        let setting = |text: &str| MetalError::Setting(text.to_owned());
        let base = Url::parse(target.url.trim_end_matches('/'))
            .ok()
            .filter(|url| url.query().is_none() && url.fragment().is_none() && url.host_str().is_some())
            .ok_or_else(|| setting("packet/api-url is not a URL such as https://api.equinix.com/metal/v1"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(setting("packet/api-url holds credentials; the key belongs into packet/api-key"));
        }
        let loopback = is_loopback(&base);
        match base.scheme() {
            "https" => {}
            "http" if loopback => {}
            _ => return Err(setting("packet/api-url must be https: the key would travel in the clear")),
        }
        let mut key = HeaderValue::from_str(target.key.expose())
            .map_err(|_| setting("packet/api-key cannot be a header: it holds line ends or the like"))?;
        if key.is_empty() {
            return Err(setting("packet/api-key is empty"));
        }
        key.set_sensitive(true);
        let mut http = reqwest::Client::builder()
            .tls_backend_preconfigured(tls::config(target.ca.as_deref())?)
            .redirect(Policy::none())
            .connect_timeout(CONNECT.min(target.timeout))
            .timeout(target.timeout)
            .pool_max_idle_per_host(AT_ONCE)
            .tcp_nodelay(true)
            .user_agent(concat!("drp-packet-ipmi/", env!("CARGO_PKG_VERSION")));
        if loopback {
            http = http.no_proxy();
        }
        let http = http.build().map_err(|e| MetalError::Setting(format!("HTTP client: {e}")))?;
        let host = base.host_str().unwrap_or_default().to_owned();
        let at_once = Semaphore::new(AT_ONCE);
        Ok(Self { http, base, host, key, timeout: target.timeout, at_once, gate: Gate::default() })
    }

    /// Sends a request, with further tries where they do no harm: readings that failed in passing, and anything that
    /// the service surely did not take (429, no connection). `None`: success without a body.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Option<Value>, MetalError> {
        let shown = format!("{method} /{}", path.join("/"));
        let end = Instant::now() + self.timeout + PATIENCE;
        let mut wait = FIRST_WAIT;
        for tries in 1.. {
            if let Some(since) = self.gate.open_since() {
                return Err(MetalError::Locked { since });
            }
            let pause = self.gate.pause();
            if Instant::now() + pause > end {
                let said = format!("it wants no request for {} s", pause.as_secs());
                return Err(MetalError::Busy { request: shown, said });
            }
            tokio::time::sleep(pause).await;
            let outcome = {
                let _place = self.at_once.acquire().await;
                self.once(&method, path, query, body, &shown).await
            };
            let error = match outcome {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let reading = method == Method::GET;
            let again = match &error {
                MetalError::Busy { .. } => true,
                // Who waited for one answer in vain will not wait for another.
                MetalError::Silent { .. } => false,
                MetalError::Unreachable { maybe_done, .. } => reading || !maybe_done,
                error => reading && error.passes(),
            };
            if !again || tries >= TRIES || Instant::now() + wait > end {
                return Err(error);
            }
            tracing::debug!("{error}; trying again");
            tokio::time::sleep(wait).await;
            wait *= 2;
        }
        unreachable!("the loop ends by returning")
    }

    async fn once(
        &self,
        method: &Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
        shown: &str,
    ) -> Result<Option<Value>, MetalError> {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        let mut request = self
            .http
            .request(method.clone(), url)
            .header("accept", "application/json")
            .header("x-auth-token", self.key.clone());
        if let Some(body) = body {
            request = request.json(body);
        }
        let changes = *method != Method::GET;
        let mut response = request.send().await.map_err(|e| self.failed(shown, &e, changes))?;
        self.gate.heed(response.headers());
        let bytes = self.body(&mut response, shown, changes).await?;
        self.judge(shown, &response, &bytes, changes)
    }

    async fn body(
        &self,
        response: &mut Response,
        shown: &str,
        changes: bool,
    ) -> Result<BytesMut, MetalError> {
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(shown, &e, changes))? {
            if bytes.len() + chunk.len() > MAX_BODY {
                let what = format!("more than {} MiB", MAX_BODY >> 20);
                return Err(MetalError::Protocol { request: shown.to_owned(), what, maybe_done: changes });
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(bytes)
    }

    fn judge(
        &self,
        shown: &str,
        response: &Response,
        bytes: &[u8],
        changes: bool,
    ) -> Result<Option<Value>, MetalError> {
        let status = response.status();
        let request = shown.to_owned();
        let body: Result<Option<Value>, serde_json::Error> = match bytes.trim_ascii() {
            [] => Ok(None),
            text => serde_json::from_slice(text).map(Some),
        };
        if status.is_success() {
            self.gate.taken();
            return body.map_err(|e| MetalError::Protocol {
                request,
                what: format!("a body that is not JSON: {e}"),
                maybe_done: changes,
            });
        }
        let said = words(body.ok().flatten().as_ref());
        Err(match status.as_u16() {
            401 => {
                self.gate.refused();
                MetalError::Credentials { request, said }
            }
            403 => MetalError::Forbidden { request, said },
            404 | 410 => MetalError::Missing { request, said },
            status @ (405 | 501) => MetalError::Unsupported { request, status, said },
            429 => {
                self.gate.hold(retry_after(response.headers()).unwrap_or(FIRST_WAIT));
                MetalError::Busy { request, said }
            }
            status @ 400..=499 => MetalError::Refused { request, status, said },
            status @ 500.. => {
                if let Some(wait) = retry_after(response.headers()) {
                    self.gate.hold(wait);
                }
                MetalError::Service { request, status, said, maybe_done: changes }
            }
            status => MetalError::Protocol {
                request,
                what: format!("status {status}, and redirections are not followed"),
                maybe_done: changes,
            },
        })
    }

    fn failed(&self, shown: &str, error: &reqwest::Error, changes: bool) -> MetalError {
        let request = shown.to_owned();
        let maybe_done = changes && !error.is_connect();
        if let Some(why) = certificate(error) {
            return MetalError::Certificate { host: self.host.clone(), why };
        }
        if error.is_timeout() {
            return MetalError::Silent { request, waited: self.timeout, maybe_done };
        }
        // The innermost cause says most, and none of them holds the request's headers.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        MetalError::Unreachable { host: self.host.clone(), request, why: clean(&why.to_string()), maybe_done }
    }
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host == "localhost" || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The words of an error body: `errors[]`, or `error`.
fn words(body: Option<&Value>) -> String {
    let texts = |value: &Value| match value {
        Value::String(text) => vec![clean(text)],
        Value::Array(list) => list.iter().filter_map(Value::as_str).take(5).map(clean).collect(),
        _ => Vec::new(),
    };
    let said: Vec<String> = ["errors", "error"]
        .iter()
        .filter_map(|name| body?.get(name))
        .flat_map(texts)
        .filter(|text| !text.is_empty())
        .collect();
    if said.is_empty() { "no reason given".to_owned() } else { said.join("; ") }
}

/// A text from the service, fit for logs and terminals.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(SHOWN)
        .collect::<String>()
        .trim()
        .to_owned()
}

/// Why the certificate was refused, when that is what happened.
fn certificate(error: &reqwest::Error) -> Option<String> {
    drp_tls::refused_certificate(error).map(|why| clean(&why))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn target(url: &str) -> Target {
        Target {
            url: url.to_owned(),
            ca: None,
            key: "canary".to_owned().into(),
            timeout: Duration::from_secs(1),
        }
    }

    #[test]
    fn the_key_travels_in_the_clear_on_loopback_only() {
        for good in [
            "https://api.equinix.com/metal/v1",
            "http://127.0.0.1:80/",
            "http://[::1]:9/x/",
            "http://localhost",
        ] {
            assert!(Metal::new(&target(good)).is_ok(), "{good}");
        }
        for bad in [
            "http://api.equinix.com/metal/v1",
            "http://127.0.0.1.example/",
            "ftp://127.0.0.1/",
            "https://u:canary@x/",
            "https://x/?token=canary",
            "nonsense",
            "",
        ] {
            let error = Metal::new(&target(bad)).unwrap_err().to_string();
            assert!(error.contains("packet/api-url") && !error.contains("canary"), "{bad}: {error}");
        }
        let mut odd = target("https://x/");
        for key in ["", "a\r\nb"] {
            odd.key = key.to_owned().into();
            assert!(Metal::new(&odd).unwrap_err().to_string().contains("packet/api-key"));
        }
        assert!(!format!("{:?}", Metal::new(&target("https://x/")).unwrap()).contains("canary"));
    }

    #[test]
    fn the_words_of_an_error() {
        assert_eq!(words(Some(&json!({"errors": ["a", "b\nc"]}))), "a; b c");
        assert_eq!(words(Some(&json!({"error": "x"}))), "x");
        for odd in
            [None, Some(json!({})), Some(json!([1])), Some(json!({"errors": {"a": 1}})), Some(json!("x"))]
        {
            assert_eq!(words(odd.as_ref()), "no reason given");
        }
        assert_eq!(words(Some(&json!({"error": "é".repeat(1000)}))).chars().count(), SHOWN);
    }
}
