//! One kept HTTP/1.1 connection, over TLS or a UNIX socket.

use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::TlsConnector;

use super::{Error, Result};

/// Trusts exactly one certificate.
pub(crate) fn trust(certificate: &[u8]) -> Result<TlsConnector> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificate)?)?;
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// A connection that is kept.
pub(crate) struct Kept {
    send: SendRequest<Full<Bytes>>,
    headers: HeaderMap,
}

impl Kept {
    /// Over TLS to `127.0.0.1:port`.
    pub(crate) async fn tls(address: &str, tls: &TlsConnector) -> Result<Kept> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from("localhost")?;
        Kept::over(tls.connect(name, stream).await?, address).await
    }

    /// Over a UNIX socket.
    pub(crate) async fn unix(path: &Path) -> Result<Kept> {
        Kept::over(UnixStream::connect(path).await?, "localhost").await
    }

    async fn over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, host: &str) -> Result<Kept> {
        let (send, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, HeaderValue::from_str(host)?);
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Kept { send, headers })
    }

    /// With this header in every request.
    pub(crate) fn header(mut self, name: header::HeaderName, value: &str) -> Result<Kept> {
        self.headers.insert(name, HeaderValue::from_str(value)?);
        Ok(self)
    }

    /// Sends a request and reads the answer whole; any status but 2xx is an error.
    pub(crate) async fn call(&mut self, method: Method, path: &str, body: Bytes) -> Result<Bytes> {
        let mut request = Request::builder().method(method).uri(path).body(Full::new(body))?;
        *request.headers_mut() = self.headers.clone();
        self.send.ready().await?;
        let answer = self.send.send_request(request).await?;
        let status = answer.status();
        let bytes = answer.into_body().collect().await?.to_bytes();
        if status.is_success() {
            Ok(bytes)
        } else {
            Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&bytes)).into())
        }
    }
}

/// The pooled client over UNIX sockets that the host uses, too.
#[derive(Clone)]
pub(crate) struct Pooled {
    client: Client<hyperlocal::UnixConnector, Full<Bytes>>,
    uri: Uri,
}

impl Pooled {
    pub(crate) fn new(socket: &Path, path: &str) -> Pooled {
        let client = Client::builder(TokioExecutor::new()).build(hyperlocal::UnixConnector);
        Pooled { client, uri: hyperlocal::Uri::new(socket, path).into() }
    }

    /// Posts JSON and reads the answer whole.
    pub(crate) async fn post(&self, body: Bytes) -> Result<Bytes> {
        let request = Request::post(self.uri.clone())
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))?;
        let answer = self.client.request(request).await?;
        if !answer.status().is_success() {
            return Err(Error::from(answer.status().to_string()));
        }
        Ok(answer.into_body().collect().await?.to_bytes())
    }
}
