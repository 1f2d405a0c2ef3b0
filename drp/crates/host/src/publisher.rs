//! Events to plugins that want all of them: a bounded queue each (wire-protocol §1.13).

use crate::Limits;
use crate::from_plugin::Reporter;
use crate::link::Link;
use bytes::Bytes;
use drp_protocol::{Event, Level};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

enum Item {
    Event(Bytes),
    /// So many events stood here and are lost.
    Missed(u64),
}

/// The queue of one configured instance.
pub(crate) struct Publisher {
    pub(crate) plugin: Arc<str>,
    queue: mpsc::Sender<Item>,
    missed: AtomicU64,
    dropped: Arc<AtomicU64>,
    stop: CancellationToken,
}

impl Publisher {
    pub(crate) fn start(
        link: Arc<Link>,
        reporter: Reporter,
        limits: &Limits,
        dropped: Arc<AtomicU64>,
    ) -> Arc<Self> {
        let (queue, items) = mpsc::channel(limits.publish_queue.max(1));
        let stop = CancellationToken::new();
        let plugin = Arc::clone(&reporter.plugin);
        tokio::spawn(post(link, reporter, items, limits.publish, stop.clone()));
        Arc::new(Self { plugin, queue, missed: AtomicU64::new(0), dropped, stop })
    }

    /// Queues an event. When the queue is full it is counted, and a mark takes its place as soon as
    /// there is room.
    pub(crate) fn offer(&self, event: Bytes) {
        let missed = self.missed.swap(0, Ordering::AcqRel);
        let marked = missed == 0 || self.queue.try_send(Item::Missed(missed)).is_ok();
        let lost = if marked && self.queue.try_send(Item::Event(event)).is_ok() {
            0
        } else if marked {
            1
        } else {
            missed + 1
        };
        if lost > 0 {
            self.missed.fetch_add(lost, Ordering::AcqRel);
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Posts nothing more; a call in flight may end.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

async fn post(
    link: Arc<Link>,
    reporter: Reporter,
    mut items: mpsc::Receiver<Item>,
    deadline: Duration,
    stop: CancellationToken,
) {
    let mut complaint: Option<Instant> = None;
    loop {
        let item = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            () = link.gone.cancelled() => return,
            item = items.recv() => item,
        };
        let event = match item {
            None => return,
            Some(Item::Event(event)) => event,
            Some(Item::Missed(count)) => {
                reporter.host(
                    Level::Warn,
                    format!("{count} events were not published to it: its queue was full"),
                );
                mark(&reporter.plugin, count)
            }
        };
        if let Err(e) = link.tell("publish", event, deadline).await
            && complaint.is_none_or(|last| last.elapsed() > Duration::from_secs(10))
        {
            complaint = Some(Instant::now());
            reporter.host(Level::Warn, format!("publish failed: {e}"));
        }
    }
}

/// The event that stands for lost ones: type `plugins`, action `missed`, the count in its object.
fn mark(plugin: &str, count: u64) -> Bytes {
    let event = Event::now("plugins", "missed", plugin, json!({ "Missed": count }));
    serde_json::to_vec(&event).unwrap_or_default().into()
}
