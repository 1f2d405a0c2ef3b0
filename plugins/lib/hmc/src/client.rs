//! A session at an HMC.

use crate::codec::{self, JobStatus, Partition};
use crate::error::Error;
use bytes::BytesMut;
use drp_protocol::Secret;
use drp_tls::{Fingerprint, Seen, Trust};
use reqwest::header::{ACCEPT, CONTENT_TYPE, COOKIE, HeaderValue, SET_COOKIE};
use reqwest::redirect::Policy;
use reqwest::{Method, Response, StatusCode};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// The port of the REST interface (HMC REST API).
pub const DEFAULT_PORT: u16 = 12443;
/// Longest wait for a connection, TLS included.
const CONNECT: Duration = Duration::from_secs(10);
/// Longest wait for a Logoff.
const LOGOFF: Duration = Duration::from_secs(2);

const LOGON: &str = "/rest/api/web/Logon";
const ATOM: &str = "application/atom+xml; charset=UTF-8";

/// Which HMC, and as whom.
#[derive(Debug, Clone)]
pub struct Login {
    /// Host name or address, an IPv6 address without brackets.
    pub host: String,
    /// Port; 0 is [`DEFAULT_PORT`].
    pub port: u16,
    /// User of the HMC.
    pub username: String,
    /// Its password.
    pub password: Secret,
    /// Which certificate is believed.
    pub trust: Trust,
    /// Longest wait for one answer.
    pub timeout: Duration,
}

impl Login {
    /// A login with the defaults: port 12443, certificate verified, 30 s.
    #[must_use]
    pub fn new(host: impl Into<String>, username: impl Into<String>, password: Secret) -> Self {
        let (trust, timeout) = (Trust::default(), Duration::from_secs(30));
        Self { host: host.into(), port: 0, username: username.into(), password, trust, timeout }
    }

    fn base(&self) -> String {
        let scheme = if self.trust == Trust::Plain { "http" } else { "https" };
        let port = if self.port == 0 { DEFAULT_PORT } else { self.port };
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        format!("{scheme}://{host}:{port}")
    }
}

/// What is done with a partition (HMC REST API, PowerOn_LogicalPartition and PowerOff_LogicalPartition).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Job {
    /// Activates it in normal boot mode.
    PowerOn,
    /// Stops it at once.
    PowerOff,
    /// Stops it at once and starts it again.
    Restart,
    /// Asks its operating system to shut down.
    OsShutdown,
    /// Has its operating system write a dump and start again.
    DumpRestart,
}

impl Job {
    /// Name of the operation, version of its schema, and parameters.
    #[must_use]
    pub fn request(self) -> (&'static str, &'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Self::PowerOn => {
                ("PowerOn", "V1_1_0", &[("novsi", "true"), ("force", "false"), ("bootmode", "norm")])
            }
            Self::PowerOff => (
                "PowerOff",
                "V1_0",
                &[("immediate", "true"), ("restart", "false"), ("operation", "shutdown")],
            ),
            Self::Restart => {
                ("PowerOff", "V1_0", &[("immediate", "true"), ("restart", "true"), ("operation", "shutdown")])
            }
            Self::OsShutdown => (
                "PowerOff",
                "V1_0",
                &[("immediate", "false"), ("restart", "false"), ("operation", "osshutdown")],
            ),
            Self::DumpRestart => (
                "PowerOff",
                "V1_0",
                &[("immediate", "true"), ("restart", "true"), ("operation", "dumprestart")],
            ),
        }
    }
}

/// The certificate that the HMC shows, without credentials being sent; `None` without TLS.
///
/// # Errors
/// [`Error::Unreachable`], [`Error::Silent`] and so on.
pub async fn shown_certificate(login: &Login) -> Result<Option<Fingerprint>, Error> {
    let wire = Wire::new(&Login { trust: Trust::Insecure, ..login.clone() })?;
    wire.send(Method::GET, "/", None, "*/*").await?;
    Ok(wire.seen.fingerprint())
}

/// A session. It ends with [`Client::logoff`]; one that is dropped without is ended in the background.
#[derive(Debug)]
pub struct Client {
    wire: Wire,
    over: AtomicBool,
}

impl Client {
    /// Opens a session (HMC REST API, Logon and Logoff).
    ///
    /// # Errors
    /// [`Error::Credentials`], [`Error::Untrusted`], [`Error::Exhausted`] and so on.
    pub async fn logon(login: &Login) -> Result<Self, Error> {
        let odd = |text: &str| text.is_empty() || text.len() > 256 || text.chars().any(char::is_control);
        if odd(&login.username) || odd(login.password.expose()) {
            let what = "user or password is empty, longer than 256 bytes, or holds control characters";
            return Err(Error::Setting { what: what.to_owned() });
        }
        let mut wire = Wire::new(login)?;
        let body = Secret::new(codec::logon_request(&login.username, login.password.expose()));
        let kind = "application/vnd.ibm.powervm.web+xml; type=LogonRequest";
        let accept = "application/vnd.ibm.powervm.web+xml; type=LogonResponse";
        let answer = wire.send(Method::PUT, LOGON, Some((kind, &body)), accept).await?;
        let user = login.username.clone();
        match answer.status.as_u16() {
            200..=299 => {}
            401 => return Err(Error::Credentials { user, said: codec::refusal(&answer.text) }),
            _ => return Err(wire.refused(&Method::PUT, LOGON, &answer)),
        }
        let session =
            codec::session(&answer.text).map_err(|what| wire.broken(&Method::PUT, LOGON, what, false))?;
        wire.open(&session, &answer.cookies)?;
        Ok(Self { wire, over: AtomicBool::new(false) })
    }

    /// The certificate of the connection.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.wire.seen.fingerprint()
    }

    /// Reads a partition (HMC REST API, LogicalPartition).
    ///
    /// # Errors
    /// [`Error::NoPartition`], [`Error::SessionLost`] and so on.
    pub async fn partition(&self, partition: &str) -> Result<Partition, Error> {
        let path = format!("/rest/api/uom/LogicalPartition/{partition}");
        let answer =
            self.ask(Method::GET, &path, None).await.map_err(|error| no_partition(error, partition))?;
        codec::partition(&answer.text).map_err(|what| self.wire.broken(&Method::GET, &path, what, false))
    }

    /// Starts a job. It runs on when nobody asks for it.
    ///
    /// # Errors
    /// [`Error::Refused`] and so on; [`Error::maybe_done`] tells whether it may run.
    pub async fn start(&self, partition: &str, job: Job) -> Result<JobStatus, Error> {
        let (operation, version, parameters) = job.request();
        let path = format!("/rest/api/uom/LogicalPartition/{partition}/do/{operation}");
        let body = Secret::new(codec::job_request(operation, version, parameters));
        let answer = self
            .ask(Method::PUT, &path, Some(&body))
            .await
            .map_err(|error| no_partition(error, partition))?;
        codec::job(&answer.text).map_err(|what| self.wire.broken(&Method::PUT, &path, what, true))
    }

    /// How far a job is.
    ///
    /// # Errors
    /// Everything of [`Error`] that a reading can meet.
    pub async fn job(&self, id: &str) -> Result<JobStatus, Error> {
        let path = format!("/rest/api/uom/jobs/{id}");
        let answer = self.ask(Method::GET, &path, None).await?;
        codec::job(&answer.text).map_err(|what| self.wire.broken(&Method::GET, &path, what, false))
    }

    /// Removes a job that has ended from the HMC's list, as the HMC asks of its clients.
    ///
    /// # Errors
    /// Everything of [`Error`] that a reading can meet.
    pub async fn forget(&self, id: &str) -> Result<(), Error> {
        self.ask(Method::DELETE, &format!("/rest/api/uom/jobs/{id}"), None).await.map(drop)
    }

    /// Version and name of the HMC.
    ///
    /// # Errors
    /// Everything of [`Error`] that a reading can meet.
    pub async fn console(&self) -> Result<(String, String), Error> {
        let path = "/rest/api/uom/ManagementConsole";
        let answer = self.ask(Method::GET, path, None).await?;
        codec::console(&answer.text).map_err(|what| self.wire.broken(&Method::GET, path, what, false))
    }

    /// Ends the session.
    ///
    /// # Errors
    /// The HMC did not confirm it; it drops idle sessions by itself.
    pub async fn logoff(self) -> Result<(), Error> {
        self.over.store(true, Ordering::Release);
        self.wire.logoff().await
    }

    async fn ask(&self, method: Method, path: &str, body: Option<&Secret>) -> Result<Answer, Error> {
        let body = body.map(|body| ("application/vnd.ibm.powervm.web+xml; type=JobRequest", body));
        let answer = self.wire.send(method.clone(), path, body, ATOM).await?;
        if answer.status.is_success() {
            return Ok(answer);
        }
        if answer.status == StatusCode::UNAUTHORIZED {
            return Err(Error::SessionLost { said: codec::refusal(&answer.text) });
        }
        Err(self.wire.refused(&method, path, &answer))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        if !self.over.load(Ordering::Acquire)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let wire = self.wire.clone();
            runtime.spawn(async move { wire.logoff().await });
        }
    }
}

fn no_partition(error: Error, partition: &str) -> Error {
    match error {
        Error::Refused { status: 404, said, .. } => {
            Error::NoPartition { partition: partition.to_owned(), said }
        }
        error => error,
    }
}

struct Answer {
    status: StatusCode,
    cookies: Vec<String>,
    text: String,
}

/// The connections to one HMC.
#[derive(Debug, Clone)]
struct Wire {
    http: reqwest::Client,
    base: String,
    timeout: Duration,
    trust: Trust,
    seen: Seen,
    /// Session header and cookies; sensitive, so they are printed nowhere.
    session: Vec<(&'static str, HeaderValue)>,
}

impl Wire {
    fn new(login: &Login) -> Result<Self, Error> {
        let setting = |what: String| Error::Setting { what };
        let (config, seen) = drp_tls::config(&login.trust).map_err(setting)?;
        let http = reqwest::Client::builder()
            .tls_backend_preconfigured(config)
            .redirect(Policy::none())
            // Credentials must not go to a proxy that the environment names.
            .no_proxy()
            .connect_timeout(CONNECT.min(login.timeout))
            .timeout(login.timeout)
            .pool_idle_timeout(Duration::from_secs(15))
            .tcp_nodelay(true)
            .build()
            .map_err(|e| setting(format!("HTTP client: {e}")))?;
        Ok(Self {
            http,
            base: login.base(),
            timeout: login.timeout,
            trust: login.trust.clone(),
            seen,
            session: Vec::new(),
        })
    }

    fn open(&mut self, session: &str, cookies: &[String]) -> Result<(), Error> {
        let mut headers = vec![("x-api-session", session.to_owned())];
        if !cookies.is_empty() {
            headers.push((COOKIE.as_str(), cookies.join("; ")));
        }
        for (name, value) in headers {
            let mut value = HeaderValue::from_str(&value).map_err(|_| {
                self.broken(&Method::PUT, LOGON, "a session that is no header".to_owned(), false)
            })?;
            value.set_sensitive(true);
            self.session.push((name, value));
        }
        Ok(())
    }

    async fn logoff(&self) -> Result<(), Error> {
        let sent = tokio::time::timeout(LOGOFF, self.send(Method::DELETE, LOGON, None, "*/*")).await;
        let answer = sent.map_err(|_| Error::Silent {
            request: format!("DELETE {LOGON}"),
            waited: LOGOFF,
            maybe_done: false,
        })??;
        if answer.status.is_success() { Ok(()) } else { Err(self.refused(&Method::DELETE, LOGON, &answer)) }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, &Secret)>,
        accept: &str,
    ) -> Result<Answer, Error> {
        let mut request =
            self.http.request(method.clone(), format!("{}{path}", self.base)).header(ACCEPT, accept);
        for (name, value) in &self.session {
            request = request.header(*name, value);
        }
        if let Some((kind, body)) = body {
            request = request.header(CONTENT_TYPE, kind).body(body.expose().clone());
        }
        let changes = path.contains("/do/");
        let mut response = request.send().await.map_err(|e| self.failed(&method, path, &e, changes))?;
        let (status, cookies) = (response.status(), cookies(&response));
        let mut bytes = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failed(&method, path, &e, changes))? {
            if bytes.len() + chunk.len() > codec::MAX_DOCUMENT {
                let what = format!("more than {} MiB", codec::MAX_DOCUMENT >> 20);
                return Err(self.broken(&method, path, what, changes));
            }
            bytes.extend_from_slice(&chunk);
        }
        Ok(Answer { status, cookies, text: String::from_utf8_lossy(&bytes).into_owned() })
    }

    /// Makes an answer that is no success an error.
    fn refused(&self, method: &Method, path: &str, answer: &Answer) -> Error {
        let (status, said) = (answer.status.as_u16(), codec::refusal(&answer.text));
        let lower = said.to_ascii_lowercase();
        if lower.contains("session") && (lower.contains("maximum") || lower.contains("limit")) {
            return Error::Exhausted { said };
        }
        match status {
            429 | 503 => Error::Busy { status, said },
            _ => Error::Refused { request: format!("{method} {path}"), status, said },
        }
    }

    fn broken(&self, method: &Method, path: &str, what: String, maybe_done: bool) -> Error {
        Error::Protocol { request: format!("{method} {path}"), what, maybe_done }
    }

    fn failed(&self, method: &Method, path: &str, error: &reqwest::Error, changes: bool) -> Error {
        let maybe_done = changes && !error.is_connect();
        if error.is_timeout() {
            return Error::Silent { request: format!("{method} {path}"), waited: self.timeout, maybe_done };
        }
        if let Some(why) = drp_tls::refused_certificate(error) {
            let pinned = matches!(self.trust, Trust::Pinned(_));
            let why = if pinned { "it is not the pinned one".to_owned() } else { why };
            return Error::Untrusted { why, fingerprint: self.seen.fingerprint() };
        }
        // The innermost cause says most, and none of them holds headers.
        let mut why: &dyn std::error::Error = error;
        while let Some(source) = why.source() {
            why = source;
        }
        Error::Unreachable { why: why.to_string(), maybe_done }
    }
}

/// Names and values of the cookies that an answer sets.
fn cookies(response: &Response) -> Vec<String> {
    let set = response.headers().get_all(SET_COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = set.filter_map(|cookie| cookie.split(';').next()).map(|pair| pair.trim().to_owned());
    pairs.filter(|pair| pair.len() <= 4096 && pair.contains('=')).take(16).collect()
}
