//! Passing `/plugin-apis` requests through (wire-protocol §1.14).

use crate::HostError;
use crate::from_plugin::answer;
use crate::link::Link;
use axum::body::Body;
use drp_protocol::Error;
use http::header::{CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, UPGRADE};
use http::{Request, Response, StatusCode, Version};
use http_body::{Frame, SizeHint};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::OwnedSemaphorePermit;

/// Headers that are about one connection only (RFC 9110 §7.6.1, RFC 2616 §13.5.1).
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Sends a request to a plugin and streams both bodies.
pub(crate) async fn forward(
    link: Arc<Link>,
    mut request: Request<Body>,
    peer: Option<IpAddr>,
    head: Duration,
) -> Response<Body> {
    let (method, key) = (request.method().to_string(), request.uri().to_string());
    let wanted = request.headers().get(UPGRADE).filter(|_| names_upgrade(request.headers())).cloned();
    let client_side = wanted.as_ref().map(|_| hyper::upgrade::on(&mut request));
    *request.version_mut() = Version::HTTP_11;
    let headers = request.headers_mut();
    remove_hop_by_hop(headers);
    headers.entry(HOST).or_insert(HeaderValue::from_static("unix"));
    if let Some(peer) = peer {
        append_forwarded_for(headers, peer);
    }
    set_upgrade(headers, wanted);

    let (mut response, place) = match link.forward(request, head).await {
        Ok(answered) => answered,
        Err(e) => return failure(&e, &method, &key),
    };
    let switched = response.headers().get(UPGRADE).cloned();
    remove_hop_by_hop(response.headers_mut());
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let Some(client_side) = client_side else {
            let e = HostError::BrokenAnswer {
                plugin: link.plugin.to_string(),
                what: "plugin-apis",
                why: "it switches protocols without being asked".to_owned(),
            };
            return failure(&e, &method, &key);
        };
        let plugin_side = hyper::upgrade::on(&mut response);
        tokio::spawn(join(link, client_side, plugin_side));
        set_upgrade(response.headers_mut(), switched);
        return response.map(|_| Body::empty());
    }
    response.map(|body| Body::new(Passing { body, _place: place }))
}

/// The answer when there is no such running plugin.
pub(crate) fn not_found(method: &str, key: &str) -> Response<Body> {
    json(&Error::new(404, method, "Not Found").on("", key))
}

fn failure(error: &HostError, method: &str, key: &str) -> Response<Body> {
    let code = match error {
        HostError::Timeout { .. } => 504,
        HostError::Overloaded { .. } => 503,
        HostError::NotRunning { .. } => 404,
        _ => 502,
    };
    json(&Error::new(code, method, error.to_string()).on("", key))
}

fn json(error: &Error) -> Response<Body> {
    answer(error.code, Body::from(serde_json::to_vec(error).unwrap_or_default()))
}

/// Copies both ways until one side ends or the plugin stops.
async fn join(link: Arc<Link>, client: hyper::upgrade::OnUpgrade, plugin: hyper::upgrade::OnUpgrade) {
    let work = async {
        let (Ok(client), Ok(plugin)) = tokio::join!(client, plugin) else { return };
        let (mut client, mut plugin) = (TokioIo::new(client), TokioIo::new(plugin));
        let _ = tokio::io::copy_bidirectional(&mut client, &mut plugin).await;
    };
    tokio::select! {
        () = work => {}
        () = link.gone.cancelled() => {}
    }
}

/// A body on its way to the client. It counts as in flight until it ends.
struct Passing {
    body: Incoming,
    _place: OwnedSemaphorePermit,
}

impl http_body::Body for Passing {
    type Data = bytes::Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn names_upgrade(headers: &HeaderMap) -> bool {
    connection_words(headers).any(|word| word.eq_ignore_ascii_case("upgrade"))
}

fn connection_words(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    headers
        .get_all(CONNECTION)
        .iter()
        .filter_map(|v| v.to_str().ok())
        .flat_map(|v| v.split(','))
        .map(str::trim)
}

fn remove_hop_by_hop(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = connection_words(headers).filter_map(|w| w.parse().ok()).collect();
    for name in named {
        headers.remove(name);
    }
    for name in HOP_BY_HOP {
        headers.remove(name);
    }
}

fn set_upgrade(headers: &mut HeaderMap, protocol: Option<HeaderValue>) {
    if let Some(protocol) = protocol {
        headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
        headers.insert(UPGRADE, protocol);
    }
}

fn append_forwarded_for(headers: &mut HeaderMap, peer: IpAddr) {
    let name = HeaderName::from_static("x-forwarded-for");
    let mut all: Vec<_> =
        headers.get_all(&name).iter().filter_map(|v| v.to_str().ok().map(str::to_owned)).collect();
    all.push(peer.to_string());
    if let Ok(value) = HeaderValue::from_str(&all.join(", ")) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::{append_forwarded_for, remove_hop_by_hop};
    use http::HeaderMap;

    #[test]
    fn headers_of_one_hop_are_removed() {
        let mut headers = HeaderMap::new();
        for (name, value) in
            [("connection", "keep-alive, X-Mine"), ("x-mine", "1"), ("te", "trailers"), ("accept", "*/*")]
        {
            headers.append(name, value.parse().unwrap());
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(headers.keys().map(|k| k.as_str()).collect::<Vec<_>>(), ["accept"]);
    }

    #[test]
    fn the_peer_is_appended() {
        let mut headers = HeaderMap::new();
        headers.insert("x-forwarded-for", "10.0.0.1".parse().unwrap());
        append_forwarded_for(&mut headers, "127.0.0.1".parse().unwrap());
        assert_eq!(headers["x-forwarded-for"], "10.0.0.1, 127.0.0.1");
    }
}
