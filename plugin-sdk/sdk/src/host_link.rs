//! The plugin's calls to the daemon over the from-plugin socket (wire-protocol §1.8).

use bytes::Bytes;
use drp_protocol::{Error, wire};
use http_body_util::{BodyExt, Full, Limited};
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use hyperlocal::UnixConnector;
use std::{path::Path, sync::Arc, time::Duration};

/// Longest answer taken from the daemon, in bytes.
const ANSWER_LIMIT: usize = 256 << 20;

/// A kept connection to the daemon.
#[derive(Clone)]
pub(crate) struct HostLink {
    socket: Arc<Path>,
    client: Client<UnixConnector, Full<Bytes>>,
}

impl HostLink {
    pub(crate) fn new(socket: &Path) -> Self {
        let client = Client::builder(TokioExecutor::new()).pool_max_idle_per_host(2).build(UnixConnector);
        Self { socket: socket.into(), client }
    }

    /// POSTs a JSON body to a path below the prefix of the daemon's endpoints.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>, limit: Duration) -> Result<Bytes, Error> {
        self.call(Method::POST, path, body, limit).await
    }

    /// GETs a path below the prefix of the daemon's endpoints.
    pub(crate) async fn get(&self, path: &str, limit: Duration) -> Result<Bytes, Error> {
        self.call(Method::GET, path, Vec::new(), limit).await
    }

    async fn call(&self, method: Method, path: &str, body: Vec<u8>, limit: Duration) -> Result<Bytes, Error> {
        let path = format!("{}{path}", wire::SERVER_PREFIX);
        let uri: hyper::Uri = hyperlocal::Uri::new(&self.socket, &path).into();
        let failed = |code, text: String| Error::new(code, method.as_str(), text).on("", path.clone());
        let mut request = Request::builder().method(method.clone()).uri(uri).header("host", "unix");
        if method == Method::POST {
            request = request.header("content-type", "application/json");
        }
        let request = request.body(Full::new(body.into())).map_err(|e| failed(400, e.to_string()))?;
        let exchange = async {
            let answer = self.client.request(request).await.map_err(|e| format!("the daemon: {e}"))?;
            let status = answer.status().as_u16();
            let body = Limited::new(answer.into_body(), ANSWER_LIMIT).collect().await;
            Ok((status, body.map_err(|e| format!("the daemon's answer: {e}"))?.to_bytes()))
        };
        match tokio::time::timeout(limit, exchange).await {
            Err(_) => Err(failed(504, format!("the daemon did not answer within {limit:?}"))),
            Ok(Err(text)) => Err(failed(502, text)),
            Ok(Ok((status, body))) if status >= 400 => {
                Err(serde_json::from_slice(&body).unwrap_or_else(|_| {
                    failed(status, format!("the daemon answered {status} without saying why"))
                }))
            }
            Ok(Ok((_, body))) => Ok(body),
        }
    }
}
