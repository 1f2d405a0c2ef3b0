//! Promise 9: events to many followers, 10,000 deliveries a second.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use http::Method;
use serde_json::{Value, json};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::Message;

use super::daemon::Daemon;
use super::figure::{Amount, Figure};
use super::http::Kept;
use super::peer::Peer;
use super::samples::Samples;
use super::{Bench, Result};

/// Followers.
const FOLLOWERS: usize = 100;
/// Deliveries a second.
const PACE: u32 = 10_000;
/// What of it must be reached: the last events end a little later.
const PACED: f64 = 9_500.0;
/// Connections that publish.
const PUBLISHERS: usize = 8;
/// How long a follower waits for what is still missing.
const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let seconds = if bench.quick { 2 } else { 10 };
    let floor = floor(bench, seconds).await?;
    let base = tempfile::Builder::new().prefix("events").tempdir_in(bench.sockets.path())?;
    let daemon = Daemon::start(bench, base.path())?;
    let each = measure(&daemon, "each", seconds).await?;
    let all = measure(&daemon, "all", seconds).await?;
    let limit = Amount::Time(Duration::from_millis(20));
    let bare = "bare WebSocket to 100, same pace, p99";
    Ok(vec![
        Figure::new("one follower an event, deliveries", Amount::Rate(each.rate))
            .at_least(Amount::Rate(PACED)),
        Figure::new("one follower an event, p50", Amount::Time(each.times.p50())),
        Figure::new("one follower an event, p99", Amount::Time(each.times.p99()))
            .over(bare, Amount::Time(floor.p99()))
            .at_most(limit),
        Figure::new("every follower, deliveries", Amount::Rate(all.rate)).at_least(Amount::Rate(PACED)),
        Figure::new("every follower, p50", Amount::Time(all.times.p50())),
        Figure::new("every follower, p99", Amount::Time(all.times.p99()))
            .over(bare, Amount::Time(floor.p99()))
            .at_most(limit),
        Figure::new("lost without a mark", Amount::Count(each.lost + all.lost)).at_most(Amount::Count(0)),
        Figure::new("lost with a mark", Amount::Count(each.marked + all.marked)),
    ])
}

struct Measured {
    times: Samples,
    rate: f64,
    /// Events that were neither delivered nor marked.
    lost: usize,
    marked: usize,
}

/// What one follower saw.
#[derive(Default)]
struct Seen {
    times: Samples,
    events: usize,
    marked: usize,
}

/// Publishes so that there are [`PACE`] deliveries a second: `each` event for one follower, or every event for `all`.
async fn measure(daemon: &Daemon, kind: &str, seconds: u32) -> Result<Measured> {
    let origin = Instant::now();
    let done = Arc::new(AtomicBool::new(false));
    let (events, per_second) = match kind {
        "each" => (PACE * seconds, PACE),
        _ => (PACE / 100 * seconds, PACE / 100),
    };
    let mut followers = Vec::new();
    for n in 0..FOLLOWERS {
        let pattern = if kind == "each" { format!("{kind}.on.{n}") } else { format!("{kind}.on.*") };
        let expected = if kind == "each" { events as usize / FOLLOWERS } else { events as usize };
        followers.push(follow(daemon, pattern, expected, origin, Arc::clone(&done)).await?);
    }
    let begin = Instant::now();
    publish(daemon, kind, events, per_second, origin).await?;
    done.store(true, Ordering::Release);
    let mut all = Measured { times: Samples::default(), rate: 0.0, lost: 0, marked: 0 };
    let mut delivered = 0_u32;
    for follower in followers {
        let (seen, expected) = follower.await??;
        delivered += u32::try_from(seen.events)?;
        all.marked += seen.marked;
        all.lost += expected.saturating_sub(seen.events + seen.marked);
        all.times.extend(seen.times);
    }
    all.rate = f64::from(delivered) / begin.elapsed().as_secs_f64();
    Ok(all)
}

type Follower = JoinHandle<Result<(Seen, usize)>>;

async fn follow(
    daemon: &Daemon,
    pattern: String,
    expected: usize,
    origin: Instant,
    done: Arc<AtomicBool>,
) -> Result<Follower> {
    let mut socket = daemon.socket().await?;
    socket.send(Message::text(format!("register {pattern}"))).await?;
    // The acknowledgement.
    socket.next().await.ok_or("the socket ended")??;
    Ok(tokio::spawn(async move {
        let mut seen = Seen::default();
        let mut quiet = Instant::now();
        while seen.events + seen.marked < expected {
            let frame = match tokio::time::timeout(Duration::from_secs(1), socket.next()).await {
                Ok(Some(frame)) => frame?,
                Ok(None) => break,
                Err(_) if done.load(Ordering::Acquire) && quiet.elapsed() > PATIENCE => break,
                Err(_) => continue,
            };
            let Message::Text(text) = frame else { continue };
            quiet = Instant::now();
            let now = origin.elapsed();
            let event: Value = serde_json::from_str(&text)?;
            if event["Type"] == "gap" {
                let (from, to) = (event["Object"]["From"].as_u64(), event["Object"]["To"].as_u64());
                let range = to.zip(from).map_or(0, |(to, from)| to + 1 - from);
                seen.marked += usize::try_from(range)?;
                continue;
            }
            let sent = event["Object"]["At"].as_u64().ok_or("an event without its time")?;
            seen.events += 1;
            seen.times.add(now.saturating_sub(Duration::from_nanos(sent)));
        }
        Ok((seen, expected))
    }))
}

/// Publishes at an even pace over several connections.
async fn publish(daemon: &Daemon, kind: &str, events: u32, per_second: u32, origin: Instant) -> Result<()> {
    let (queue, orders) = mpsc::channel::<u32>(1024);
    let orders = Arc::new(Mutex::new(orders));
    let mut publishers = Vec::new();
    for _ in 0..PUBLISHERS {
        let mut kept: Kept = daemon.local().await?;
        let (orders, kind) = (Arc::clone(&orders), kind.to_owned());
        publishers.push(tokio::spawn(async move {
            loop {
                let Some(n) = orders.lock().await.recv().await else { return Result::Ok(()) };
                let key = (n as usize % FOLLOWERS).to_string();
                let at = u64::try_from(origin.elapsed().as_nanos())?;
                let event = json!({"Type": kind, "Action": "on", "Key": key, "Object": {"At": at}});
                let body = Bytes::from(serde_json::to_vec(&event)?);
                kept.call(Method::POST, "/api/v3/events", body).await?;
            }
        }));
    }
    let begin = Instant::now();
    for n in 0..events {
        let due = Duration::from_secs(1) * n / per_second;
        if let Some(early) =
            due.checked_sub(begin.elapsed()).filter(|early| *early > Duration::from_millis(1))
        {
            tokio::time::sleep(early).await;
        }
        queue.send(n).await?;
    }
    drop(queue);
    for publisher in publishers {
        publisher.await??;
    }
    Ok(())
}

/// The same pace from the simplest server of WebSockets: it sends the time of each frame, one socket after the other.
async fn floor(bench: &Bench, seconds: u32) -> Result<Samples> {
    let certificate = bench.directory.path().join("frames.crt");
    let peer = Peer::start(&["frames", &certificate.to_string_lossy()])?;
    let tls = super::http::trust(&std::fs::read(&certificate)?)?;
    let mut readers = Vec::new();
    for _ in 0..FOLLOWERS {
        let mut socket = super::socket::connect(&peer.said, &tls, "/", None).await?;
        readers.push(tokio::spawn(async move {
            let mut times = Samples::default();
            let expected = PACE * seconds / 100;
            while times.count() < expected as usize
                && let Some(frame) = socket.next().await
            {
                let Message::Text(text) = frame? else { continue };
                let event: Value = serde_json::from_str(&text)?;
                let sent = event["Object"]["At"].as_u64().ok_or("a frame without its time")?;
                times.add(super::socket::now().saturating_sub(Duration::from_nanos(sent)));
            }
            Result::Ok(times)
        }));
    }
    let mut all = Samples::default();
    for reader in readers {
        all.extend(reader.await??);
    }
    Ok(all)
}
