//! Selected events over the API's WebSocket (wire-protocol §1.13, §4), and the client behind them.

use crate::{Error, Selector, context::Context, endpoint::Endpoint, scope::Scope};
use drp_client::{Client, ClientError, EventStream, Incoming, Trust};
use drp_protocol::Event;
use std::{net::IpAddr, sync::Arc, time::Duration};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// A client for the endpoint with the certificate the daemon named, if it did.
pub(crate) fn client(
    endpoint: &str,
    token: String,
    pinned: Option<&[u8]>,
    timeout: Option<Duration>,
) -> Result<Client, ClientError> {
    let trust = match pinned {
        Some(pem) => Trust::Pinned(String::from_utf8_lossy(pem).into_owned()),
        None if is_loopback(endpoint) => Trust::Insecure,
        None => Trust::Nothing,
    };
    let mut builder = Client::builder().endpoint(endpoint).token(token).trust(trust);
    if let Some(timeout) = timeout {
        builder = builder.timeout(timeout);
    }
    builder.build()
}

fn is_loopback(endpoint: &str) -> bool {
    let Ok(uri) = endpoint.parse::<axum::http::Uri>() else { return false };
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

/// The task that hands selected events to the publish hook, one after the other.
pub(crate) struct EventTask {
    end: CancellationToken,
    task: JoinHandle<()>,
}

impl EventTask {
    /// Closes the stream. A hook that runs is left to finish.
    pub(crate) async fn end(self) {
        self.end.cancel();
        let _ = tokio::time::timeout(std::time::Duration::from_secs(5), self.task).await;
    }
}

/// Opens the stream and registers the patterns of the selector. Answers when all are acknowledged.
pub(crate) async fn select_events<P: Selector>(endpoint: &Arc<Endpoint<P>>) -> Result<EventTask, Error> {
    let context = endpoint.context.scoped(Scope::current());
    let client = context.client().await?;
    let patterns = endpoint.plugin.select_events(&context).await;
    let failed = |what: &str, e: ClientError| Error::new(500, "plugins", format!("Unable to {what}: {e}"));
    let stream = client.events().await.map_err(|e| failed("create event stream", e))?;
    for pattern in &patterns {
        stream.register(pattern).await.map_err(|e| failed(&format!("register for {pattern} events"), e))?;
    }
    let end = CancellationToken::new();
    let plugin = endpoint.plugin.clone();
    let context = endpoint.context.clone();
    let ended = end.clone();
    let task = tokio::spawn(async move {
        let deliver = |event: Event| {
            let scope = Scope { ignore_publish: true, ..Scope::fresh() };
            let (plugin, context) = (plugin.clone(), context.scoped(scope.clone()));
            (scope, async move { plugin.publish(&context, event).await })
        };
        pump(stream, ended, &context, deliver).await;
    });
    Ok(EventTask { end, task })
}

async fn pump<F>(
    mut stream: EventStream,
    ended: CancellationToken,
    context: &Context,
    deliver: impl Fn(Event) -> (Scope, F),
) where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    loop {
        let next = tokio::select! {
            () = ended.cancelled() => return stream.close().await,
            next = stream.next() => next,
        };
        // A gap is told to the hook as an event of type `websocket`, so that it can read the state afresh.
        let event = match next {
            Some(Ok(Incoming::Event(event))) => *event,
            Some(Ok(Incoming::Reconnected)) => {
                Event::now("websocket", "reconnected", context.name(), 0.into())
            }
            Some(Ok(Incoming::Missed(count))) => {
                Event::now("websocket", "missed", context.name(), count.into())
            }
            Some(Ok(_)) => continue,
            Some(Err(error)) => {
                tracing::error!("the event stream ended: {error}");
                return;
            }
            None => return,
        };
        let (scope, hook) = deliver(event);
        match scope.clone().run(hook).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => scope.within(async { tracing::error!("publish: {error}") }).await,
            Err(panicked) => {
                scope.within(async { tracing::error!("publish panicked: {}", panicked.what) }).await
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::is_loopback;

    #[test]
    fn loopback_is_recognised() {
        assert!(is_loopback("https://127.0.0.1:8092") && is_loopback("https://[::1]:8092"));
        assert!(is_loopback("https://localhost:8092") && !is_loopback("https://10.0.0.1:8092"));
        assert!(!is_loopback("https://localhost.example:1") && !is_loopback(""));
    }
}
