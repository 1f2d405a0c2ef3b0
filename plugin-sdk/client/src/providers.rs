//! Plugin providers, and the streams that carry executables and files (wire-protocol §3.9).

use crate::ClientError;
use crate::path::join;
use crate::transport::{API, Client, decode};
use drp_protocol::PluginProviderUploadInfo;
use reqwest::header::{ACCEPT, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use reqwest::{Method, Response, StatusCode};
use serde::de::DeserializeOwned;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio_util::io::ReaderStream;

const OCTETS: &str = "application/octet-stream";

/// A file that is being downloaded.
#[derive(Debug)]
pub struct Download {
    client: Client,
    response: Response,
    what: String,
}

impl Download {
    /// Its length in bytes, when the daemon said so.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.response.content_length()
    }

    /// The offset in bytes at which it begins.
    #[must_use]
    pub fn begins(&self) -> u64 {
        let range = self.response.headers().get(CONTENT_RANGE).and_then(|range| range.to_str().ok());
        let first =
            range.and_then(|range| range.trim_start_matches("bytes ").split('-').next()?.trim().parse().ok());
        first.filter(|_| self.response.status() == StatusCode::PARTIAL_CONTENT).unwrap_or_default()
    }

    /// Writes it out and gives the number of bytes.
    ///
    /// # Errors
    /// [`ClientError::Io`] when it cannot be written, [`ClientError::Timeout`] when no byte comes within the
    /// client's timeout, [`ClientError::Broken`] when it ends early.
    pub async fn write_to(mut self, out: &mut (impl AsyncWrite + Unpin)) -> Result<u64, ClientError> {
        let io = |source| ClientError::Io { what: "the downloaded file cannot be written".into(), source };
        let mut written = 0;
        loop {
            let chunk = tokio::time::timeout(self.client.0.timeout, self.response.chunk())
                .await
                .map_err(|_| ClientError::Timeout {
                    endpoint: self.client.endpoint(),
                    what: self.what.clone(),
                })?
                .map_err(|e| self.client.failure(&e, &self.what))?;
            let Some(chunk) = chunk else { break };
            out.write_all(&chunk).await.map_err(io)?;
            written += chunk.len() as u64;
        }
        out.flush().await.map_err(io)?;
        Ok(written)
    }
}

impl Client {
    /// Uploads a plugin provider, streamed; `length` in bytes when it is known. `replace` drops writable objects
    /// that its content would hide.
    ///
    /// # Errors
    /// 400 when the executable does not define itself properly, 409 when it is being uploaded already.
    pub async fn upload_provider(
        &self,
        name: &str,
        executable: impl AsyncRead + Send + Sync + 'static,
        length: Option<u64>,
        replace: bool,
    ) -> Result<PluginProviderUploadInfo, ClientError> {
        let mut path = join(API, &["plugin_providers", name])?;
        if replace {
            path.push_str("?replaceWritable=true");
        }
        self.upload(&path, executable, length).await
    }

    /// Downloads the executable of a plugin provider.
    ///
    /// # Errors
    /// 404 when it does not exist.
    pub async fn provider_binary(&self, name: &str) -> Result<Download, ClientError> {
        self.download(&join(API, &["plugin_providers", name, "binary"])?).await
    }

    /// A consistent copy of the daemon's store, made while it runs (GET `/api/v3/backup`).
    ///
    /// # Errors
    /// 403 for callers that may not have everything, and every [`ClientError`].
    pub async fn backup(&self) -> Result<Download, ClientError> {
        self.download(&join(API, &["backup"])?).await
    }

    /// Downloads from any path of the API.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn download(&self, path: &str) -> Result<Download, ClientError> {
        self.download_from(path, 0).await
    }

    pub(crate) async fn download_from(&self, path: &str, offset: u64) -> Result<Download, ClientError> {
        let token = self.authorise().await?;
        let mut request = self.request(Method::GET, path).header(ACCEPT, OCTETS);
        if offset > 0 {
            request = request.header(RANGE, format!("bytes={offset}-"));
        }
        let response = self.once(&Method::GET, path, self.credit(request, token.as_ref())).await?;
        Ok(Download { client: self.clone(), response, what: format!("GET {path}") })
    }

    /// Streams a body to any path of the API and decodes the answer. It fails when no byte moves for the client's
    /// timeout, however long the whole takes.
    ///
    /// A stream cannot be sent twice, so there are no retries.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn upload<T: DeserializeOwned>(
        &self,
        path: &str,
        content: impl AsyncRead + Send + Sync + 'static,
        length: Option<u64>,
    ) -> Result<T, ClientError> {
        let response = self.stream(Method::POST, path, content, length).await?;
        let body = self.body(response, path).await?;
        decode(&Method::POST, path, &body)
    }

    /// Streams a body with PUT to any path of the API that answers nothing.
    ///
    /// # Errors
    /// Every [`ClientError`].
    pub async fn put_stream(
        &self,
        path: &str,
        content: impl AsyncRead + Send + Sync + 'static,
    ) -> Result<(), ClientError> {
        self.stream(Method::PUT, path, content, None).await.map(drop)
    }

    async fn stream(
        &self,
        method: Method,
        path: &str,
        content: impl AsyncRead + Send + Sync + 'static,
        length: Option<u64>,
    ) -> Result<Response, ClientError> {
        let token = self.authorise().await?;
        let moved = Arc::new(AtomicU64::new(0));
        let content = Counted { inner: Box::pin(content), moved: moved.clone() };
        let body = reqwest::Body::wrap_stream(ReaderStream::with_capacity(content, 64 << 10));
        let mut request = self.request(method.clone(), path).header(CONTENT_TYPE, OCTETS).body(body);
        if let Some(length) = length {
            request = request.header(CONTENT_LENGTH, length);
        }
        let what = format!("{method} {path}");
        let mut sending = Box::pin(self.credit(request, token.as_ref()).send());
        let response = loop {
            let before = moved.load(Ordering::Relaxed);
            match tokio::time::timeout(self.0.timeout, &mut sending).await {
                Ok(done) => break done.map_err(|e| self.failure(&e, &what))?,
                Err(_) if moved.load(Ordering::Relaxed) > before => {}
                Err(_) => return Err(ClientError::Timeout { endpoint: self.endpoint(), what }),
            }
        };
        self.judge(&method, path, response).await
    }
}

/// Counts the bytes that are read.
struct Counted<R> {
    inner: Pin<Box<R>>,
    moved: Arc<AtomicU64>,
}

impl<R: AsyncRead> AsyncRead for Counted<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = self.inner.as_mut().poll_read(cx, buf);
        self.moved.fetch_add((buf.filled().len() - before) as u64, Ordering::Relaxed);
        polled
    }
}
