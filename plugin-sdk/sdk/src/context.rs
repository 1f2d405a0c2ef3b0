//! What a hook can reach.

use crate::{Error, Event, host_link::HostLink, scope::Scope};
#[cfg(feature = "client")]
use drp_protocol::wire;
use serde::{Serialize, de::DeserializeOwned};
use std::{
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// How long a call to the daemon may take.
const CALL_LIMIT: Duration = Duration::from_secs(30);

/// The way from a hook to the daemon. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    inner: Arc<Inner>,
    scope: Scope,
}

struct Inner {
    provider: String,
    instance: RwLock<String>,
    host: Option<HostLink>,
    stopping: CancellationToken,
    /// The default `unpack` hook was called: the plugin has none.
    no_unpack: AtomicBool,
    #[cfg(feature = "client")]
    client: tokio::sync::OnceCell<drp_client::Client>,
}

impl Context {
    pub(crate) fn new(provider: &str, host: Option<HostLink>) -> Self {
        let inner = Inner {
            provider: provider.to_owned(),
            instance: RwLock::new(provider.to_owned()),
            host,
            stopping: CancellationToken::new(),
            no_unpack: AtomicBool::new(false),
            #[cfg(feature = "client")]
            client: tokio::sync::OnceCell::new(),
        };
        Self { inner: Arc::new(inner), scope: Scope::default() }
    }

    pub(crate) fn scoped(&self, scope: Scope) -> Self {
        Self { inner: self.inner.clone(), scope }
    }

    pub(crate) fn say_no_unpack(&self) {
        self.inner.no_unpack.store(true, Ordering::Relaxed);
    }

    pub(crate) fn has_no_unpack(&self) -> bool {
        self.inner.no_unpack.load(Ordering::Relaxed)
    }

    pub(crate) fn rename(&self, instance: &str) {
        instance.clone_into(&mut self.inner.instance.write().unwrap_or_else(PoisonError::into_inner));
    }

    /// Name of the provider, as the definition has it.
    #[must_use]
    pub fn provider(&self) -> &str {
        &self.inner.provider
    }

    /// Name of the plugin instance, known from the first config on; before it, that of the provider.
    #[must_use]
    pub fn name(&self) -> String {
        self.inner.instance.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Id of the request being served; log lines of the request carry it as their group.
    #[must_use]
    pub fn request_id(&self) -> i64 {
        self.scope.id
    }

    /// Name of the API request behind this one (`X-Request-Id`), which log lines carry too.
    #[must_use]
    pub fn api_request(&self) -> Option<&str> {
        self.scope.request.as_deref()
    }

    /// Fires when the plugin is told to stop. Long work should watch it:
    /// `tokio::select! { () = ctx.cancelled().cancelled() => …, r = work => … }`.
    #[must_use]
    pub fn cancelled(&self) -> &CancellationToken {
        &self.inner.stopping
    }

    /// Whether there is no daemon: somebody tries out one action (`drp plugin run`). Then [`client`](Self::client)
    /// reaches nobody, and a config hook that wants to ask the API should pass over it.
    #[must_use]
    pub fn without_daemon(&self) -> bool {
        std::env::var(drp_protocol::wire::ENV_TOKEN)
            .is_ok_and(|token| token == drp_protocol::wire::TOKEN_NO_DAEMON)
    }

    /// An error of this plugin: Model and Type `plugin`, Key the provider.
    #[must_use]
    pub fn error(&self, code: u16, message: impl Into<String>) -> Error {
        Error::new(code, "plugin", message).on("plugin", self.provider())
    }

    /// Turns any error into one of this plugin: `.map_err(ctx.failed(502))?`.
    pub fn failed<E: std::fmt::Display>(&self, code: u16) -> impl FnOnce(E) -> Error + '_ {
        move |e| self.error(code, e.to_string())
    }

    /// Publishes an event to everybody who listens.
    ///
    /// # Errors
    /// The daemon's, 502 or 504 when it cannot be reached, 409 when the plugin is not running (`define`,
    /// `unpack`).
    pub async fn publish(
        &self,
        kind: impl Into<String>,
        action: impl Into<String>,
        key: impl Into<String>,
        object: impl Serialize,
    ) -> Result<(), Error> {
        let object = serde_json::to_value(object).map_err(self.failed(400))?;
        let event = Event::now(kind, action, key, object);
        let body = serde_json::to_vec(&event).map_err(self.failed(400))?;
        self.host()?.post("/publish", body, CALL_LIMIT).await.map(drop)
    }

    /// Tells the daemon that this plugin gives up. With code 403 the daemon withdraws the whole provider, else it
    /// stops this instance.
    ///
    /// # Errors
    /// As [`publish`](Self::publish).
    pub async fn leaving(&self, reason: &Error) -> Result<(), Error> {
        let body = serde_json::to_vec(reason).map_err(self.failed(400))?;
        self.host()?.post("/leaving", body, CALL_LIMIT).await.map(drop)
    }

    /// All objects under a prefix, for instance `machines`.
    ///
    /// # Errors
    /// As [`publish`](Self::publish), and 502 when an object does not fit the type.
    pub async fn list_objects<T: DeserializeOwned>(&self, prefix: &str) -> Result<Vec<T>, Error> {
        let body = self.host()?.get(&format!("/objects/{prefix}"), CALL_LIMIT).await?;
        serde_json::from_slice(&body).map_err(self.failed(502))
    }

    /// An API client with the plugin's token. It trusts exactly the certificate that the daemon names on the
    /// from-plugin socket. A daemon that names none is trusted on loopback only, where the Go client trusts
    /// everything too.
    ///
    /// # Errors
    /// 400 `Must have a token specified` without `RS_TOKEN`; 400 with the reason when the endpoint or the
    /// certificate cannot be used.
    #[cfg(feature = "client")]
    pub async fn client(&self) -> Result<drp_client::Client, Error> {
        self.inner.client.get_or_try_init(|| self.build_client(None)).await.cloned()
    }

    /// As [`client`](Self::client), but a new one, whose calls may take this long instead of 300 s: for actions of
    /// other plugins that are slow.
    ///
    /// # Errors
    /// As [`client`](Self::client).
    #[cfg(feature = "client")]
    pub async fn client_within(&self, timeout: Duration) -> Result<drp_client::Client, Error> {
        self.build_client(Some(timeout)).await
    }

    #[cfg(feature = "client")]
    async fn build_client(&self, timeout: Option<Duration>) -> Result<drp_client::Client, Error> {
        let refused = |text: String| Error::new(400, "plugin", text).on("plugin", "unknown");
        let token = std::env::var(wire::ENV_TOKEN).unwrap_or_default();
        if token.is_empty() {
            return Err(refused("Must have a token specified".to_owned()));
        }
        let endpoint =
            std::env::var(wire::ENV_ENDPOINT).unwrap_or_else(|_| "https://127.0.0.1:8092".to_owned());
        let pinned = match &self.inner.host {
            Some(host) => host.get("/certificate", CALL_LIMIT).await.ok(),
            None => None,
        };
        let pinned = pinned.filter(|pem| pem.starts_with(b"-----BEGIN CERTIFICATE"));
        crate::events::client(&endpoint, token, pinned.as_deref(), timeout)
            .map_err(|e| refused(e.to_string()))
    }

    fn host(&self) -> Result<&HostLink, Error> {
        self.inner
            .host
            .as_ref()
            .ok_or_else(|| self.error(409, "the plugin is not running, so it has no daemon"))
    }
}

impl std::fmt::Debug for Context {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Context")
            .field("provider", &self.inner.provider)
            .field("request", &self.scope.id)
            .finish()
    }
}
