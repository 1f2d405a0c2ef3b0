//! A copy of the store while it works, for `drp backup`.

use crate::http::{Answer, Call, OCTETS, Reply};
use axum::body::Body;
use drp_protocol::Error;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response};
use tokio_util::io::ReaderStream;

/// GET `/backup`: the database file. It holds secrets, so the local socket or `*` is needed.
pub(super) async fn route(call: Call) -> Answer {
    if call.method() != Method::GET {
        return call.not_allowed();
    }
    call.for_the_operator()?;
    let wrong = |text: String| Error::new(500, "GET", format!("backup: {text}"));
    let store = call.app.store.clone();
    let base = call.app.place.settings.base_root.clone();
    let made = tokio::task::spawn_blocking(move || -> Result<_, String> {
        let file =
            tempfile::Builder::new().prefix(".backup").tempfile_in(&base).map_err(|e| e.to_string())?;
        let report = store.backup(file.path()).map_err(|e| e.to_string())?;
        // Opened by path: the store puts a new file in the place of the temporary one. It is unlinked on return and
        // lives on as this handle.
        let copy = std::fs::File::open(file.path()).map_err(|e| e.to_string())?;
        Ok((copy, report))
    });
    let (file, report) = made.await.map_err(|e| wrong(e.to_string()))?.map_err(wrong)?;
    let size = file.metadata().map_err(|e| wrong(e.to_string()))?.len();
    let stream = ReaderStream::with_capacity(tokio::fs::File::from_std(file), 256 << 10);
    let mut response = Response::new(Body::from_stream(stream));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(OCTETS));
    response.headers_mut().insert(CONTENT_LENGTH, size.into());
    tracing::info!(by = call.who.name, objects = report.objects, bytes = size, "backup");
    Ok(Reply(response).with("x-drp-objects", &report.objects.to_string()))
}
