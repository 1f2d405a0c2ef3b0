//! HTTP to one BMC: bounded, with a deadline, and sure about what may have been carried out.

use crate::error::Error;
use crate::message::{Message, clean};
use crate::target::Target;
use bytes::BytesMut;
use drp_tls::{Seen, Trust};
use reqwest::header::{ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Method, StatusCode};
use serde_json::Value;
use std::error::Error as _;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longest answer that is read. The largest resources of real services are some hundred KiB.
const MAX_BODY: usize = 4 << 20;
/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// A BMC has few connections; an idle one is given back soon.
const IDLE: Duration = Duration::from_secs(15);
/// So many redirects of a reading are followed.
const MAX_REDIRECTS: usize = 3;

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The body; `None` when there was none, which is no error (204 and others).
    pub(crate) body: Option<Value>,
}

impl Answer {
    pub(crate) fn header(&self, name: &HeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn etag(&self) -> Option<String> {
        self.header(&ETAG).map(str::to_owned).or_else(|| {
            let body = self.body.as_ref()?;
            Some(body.get("@odata.etag")?.as_str()?.to_owned())
        })
    }

    /// Path of `Location`, whether it was sent with or without scheme and host.
    pub(crate) fn location(&self) -> Option<String> {
        let text = self.header(&LOCATION)?;
        let path = match text.split_once("://") {
            Some((_, rest)) => rest.find('/').map(|at| &rest[at..])?,
            None => text,
        };
        is_path(path).then(|| path.to_owned())
    }

    pub(crate) fn retry_after(&self) -> Option<Duration> {
        self.header(&RETRY_AFTER)?.trim().parse().ok().map(Duration::from_secs)
    }
}

/// Whether a text from a BMC is a path on that BMC: it must never send us elsewhere.
pub(crate) fn is_path(text: &str) -> bool {
    text.starts_with('/')
        && !text.starts_with("//")
        && text.len() <= 2048
        && text.chars().all(|c| c.is_ascii_graphic() && c != '\\')
}

/// The connections to one BMC.
#[derive(Debug)]
pub(crate) struct Transport {
    http: reqwest::Client,
    base: String,
    /// `host:port`.
    pub(crate) bmc: String,
    user: String,
    timeout: Duration,
    trust: Trust,
    seen: Seen,
    /// Bytes of bodies so far.
    received: AtomicU64,
}

impl Transport {
    pub(crate) fn new(target: &Target) -> Result<Self, Error> {
        let (config, seen) = drp_tls::config(&target.trust).map_err(Error::setting)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(Policy::none())
            // A BMC is not behind a proxy that the environment names, and the credentials must not go there.
            .no_proxy()
            .connect_timeout(CONNECT.min(target.timeout))
            .timeout(target.timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(1)
            .tcp_nodelay(true)
            .build()
            .map_err(|e| Error::setting(format!("HTTP client: {e}")))?;
        Ok(Self {
            http,
            base: target.base(),
            bmc: target.endpoint(),
            user: target.username.clone(),
            timeout: target.timeout,
            trust: target.trust.clone(),
            seen,
            received: AtomicU64::new(0),
        })
    }

    /// Bytes of all bodies read so far.
    pub(crate) fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    pub(crate) fn seen(&self) -> &Seen {
        &self.seen
    }

    /// Sends one request and reads its answer, whatever its status.
    pub(crate) async fn send(
        &self,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let mut path = path.to_owned();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.once(method, &path, headers, body).await?;
            if *method != Method::GET || !answer.status.is_redirection() {
                return Ok(answer);
            }
            let Some(next) = answer.location() else { return Ok(answer) };
            path = next;
        }
        Err(self.broken(method, &path, "one redirect after the other", false))
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        headers: &[(HeaderName, HeaderValue)],
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        if !is_path(path) {
            return Err(self.broken(
                method,
                "a resource",
                format!("a link that is no path: {}", clean(path)),
                false,
            ));
        }
        let mut request = self
            .http
            .request(method.clone(), format!("{}{path}", self.base))
            .header("accept", "application/json")
            .header("odata-version", "4.0");
        for (name, value) in headers {
            request = request.header(name, value);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let changes = *method != Method::GET;
        let mut response = request.send().await.map_err(|e| self.failed(method, path, &e, changes))?;
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(method, path, &e, changes))? {
            if bytes.len() + chunk.len() > MAX_BODY {
                return Err(self.broken(method, path, format!("more than {} MiB", MAX_BODY >> 20), changes));
            }
            bytes.extend_from_slice(&chunk);
            self.received.fetch_add(u64::try_from(chunk.len()).unwrap_or(u64::MAX), Ordering::Relaxed);
        }
        let status = response.status();
        let body = match bytes.trim_ascii() {
            [] => None,
            text => match serde_json::from_slice(text) {
                Ok(value) => Some(value),
                // A web server before the service may answer errors in HTML.
                Err(_) if !status.is_success() => None,
                Err(e) => {
                    return Err(self.broken(method, path, format!("a body that is not JSON: {e}"), changes));
                }
            },
        };
        Ok(Answer { status, headers: response.headers().clone(), body })
    }

    /// Makes an answer that is no success an error.
    pub(crate) fn check(&self, method: &Method, path: &str, answer: Answer) -> Result<Answer, Error> {
        let status = answer.status.as_u16();
        if answer.status.is_success() {
            return Ok(answer);
        }
        let bmc = self.bmc.clone();
        let request = format!("{method} {path}");
        let said = Message::of(answer.body.as_ref());
        let retry_after = answer.retry_after();
        Err(match (status, said.key()) {
            (_, "SessionLimitExceeded" | "CreateLimitReachedForResource") => Error::Exhausted { bmc, said },
            (401 | 403, _) => Error::Credentials { bmc, user: self.user.clone(), status },
            (404 | 405 | 501, _)
            | (
                400,
                "ActionNotSupported"
                | "ActionParameterNotSupported"
                | "ActionParameterUnknown"
                | "ActionParameterValueNotInList"
                | "ActionParameterValueNotSupported"
                | "PropertyNotWritable"
                | "PropertyUnknown"
                | "PropertyValueNotInList"
                | "PropertyValueNotSupported",
            ) => Error::Unsupported { bmc, request, said },
            (409 | 429 | 503, _) => Error::Busy { bmc, status, said, retry_after },
            _ => Error::Refused { bmc, request, status, said },
        })
    }

    pub(crate) fn broken(
        &self,
        method: &Method,
        path: &str,
        what: impl Into<String>,
        maybe_done: bool,
    ) -> Error {
        let (bmc, request) = (self.bmc.clone(), format!("{method} {path}"));
        Error::Protocol { bmc, request, what: what.into(), maybe_done }
    }

    fn failed(&self, method: &Method, path: &str, error: &reqwest::Error, changes: bool) -> Error {
        let bmc = self.bmc.clone();
        if error.is_timeout() {
            let maybe_done = changes && !error.is_connect();
            return Error::Silent {
                bmc,
                request: format!("{method} {path}"),
                waited: self.timeout,
                maybe_done,
            };
        }
        if let Some(why) = drp_tls::refused_certificate(error) {
            let why = match self.trust {
                Trust::Pinned(_) => "it is not the pinned one".to_owned(),
                _ => clean(&why),
            };
            return Error::Untrusted { bmc, why, fingerprint: self.seen.fingerprint() };
        }
        // The innermost cause says most, and none of them holds the request's headers.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        if speaks_another_protocol(error) {
            let what = format!("what answers there is no Redfish service: {}", clean(&why.to_string()));
            return self.broken(method, path, what, changes && !error.is_connect());
        }
        Error::Unreachable { bmc, why: clean(&why.to_string()), maybe_done: changes && !error.is_connect() }
    }
}

/// The causes of an error, the outermost first.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn std::error::Error + 'static)> {
    std::iter::successors(error.source(), |&at| {
        // `source` of an I/O error skips the error inside it, which is often the one that is looked for.
        match at.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inside) => Some(inside),
            None => at.source(),
        }
    })
}

/// Whether somebody answered, and it was neither TLS nor HTTP.
fn speaks_another_protocol(error: &reqwest::Error) -> bool {
    causes(error).any(|at| {
        let no_http = at.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse);
        no_http || matches!(at.downcast_ref(), Some(rustls::Error::InvalidMessage(_)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_the_bmc_itself_are_followed() {
        assert!(is_path("/redfish/v1/Systems/1"));
        for bad in
            ["", "redfish/v1", "//evil.example/x", "http://evil.example/", "/a b", "/a\r\nb", "/\\evil", "/ä"]
        {
            assert!(!is_path(bad), "{bad:?}");
        }
        assert!(!is_path(&format!("/{}", "a".repeat(3000))));
    }
}
