//! Settings of a client.

use crate::credentials::Keyring;
use crate::transport::{Client, Inner, Place};
use crate::{ClientError, Credentials, Trust};
use drp_protocol::{Level, Secret};
use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// Waits before each retry after a connection error (wire-protocol §6.1).
pub const RETRY_WAITS: [Duration; 6] = [
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(3),
    Duration::from_secs(5),
    Duration::from_secs(8),
];

/// Settings of a [`Client`]; see [`Client::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    endpoint: Option<String>,
    socket: Option<PathBuf>,
    credentials: Credentials,
    trust: Trust,
    waits: Vec<Duration>,
    timeout: Duration,
    connect_timeout: Duration,
    body_limit: u64,
    log_level: Option<Level>,
    log_token: Option<String>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            endpoint: None,
            socket: None,
            credentials: Credentials::None,
            trust: Trust::Nothing,
            waits: RETRY_WAITS.to_vec(),
            timeout: Duration::from_secs(300),
            connect_timeout: Duration::from_secs(10),
            body_limit: 512 << 20,
            log_level: None,
            log_token: None,
        }
    }
}

impl Builder {
    /// Talk to this URL, for instance `https://127.0.0.1:8092`. A path in it is kept as a prefix.
    #[must_use]
    pub fn endpoint(mut self, url: impl Into<String>) -> Self {
        self.endpoint = Some(url.into());
        self
    }

    /// Talk to the daemon's UNIX socket. It wins over [`endpoint`](Self::endpoint).
    #[must_use]
    pub fn socket(mut self, path: impl Into<PathBuf>) -> Self {
        self.socket = Some(path.into());
        self
    }

    /// Authenticate in this way.
    #[must_use]
    pub fn credentials(mut self, credentials: Credentials) -> Self {
        self.credentials = credentials;
        self
    }

    /// Authenticate with a token.
    #[must_use]
    pub fn token(self, token: impl Into<Secret>) -> Self {
        self.credentials(Credentials::Token(token.into()))
    }

    /// Authenticate with a user and a password, exchanged for a token at the first call.
    #[must_use]
    pub fn login(self, user: impl Into<String>, password: impl Into<Secret>) -> Self {
        self.credentials(Credentials::Login { user: user.into(), password: password.into() })
    }

    /// Which certificate to believe.
    #[must_use]
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Waits before each retry after a connection error; none: one attempt. Default: [`RETRY_WAITS`].
    #[must_use]
    pub fn retry_waits(mut self, waits: impl Into<Vec<Duration>>) -> Self {
        self.waits = waits.into();
        self
    }

    /// Deadline of one call, default 300 s. Uploads and downloads are bounded by silence instead: they fail
    /// when no byte moves for this long.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Deadline for connecting, TLS included, default 10 s.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// Longest answer that is taken into memory, in bytes, default 512 MiB.
    #[must_use]
    pub fn body_limit(mut self, bytes: u64) -> Self {
        self.body_limit = bytes;
        self
    }

    /// Ask the daemon to log the requests at this level (`X-Log-Request`), and tie their lines together with
    /// a text of the caller's (`X-Log-Token`).
    #[must_use]
    pub fn trace(mut self, level: Level, token: impl Into<String>) -> Self {
        self.log_level = Some(level);
        self.log_token = Some(token.into());
        self
    }

    /// The client. Nothing is sent before the first call.
    ///
    /// # Errors
    /// [`ClientError::Setting`] when the endpoint is not a URL, no endpoint was named, a token cannot be a
    /// header value or the certificate to trust is not PEM.
    pub fn build(self) -> Result<Client, ClientError> {
        let mut http = reqwest::Client::builder()
            .connect_timeout(self.connect_timeout)
            .tcp_nodelay(true)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("drp-client/", env!("CARGO_PKG_VERSION")));
        let (place, base, tls) = match (self.socket, self.endpoint) {
            (Some(path), _) => {
                http = http.unix_socket(path.clone()).no_proxy();
                (Place::Socket(path), "http://localhost".to_owned(), Trust::Nothing.config()?)
            }
            (None, Some(url)) => {
                let base = url.trim_end_matches('/').to_owned();
                let parsed = reqwest::Url::parse(&base)
                    .map_err(|e| ClientError::Setting(format!("the endpoint {url:?} is not a URL: {e}")))?;
                if !matches!(parsed.scheme(), "https" | "http") || parsed.host_str().is_none() {
                    return Err(ClientError::Setting(format!(
                        "the endpoint {url:?} must look like https://host:8092"
                    )));
                }
                if is_loopback(&parsed) {
                    http = http.no_proxy();
                }
                (Place::Url(parsed), base, self.trust.config()?)
            }
            (None, None) => return Err(ClientError::Setting("no endpoint was given".into())),
        };
        let http = http
            .tls_backend_preconfigured(tls.clone())
            .build()
            .map_err(|e| ClientError::Setting(format!("the HTTP client cannot be set up: {e}")))?;
        Ok(Client(Arc::new(Inner {
            http,
            place,
            base,
            tls: Arc::new(tls),
            keyring: Keyring::new(self.credentials),
            waits: self.waits,
            timeout: self.timeout,
            connect_timeout: self.connect_timeout,
            body_limit: self.body_limit,
            log_level: self.log_level,
            log_token: self.log_token,
        })))
    }
}

fn is_loopback(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    host.eq_ignore_ascii_case("localhost")
        || host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::{Builder, is_loopback};

    #[test]
    fn loopback_is_recognised() {
        for (url, loopback) in [
            ("https://127.0.0.1:8092", true),
            ("https://[::1]:1", true),
            ("https://LocalHost", true),
            ("https://10.0.0.1", false),
            ("https://localhost.example", false),
        ] {
            assert_eq!(is_loopback(&reqwest::Url::parse(url).unwrap()), loopback, "{url}");
        }
    }

    #[test]
    fn a_wrong_endpoint_is_named() {
        for url in ["nonsense", "ftp://x", "unix:/x"] {
            let error = Builder::default().endpoint(url).build().unwrap_err().to_string();
            assert!(error.contains(url), "{error}");
        }
    }
}
