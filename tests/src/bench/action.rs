//! Promise 1: an action, all the way: REST over TLS, host, plugin and back.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::daemon::Daemon;
use super::figure::{Amount, Figure};
use super::floors::{HttpEcho, HttpsEcho, PingPong, message};
use super::plugin_alone::echo;
use super::samples::Samples;
use super::{Bench, Result};

const CONNECTIONS: usize = 16;
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let base = tempfile::Builder::new().prefix("action").tempdir_in(bench.sockets.path())?;
    let plugins = base.path().join("plugins");
    std::fs::create_dir_all(&plugins)?;
    std::fs::copy(echo(bench)?, plugins.join("echo"))?;
    let daemon = Daemon::start(bench, base.path())?;
    let mut kept = daemon.connect().await?;
    let path = prepare(&mut kept).await?;
    let body = Bytes::from(serde_json::to_vec(&json!({"echo/text": "x".repeat(300)}))?);

    let mut https = HttpsEcho::start(bench).await?;
    let http = HttpEcho::start(bench)?;
    let mut raw = PingPong::start(bench)?;
    let message = message();
    let (mut action, mut over_tls, mut over_socket, mut ping) =
        (Samples::default(), Samples::default(), Samples::default(), Samples::default());
    let mut idle = Samples::default();
    for _ in 0..200 {
        kept.call(Method::POST, &path, body.clone()).await?;
    }
    https.take(&mut idle, 200, &message).await?;
    http.take(&mut idle, 200, &message).await?;
    for _ in 0..10 {
        raw.take(&mut ping, bench.times(500))?;
        https.take(&mut over_tls, bench.times(1000), &message).await?;
        http.take(&mut over_socket, bench.times(1000), &message).await?;
        for _ in 0..bench.times(1000) {
            let begin = Instant::now();
            kept.call(Method::POST, &path, body.clone()).await?;
            action.add(begin.elapsed());
        }
    }
    drop((https, http, raw));
    let time = Duration::from_millis(if bench.quick { 500 } else { 3000 });
    let rate = many(&daemon, &path, &body, time).await?;
    let floor = over_tls.p50() + over_socket.p50();
    let parts = format!(
        "HTTPS echo {:.0} µs + HTTP over UNIX socket {:.0} µs",
        over_tls.p50().as_secs_f64() * 1e6,
        over_socket.p50().as_secs_f64() * 1e6
    );
    Ok(vec![
        Figure::new("action, p50", Amount::Time(action.p50()))
            .over(parts, Amount::Time(floor))
            .ratio_at_most(1.3),
        Figure::new("action, p99", Amount::Time(action.p99()))
            .at_most(Amount::Time(Duration::from_millis(1))),
        Figure::new(format!("actions, {CONNECTIONS} connections"), Amount::Rate(rate))
            .at_least(Amount::Rate(8000.0)),
        Figure::new("raw ping-pong, p50", Amount::Time(ping.p50())),
    ])
}

/// Makes the plugin and a machine, waits for the action, and gives its path.
async fn prepare(kept: &mut super::http::Kept) -> Result<String> {
    let plugin = json!({"Name": "echo", "Provider": "echo"});
    let begin = Instant::now();
    // The catalogue may still be looking at the plugin directory.
    while let Err(error) = kept.call(Method::POST, "/api/v3/plugins", json_bytes(&plugin)?).await {
        if begin.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let machine = json_bytes(&json!({"Name": "bench"}))?;
    let machine: Value =
        serde_json::from_slice(&kept.call(Method::POST, "/api/v3/machines", machine).await?)?;
    let uuid = machine["Uuid"].as_str().ok_or("the machine has no Uuid")?;
    let path = format!("/api/v3/machines/{uuid}/actions/echo");
    while let Err(error) = kept.call(Method::POST, &path, json_bytes(&json!({"echo/text": "x"}))?).await {
        if begin.elapsed() > PATIENCE {
            return Err(error);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(path)
}

fn json_bytes(value: &Value) -> Result<Bytes> {
    Ok(serde_json::to_vec(value)?.into())
}

/// Actions a second over several connections.
async fn many(daemon: &Daemon, path: &str, body: &Bytes, time: Duration) -> Result<f64> {
    let mut connections = Vec::new();
    for _ in 0..CONNECTIONS {
        connections.push(daemon.connect().await?);
    }
    let begin = Instant::now();
    let clients: Vec<_> = connections
        .into_iter()
        .map(|mut kept| {
            let (path, body) = (path.to_owned(), body.clone());
            tokio::spawn(async move {
                let mut done = 0_u32;
                while begin.elapsed() < time {
                    kept.call(Method::POST, &path, body.clone()).await?;
                    done += 1;
                }
                Result::Ok(done)
            })
        })
        .collect();
    let mut done = 0.0;
    for client in clients {
        done += f64::from(client.await??);
    }
    Ok(done / begin.elapsed().as_secs_f64())
}
