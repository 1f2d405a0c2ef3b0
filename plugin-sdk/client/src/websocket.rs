//! One WebSocket connection to the daemon, over TLS, plain TCP or the local socket.

use crate::transport::{API, Client, Place, certificate_words, refusal};
use crate::{ClientError, Credentials};
use http::Request;
use rustls::pki_types::ServerName;
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{self};

/// Either end of the stack: TLS, TCP or a UNIX socket.
pub(crate) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

pub(crate) type Socket = WebSocketStream<Box<dyn Stream>>;

/// Largest event taken, in bytes: an object and its predecessor.
const FRAME_LIMIT: usize = 64 << 20;

/// Connects and upgrades, within the client's connect deadline.
pub(crate) async fn connect(client: &Client) -> Result<Socket, ClientError> {
    let token = client.authorise().await?;
    let work = async {
        let stream = dial(client).await?;
        let mut request = request(client)?;
        let value = match (&token, &client.0.keyring.given) {
            (Some(token), _) => Some(format!("Bearer {}", token.expose())),
            (None, Credentials::Basic { user, password }) => Some(basic(user, password.expose())),
            _ => None,
        };
        if let Some(value) = value {
            let mut value = http::HeaderValue::try_from(value)
                .map_err(|_| ClientError::Setting("the token holds characters no header can carry".into()))?;
            value.set_sensitive(true);
            request.headers_mut().insert(http::header::AUTHORIZATION, value);
        }
        let config =
            WebSocketConfig::default().max_message_size(Some(FRAME_LIMIT)).max_frame_size(Some(FRAME_LIMIT));
        match tokio_tungstenite::client_async_with_config(request, stream, Some(config)).await {
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) => Err(refusal(
                &reqwest::Method::GET,
                &format!("{API}/ws"),
                response.status().as_u16(),
                response.body().as_deref().unwrap_or_default(),
            )),
            Err(error) => Err(ClientError::Broken { endpoint: client.endpoint(), reason: error.to_string() }),
        }
    };
    tokio::time::timeout(client.0.connect_timeout, work).await.map_err(|_| ClientError::Timeout {
        endpoint: client.endpoint(),
        what: "the request for an event stream".into(),
    })?
}

fn request(client: &Client) -> Result<Request<()>, ClientError> {
    let uri = match client.0.base.split_once("://") {
        Some(("https", rest)) => format!("wss://{rest}{API}/ws"),
        Some((_, rest)) => format!("ws://{rest}{API}/ws"),
        None => format!("ws://localhost{API}/ws"),
    };
    uri.into_client_request().map_err(|e| ClientError::Setting(format!("the event stream's URL: {e}")))
}

async fn dial(client: &Client) -> Result<Box<dyn Stream>, ClientError> {
    let refused =
        |e: io::Error| ClientError::Unreachable { endpoint: client.endpoint(), reason: e.to_string() };
    let url = match &client.0.place {
        Place::Socket(path) => return Ok(Box::new(UnixStream::connect(path).await.map_err(refused)?)),
        Place::Url(url) => url,
    };
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let tcp =
        TcpStream::connect((host, url.port_or_known_default().unwrap_or(443))).await.map_err(refused)?;
    tcp.set_nodelay(true).map_err(refused)?;
    if url.scheme() == "http" {
        return Ok(Box::new(tcp));
    }
    let name = ServerName::try_from(host.to_owned())
        .map_err(|_| ClientError::Setting(format!("{host:?} is neither a host name nor an address")))?;
    let connector = tokio_rustls::TlsConnector::from(client.0.tls.clone());
    let tls = connector.connect(name, tcp).await.map_err(|error| {
        let words =
            error.get_ref().and_then(|e| e.downcast_ref::<rustls::Error>()).and_then(certificate_words);
        match words {
            Some(reason) => ClientError::Untrusted { endpoint: client.endpoint(), reason },
            None => refused(error),
        }
    })?;
    Ok(Box::new(tls))
}

fn basic(user: &str, password: &str) -> String {
    let bytes = drp_protocol::Base64Bytes(Some(format!("{user}:{password}").into_bytes()));
    match serde_json::to_value(bytes) {
        Ok(serde_json::Value::String(text)) => format!("Basic {text}"),
        _ => String::new(),
    }
}
