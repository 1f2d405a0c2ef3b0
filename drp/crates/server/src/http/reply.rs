//! Answers (wire-protocol §3.1): everything a JSON client reads says so, even when it is empty.

use axum::body::Body;
use bytes::Bytes;
use drp_protocol::Error;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use serde::Serialize;

/// What a route gives: an answer, or an error of the wire.
pub(crate) type Answer = Result<Reply, Failure>;

/// An answer ready to be sent.
pub(crate) struct Reply(pub(crate) Response<Body>);

/// An error ready to be sent. Boxed because errors are rare and large.
#[derive(Debug)]
pub(crate) struct Failure(Box<Error>);

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self(Box::new(error))
    }
}

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

impl Reply {
    /// JSON text that is ready.
    pub(crate) fn bytes(status: StatusCode, json: impl Into<Bytes>) -> Self {
        let json = json.into();
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        Self(response)
    }

    /// 200 with JSON text that is ready.
    pub(crate) fn raw(json: impl Into<Bytes>) -> Self {
        Self::bytes(StatusCode::OK, json)
    }

    /// A value as JSON.
    pub(crate) fn json(status: StatusCode, value: &impl Serialize) -> Self {
        match serde_json::to_vec(value) {
            Ok(json) => Self::bytes(status, json),
            Err(error) => Failure::from(Error::new(500, "ENCODE", error.to_string())).into_reply(),
        }
    }

    /// 200 with a value as JSON.
    pub(crate) fn ok(value: &impl Serialize) -> Self {
        Self::json(StatusCode::OK, value)
    }

    /// 204, with the content type that clients insist on.
    pub(crate) fn none() -> Self {
        Self::bytes(StatusCode::NO_CONTENT, Bytes::new())
    }

    /// A status without a body, still with a content type.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self::bytes(status, Bytes::new())
    }

    /// Adds a header; a value that no header can hold is left out.
    #[must_use]
    pub(crate) fn with(mut self, name: &'static str, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().insert(name, value);
        }
        self
    }

    /// The answer as HEAD gives it: the same headers and no body; an error keeps its status alone.
    pub(crate) fn for_method(mut self, method: &Method) -> Response<Body> {
        if method == Method::HEAD && !matches!(self.0.status(), StatusCode::SWITCHING_PROTOCOLS) {
            let length = http_body::Body::size_hint(self.0.body()).exact();
            *self.0.body_mut() = Body::empty();
            if let (Some(length), false) = (length, self.0.headers().contains_key(CONTENT_LENGTH)) {
                self.0.headers_mut().insert(CONTENT_LENGTH, length.into());
            }
        }
        self.0
    }
}

impl Failure {
    /// The status it will have.
    pub(crate) fn code(&self) -> u16 {
        if (400..=999).contains(&self.0.code) { self.0.code } else { 500 }
    }

    /// What went wrong.
    pub(crate) fn error(&self) -> &Error {
        &self.0
    }

    /// The error in the one shape of the wire.
    pub(crate) fn into_reply(self) -> Reply {
        let status = StatusCode::from_u16(self.0.code).ok().filter(|s| s.as_u16() >= 400);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut error = self.0;
        error.code = status.as_u16();
        let json = serde_json::to_vec(&error).unwrap_or_default();
        let reply = Reply::bytes(status, json);
        // Such troubles pass.
        if status == StatusCode::SERVICE_UNAVAILABLE { reply.with("retry-after", "1") } else { reply }
    }
}

/// 404 for a path that is none of ours.
pub(crate) fn no_route(method: &Method, url: &str) -> Failure {
    let mut error = Error::new(404, method.as_str(), "No route");
    error.key = url.to_owned();
    error.into()
}

/// 405 for a path of ours that does not take the method.
pub(crate) fn method_not_allowed(method: &Method, url: &str) -> Failure {
    let mut error = Error::new(405, method.as_str(), "Method not allowed");
    error.key = url.to_owned();
    error.into()
}

/// 409 with one message.
pub(crate) fn conflict(kind: &str, model: &str, key: &str, message: String) -> Failure {
    Error::new(409, kind, message).on(model, key).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_answer_still_says_json() {
        let response = Reply::none().for_method(&Method::DELETE);
        assert_eq!(response.status(), 204);
        assert_eq!(response.headers()[CONTENT_TYPE], "application/json; charset=utf-8");
    }

    #[test]
    fn a_code_that_is_no_status_becomes_500() {
        for code in [0, 42, 200, 999, 1000] {
            let reply = Failure::from(Error::new(code, "x", "y")).into_reply();
            let expected = if code == 999 { 999 } else { 500 };
            assert_eq!(reply.0.status().as_u16(), expected);
        }
    }

    #[test]
    fn head_keeps_the_length_of_the_body_it_leaves_out() {
        let response = Reply::raw("12345").for_method(&Method::HEAD);
        assert_eq!(response.headers()[CONTENT_LENGTH], "5");
        assert_eq!(http_body::Body::size_hint(response.body()).exact(), Some(0));
    }
}
