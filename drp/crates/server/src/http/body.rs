//! Request bodies, with a bound and a deadline each.

use super::call::Call;
use super::multipart;
use super::reply::Failure;
use axum::body::{Body, BodyDataStream};
use bytes::{Bytes, BytesMut};
use drp_protocol::Error;
use futures_util::{Stream, StreamExt};
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use serde::de::DeserializeOwned;
use std::io;
use std::pin::Pin;
use std::time::Duration;

/// Largest JSON body in bytes, bundles aside.
pub(crate) const JSON_LIMIT: usize = 16 << 20;
/// Longest pause between two pieces of a body.
const PIECE: Duration = Duration::from_secs(60);
/// How much of a refused body is taken before the answer, in bytes.
const DRAINED: usize = 256 << 20;
/// How long that may take.
const DRAIN: Duration = Duration::from_secs(10);
/// Content type of uploads.
pub(crate) const OCTETS: &str = "application/octet-stream";

/// The bytes of an upload.
pub(crate) type Upload = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

impl Call {
    fn bad(&self, code: u16, text: String) -> Failure {
        let mut error = Error::new(code, self.method().as_str(), text);
        error.key = self.url().to_owned();
        error.into()
    }

    /// The body of a JSON route: content type checked, at most `limit` bytes.
    pub(crate) async fn json_bytes(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let body = self.take_body();
        self.checked(body, limit).await
    }

    /// The body whatever its type, at most `limit` bytes.
    pub(crate) async fn any_bytes(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let body = self.take_body();
        self.read(body, limit).await
    }

    async fn checked(&self, body: Body, limit: usize) -> Result<Bytes, Failure> {
        let kind = self.header(CONTENT_TYPE.as_str());
        if !kind.to_ascii_lowercase().contains("application/json") {
            return Err(self.bad(400, format!("Invalid content type: {kind}")));
        }
        self.read(body, limit).await
    }

    /// As [`Call::json_bytes`], but no body at all is fine whatever the content type.
    pub(crate) async fn optional_json(&mut self, limit: usize) -> Result<Bytes, Failure> {
        let body = self.take_body();
        if http_body::Body::is_end_stream(&body) {
            return Ok(Bytes::new());
        }
        self.checked(body, limit).await
    }

    async fn read(&self, body: Body, limit: usize) -> Result<Bytes, Failure> {
        let too_large = || self.bad(413, format!("The body is larger than {limit} bytes"));
        let announced = self.header(CONTENT_LENGTH.as_str()).parse::<usize>().unwrap_or(0);
        let mut stream = body.into_data_stream();
        if announced > limit {
            drain(stream).await;
            return Err(too_large());
        }
        let mut first: Option<Bytes> = None;
        let mut rest = BytesMut::new();
        while let Some(piece) = pieces(&mut stream).await {
            let piece = piece.map_err(|e| self.bad(400, format!("The body broke off: {e}")))?;
            if first.as_ref().map_or(0, Bytes::len) + rest.len() + piece.len() > limit {
                drain(stream).await;
                return Err(too_large());
            }
            match &first {
                // Nearly every body arrives in one piece, which is then not copied.
                None => first = Some(piece),
                Some(_) => rest.extend_from_slice(&piece),
            }
        }
        let first = first.unwrap_or_default();
        if rest.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        Ok(whole.freeze())
    }

    /// The body decoded.
    pub(crate) async fn json<T: DeserializeOwned>(&mut self) -> Result<T, Failure> {
        let bytes = self.json_bytes(JSON_LIMIT).await?;
        self.decode(&bytes)
    }

    /// Bytes of a JSON body decoded. What is said of a wrong one does not repeat it: it may hold a password.
    pub(crate) fn decode<T: DeserializeOwned>(&self, bytes: &[u8]) -> Result<T, Failure> {
        serde_json::from_slice(bytes)
            .map_err(|e| self.bad(400, format!("Invalid JSON: {}", drp_objects::json_error(&e))))
    }

    /// The bytes of an upload: an octet stream, or the field `file` of a multipart form (wire-protocol §3.1).
    pub(crate) fn upload(&mut self, model: &str, key: &str) -> Result<Upload, Failure> {
        self.upload_as(model, key, &[OCTETS])
    }

    /// As [`Call::upload`], of any of these content types.
    pub(crate) fn upload_as(&mut self, model: &str, key: &str, kinds: &[&str]) -> Result<Upload, Failure> {
        let body = self.take_body();
        let kind = self.header(CONTENT_TYPE.as_str());
        let stream = body.into_data_stream();
        if kind.to_ascii_lowercase().starts_with("multipart/form-data") {
            let Some(boundary) = multipart::boundary(kind) else {
                return Err(Error::new(400, "POST", "upload: the multipart content type names no boundary")
                    .on(model, key)
                    .into());
            };
            return Ok(Box::pin(multipart::field(timed(stream), &boundary, "file").fuse()));
        }
        if kinds.iter().any(|known| kind.to_ascii_lowercase().starts_with(known)) {
            return Ok(Box::pin(timed(stream).fuse()));
        }
        let text =
            format!("upload: content type {kind:?} is not {} or multipart/form-data", kinds.join(", "));
        Err(Error::new(415, "POST", text).on(model, key).into())
    }
}

/// Takes the rest of a body that is refused, within reason: a client that is cut off while it sends never sees why.
pub(crate) async fn drain<E>(mut stream: impl Stream<Item = Result<Bytes, E>> + Unpin) {
    let mut left = DRAINED;
    let all = async {
        while let Some(Ok(piece)) = stream.next().await {
            left = left.saturating_sub(piece.len());
            if left == 0 {
                break;
            }
        }
    };
    let _ = tokio::time::timeout(DRAIN, all).await;
}

async fn pieces(stream: &mut BodyDataStream) -> Option<io::Result<Bytes>> {
    match tokio::time::timeout(PIECE, stream.next()).await {
        Ok(piece) => piece.map(|piece| piece.map_err(io::Error::other)),
        Err(_) => {
            Some(Err(io::Error::new(io::ErrorKind::TimedOut, format!("no data for {} s", PIECE.as_secs()))))
        }
    }
}

/// A body whose pauses are bounded.
fn timed(stream: BodyDataStream) -> impl Stream<Item = io::Result<Bytes>> + Send {
    futures_util::stream::unfold(Some(stream), |stream| async move {
        let mut stream = stream?;
        let piece = pieces(&mut stream).await?;
        let next = piece.is_ok().then_some(stream);
        Some((piece, next))
    })
}
