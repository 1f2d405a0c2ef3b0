//! A login at a Redfish service: session first, Basic where the service has no sessions.

use crate::error::Error;
use crate::target::Target;
use crate::transport::{Answer, Transport};
use base64::{Engine, engine::general_purpose::STANDARD};
use drp_protocol::Secret;
use drp_tls::{Fingerprint, Trust};
use reqwest::Method;
use reqwest::header::{AUTHORIZATION, HeaderName, HeaderValue, IF_MATCH};
use serde_json::{Value, json};
use std::time::Instant;

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");
/// The one path that is known beforehand (DSP0266, "Service root request").
const ROOT: &str = "/redfish/v1/";

/// How requests are authenticated.
enum Login {
    /// `X-Auth-Token`, and the session to delete at the end (DSP0266, "Redfish session login authentication").
    Session { token: HeaderValue, session: Option<String> },
    /// Basic on every request: the service has no sessions.
    Basic(HeaderValue),
}

/// A logged-in client of one BMC.
pub struct Client {
    transport: Transport,
    target: Target,
    login: Login,
    root: Value,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("bmc", &self.transport.bmc)
            .field("login", &self.login_words())
            .finish()
    }
}

impl Client {
    /// Reads the service root and logs in.
    ///
    /// # Errors
    /// [`Error::Unreachable`], [`Error::Untrusted`], [`Error::Credentials`], [`Error::Exhausted`] and so on;
    /// [`Error::Unsupported`] when there is no Redfish service at that address.
    pub async fn connect(target: &Target) -> Result<Self, Error> {
        let transport = Transport::new(target)?;
        let answer = transport.send(&Method::GET, ROOT, &[], None).await?;
        // Before login only the root is readable, and some services want credentials for it too.
        let root = match answer.status.as_u16() {
            401 | 403 => Value::Null,
            _ => transport.check(&Method::GET, ROOT, answer)?.body.unwrap_or_default(),
        };
        let mut client =
            Self { login: Login::Basic(basic(target)?), target: target.clone(), transport, root };
        client.log_in().await?;
        match client.look_round().await {
            Ok(()) => Ok(client),
            Err(error) => {
                // The BMC has few session slots: what was just opened is given back.
                if let Err(left) = client.close().await {
                    tracing::debug!("closing the session: {left}");
                }
                Err(error)
            }
        }
    }

    /// Makes sure that this is a service.
    async fn look_round(&mut self) -> Result<(), Error> {
        if self.root.is_null() {
            self.root = self.get(ROOT).await?.body;
        }
        if self.root.get("Systems").is_none() {
            return Err(self.unsupported("act as a Redfish service", "its service root links no Systems"));
        }
        Ok(())
    }

    /// `host:port` of the BMC.
    #[must_use]
    pub fn bmc(&self) -> &str {
        &self.transport.bmc
    }

    /// The service root as it was read at login.
    #[must_use]
    pub fn root(&self) -> &Value {
        &self.root
    }

    /// `session` or `basic`: how requests are authenticated.
    #[must_use]
    pub fn login_words(&self) -> &'static str {
        match self.login {
            Login::Session { .. } => "session",
            Login::Basic(_) => "basic",
        }
    }

    /// Fingerprint of the certificate that the BMC showed; `None` without TLS.
    #[must_use]
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.transport.seen().fingerprint()
    }

    /// When a reading of many resources ends with what it has: three times the wait for one answer.
    pub(crate) fn reading_ends(&self) -> Instant {
        Instant::now() + self.target.timeout * 3
    }

    /// Bytes of all bodies read so far.
    pub(crate) fn received(&self) -> u64 {
        self.transport.received()
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Reads a resource.
    ///
    /// # Errors
    /// As [`Error`] lists; [`Error::Unsupported`] for 404.
    pub async fn get(&mut self, path: &str) -> Result<Resource, Error> {
        let answer = self.call(&Method::GET, path, None, None).await?;
        let etag = answer.etag();
        match answer.body {
            Some(body @ Value::Object(_)) => Ok(Resource { path: path.to_owned(), etag, body }),
            _ => Err(self.transport.broken(&Method::GET, path, "something that is no resource", false)),
        }
    }

    /// Changes properties of a resource that was read. With an entity tag a change by somebody else in between
    /// is noticed: the resource is read once more and the change sent again, since the first was not carried out.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn patch(&mut self, resource: &Resource, body: &Value) -> Result<(), Error> {
        let mut etag = resource.etag.clone();
        for again in [true, false] {
            match self.change(&Method::PATCH, &resource.path, etag.as_deref(), body).await {
                Err(Error::Refused { status: 412, .. }) if again => {
                    etag = self.get(&resource.path).await?.etag;
                }
                other => return other,
            }
        }
        Ok(())
    }

    /// Posts an action. It leaves at most once.
    ///
    /// # Errors
    /// As [`Error`] lists.
    pub async fn action(&mut self, path: &str, body: &Value) -> Result<(), Error> {
        self.change(&Method::POST, path, None, body).await
    }

    async fn change(
        &mut self,
        method: &Method,
        path: &str,
        etag: Option<&str>,
        body: &Value,
    ) -> Result<(), Error> {
        let answer = self.call(method, path, etag, Some(body)).await?;
        if answer.status.as_u16() == 202 {
            crate::task::follow(self, method, path, &answer).await
        } else {
            Ok(())
        }
    }

    /// One request with the login. A session that has expired answers 401 and carries nothing out, so a new one
    /// is opened and the request sent once more.
    pub(crate) async fn call(
        &mut self,
        method: &Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let answer = self.send(method, path, etag, body).await?;
        if answer.status.as_u16() != 401 || !matches!(self.login, Login::Session { .. }) {
            return self.transport.check(method, path, answer);
        }
        tracing::debug!(bmc = self.transport.bmc, "the session has expired; logging in again");
        self.give_back().await;
        self.login = Login::Basic(basic(&self.target)?);
        self.log_in().await?;
        let answer = self.send(method, path, etag, body).await?;
        self.transport.check(method, path, answer)
    }

    /// Deletes the session that was answered 401: some services say that for other reasons and would keep it beside
    /// the next one.
    async fn give_back(&self) {
        let Login::Session { token, session: Some(session) } = &self.login else { return };
        let headers = [(TOKEN, token.clone())];
        if let Err(error) = self.transport.send(&Method::DELETE, session, &headers, None).await {
            tracing::debug!(bmc = self.transport.bmc, "deleting the old session: {error}");
        }
    }

    async fn send(
        &self,
        method: &Method,
        path: &str,
        etag: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Answer, Error> {
        let mut headers = vec![match &self.login {
            Login::Session { token, .. } => (TOKEN, token.clone()),
            Login::Basic(basic) => (AUTHORIZATION, basic.clone()),
        }];
        if let Some(etag) = etag.and_then(|etag| HeaderValue::from_str(etag).ok()) {
            headers.push((IF_MATCH, etag));
        }
        self.transport.send(method, path, &headers, body).await
    }

    /// Opens a session. A service without sessions keeps Basic.
    async fn log_in(&mut self) -> Result<(), Error> {
        let path = match self.sessions() {
            Some(path) => path,
            // The root wants credentials itself, so its links are not known yet.
            None if self.root.is_null() => "/redfish/v1/SessionService/Sessions".to_owned(),
            None => {
                tracing::debug!(bmc = self.transport.bmc, "the service root links no sessions; using Basic");
                return Ok(());
            }
        };
        let body = json!({ "UserName": self.target.username, "Password": self.target.password.expose() });
        let answer = self.transport.send(&Method::POST, &path, &[], Some(&body)).await?;
        drop(body);
        if matches!(answer.status.as_u16(), 404 | 405 | 501) {
            tracing::debug!(bmc = self.transport.bmc, "no session service; using Basic");
            return Ok(());
        }
        let answer = self.transport.check(&Method::POST, &path, answer)?;
        let token = answer.headers.get(TOKEN).cloned();
        let Some(mut token) = token else {
            return Err(self.transport.broken(&Method::POST, &path, "a session without X-Auth-Token", false));
        };
        token.set_sensitive(true);
        let in_body = || Some(answer.body.as_ref()?.get("@odata.id")?.as_str()?.to_owned());
        let session = answer.location().or_else(in_body);
        self.login = Login::Session { token, session };
        Ok(())
    }

    /// Where sessions are made, by the link of the service root.
    fn sessions(&self) -> Option<String> {
        let links = self.root.get("Links")?.get("Sessions")?.get("@odata.id")?;
        links.as_str().map(str::to_owned)
    }

    /// Logs out. The BMC has few session slots, so this is worth its request on every path.
    ///
    /// # Errors
    /// What went wrong; the session then ends by the BMC's own time-out.
    pub async fn close(self) -> Result<(), Error> {
        let Login::Session { token, session: Some(session) } = self.login else { return Ok(()) };
        let answer = self.transport.send(&Method::DELETE, &session, &[(TOKEN, token)], None).await?;
        self.transport.check(&Method::DELETE, &session, answer).map(drop)
    }

    pub(crate) fn unsupported(&self, request: impl Into<String>, why: impl Into<String>) -> Error {
        let said = crate::message::Message::ours(why);
        Error::Unsupported { bmc: self.transport.bmc.clone(), request: request.into(), said }
    }
}

/// The certificate that a BMC shows, for trust on first use. No credentials are sent.
///
/// # Errors
/// As [`Error`] lists.
pub async fn shown_certificate(target: &Target) -> Result<Option<Fingerprint>, Error> {
    let anyone = Target { trust: Trust::Insecure, ..target.clone() };
    let transport = Transport::new(&anyone)?;
    transport.send(&Method::GET, ROOT, &[], None).await?;
    Ok(transport.seen().fingerprint())
}

fn basic(target: &Target) -> Result<HeaderValue, Error> {
    if target.username.contains(':') {
        return Err(Error::setting(
            "the user name holds a colon, which HTTP Basic authentication cannot carry",
        ));
    }
    let plain = Secret::new(format!("{}:{}", target.username, target.password.expose()));
    let text = Secret::new(format!("Basic {}", STANDARD.encode(plain.expose())));
    let mut value = HeaderValue::from_str(text.expose())
        .map_err(|_| Error::setting("user and password cannot be put into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// A resource as it was read.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Its path.
    pub path: String,
    /// Its entity tag, from the header or `@odata.etag`.
    pub etag: Option<String>,
    /// Its properties.
    pub body: Value,
}

impl Resource {
    /// The text at a JSON pointer.
    #[must_use]
    pub fn text(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer)?.as_str()
    }

    /// The path that the link at a JSON pointer leads to.
    #[must_use]
    pub fn link(&self, pointer: &str) -> Option<&str> {
        self.body.pointer(pointer)?.get("@odata.id")?.as_str()
    }

    /// The paths of the members of a collection, or of an array of links at a JSON pointer.
    #[must_use]
    pub fn members(&self, pointer: &str) -> Vec<String> {
        let list = self.body.pointer(pointer).and_then(Value::as_array);
        list.into_iter().flatten().filter_map(|m| Some(m.get("@odata.id")?.as_str()?.to_owned())).collect()
    }
}
