//! The TCP ports.

use crate::ServeError;
use axum_server::accept::Accept;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use tokio::net::TcpStream;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower::Service;

/// The address of this host that a caller reached.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LocalAddr(pub(crate) SocketAddr);

/// Listens on a port, or says which program habit may hold it and what to do.
pub(crate) fn bind(what: &'static str, flag: &str, ip: IpAddr, port: u16) -> Result<TcpListener, ServeError> {
    let address = SocketAddr::new(ip, port);
    let listen = || -> io::Result<TcpListener> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    listen().map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => format!(
                "another program has port {port} (see `ss -ltnp 'sport = :{port}'`); stop it or set --{flag}"
            ),
            io::ErrorKind::PermissionDenied => {
                format!("ports below 1024 need root or CAP_NET_BIND_SERVICE; set --{flag}")
            }
            io::ErrorKind::AddrNotAvailable => "this host has no such address; set --bind".to_owned(),
            _ => format!("set --{flag} or --bind"),
        };
        ServeError::Listen { what, address, error, hint }
    })
}

/// Connections at most; further ones are closed at once.
const MOST: usize = 8_192;

/// Wraps an acceptor so that each request carries the [`LocalAddr`] of its connection, and connections are bounded.
#[derive(Debug, Clone)]
pub(crate) struct WithLocalAddr<A> {
    inner: A,
    places: Arc<Semaphore>,
}

impl<A> WithLocalAddr<A> {
    pub(crate) fn new(inner: A) -> Self {
        Self { inner, places: Arc::new(Semaphore::new(MOST)) }
    }
}

impl<A, S> Accept<TcpStream, S> for WithLocalAddr<A>
where
    A: Accept<TcpStream, S> + Clone + Send + 'static,
    A::Future: Send + 'static,
    A::Service: Send,
    A::Stream: Send,
{
    type Stream = A::Stream;
    type Service = Tagged<A::Service>;
    type Future = Pin<Box<dyn Future<Output = io::Result<(Self::Stream, Self::Service)>> + Send>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let address = stream.local_addr();
        let place = Arc::clone(&self.places).try_acquire_owned();
        let accepted = self.inner.accept(stream, service);
        Box::pin(async move {
            let place = place.map_err(|_| io::Error::other("too many connections"))?;
            let address = address?;
            let (stream, inner) = accepted.await?;
            Ok((stream, Tagged { inner, address: LocalAddr(address), _place: Arc::new(place) }))
        })
    }
}

/// A service that adds a [`LocalAddr`] to its requests.
#[derive(Debug, Clone)]
pub(crate) struct Tagged<S> {
    inner: S,
    address: LocalAddr,
    _place: Arc<OwnedSemaphorePermit>,
}

impl<S, B> Service<http::Request<B>> for Tagged<S>
where
    S: Service<http::Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<B>) -> Self::Future {
        request.extensions_mut().insert(self.address);
        self.inner.call(request)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_occupied_port_is_named_with_what_to_do() {
        let held = bind("the API", "api-port", [127, 0, 0, 1].into(), 0).unwrap();
        let port = held.local_addr().unwrap().port();
        let error = bind("the API", "api-port", [127, 0, 0, 1].into(), port).unwrap_err().to_string();
        assert!(error.contains(&format!("127.0.0.1:{port}")) && error.contains("--api-port"), "{error}");
    }
}
