//! The HTTP file server: what lies under `files` and `isos`, for machines that boot and for plugins.

use crate::app::App;
use crate::http::file_answer;
use crate::routes::{safe_join, sum};
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Response, StatusCode};
use std::sync::Arc;

/// Nothing else of the file root is served: by default it is the base root, which holds the database.
const AREAS: [&str; 2] = ["files", "isos"];

/// The service on the static port.
pub(crate) fn router(app: Arc<App>) -> Router {
    Router::new().fallback(serve).with_state(app)
}

async fn serve(State(app): State<Arc<App>>, request: Request) -> Response<Body> {
    let method = request.method();
    if !matches!(*method, Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET and HEAD");
    }
    let path = crate::http::segments(request.uri().path());
    let Some((area, rest)) = path.split_first() else {
        return plain(StatusCode::OK, "drp file server: /files/… and /isos/…");
    };
    if !AREAS.contains(&area.as_str()) {
        return plain(StatusCode::NOT_FOUND, "not found");
    }
    let root = app.place.settings.file_root.join(area);
    let Some(file) = safe_join(&root, &rest.join("/")) else {
        return plain(StatusCode::NOT_FOUND, "not found");
    };
    let inside = tokio::fs::canonicalize(&root).await.ok().zip(tokio::fs::canonicalize(&file).await.ok());
    let Some((_, file)) = inside.filter(|(root, file)| file.starts_with(root) && file.is_file()) else {
        return plain(StatusCode::NOT_FOUND, "not found");
    };
    let sum = sum(&app, method, request.headers(), &file).await;
    match file_answer(method, request.headers(), &file, sum.as_deref()).await {
        Ok(reply) => reply.for_method(method),
        Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot read the file"),
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Body> {
    let mut response = Response::new(Body::from(format!("{text}\n")));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    response
}
