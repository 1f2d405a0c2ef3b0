//! Promise 2: a call of the host to a plugin, over a kept connection.

use bytes::Bytes;

use super::figure::{Amount, Figure};
use super::floors::{HttpEcho, PingPong};
use super::plugin_alone::{Alone, action};
use super::samples::Samples;
use super::{Bench, Result};

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let action = action(&"x".repeat(300));
    let body = Bytes::from(serde_json::to_vec(&action)?);
    let echo = HttpEcho::start(bench)?;
    let mut raw = PingPong::start(bench)?;
    let mut alone = Alone::start(bench).await?;
    alone.spawn().await?;

    let (mut call, mut http, mut ping) = (Samples::default(), Samples::default(), Samples::default());
    // Warm up, then in turns, so that a busy moment of the machine meets all of them.
    let mut idle = Samples::default();
    idle.take(200, || alone.invoke(&action)).await?;
    echo.take(&mut idle, 200, &body).await?;
    for _ in 0..10 {
        raw.take(&mut ping, bench.times(500))?;
        echo.take(&mut http, bench.times(1000), &body).await?;
        call.take(bench.times(1000), || alone.invoke(&action)).await?;
    }
    alone.stop().await;
    Ok(vec![
        Figure::new("call, p50", Amount::Time(call.p50()))
            .over("HTTP over UNIX socket", Amount::Time(http.p50()))
            .ratio_at_most(1.3),
        Figure::new("call, p99", Amount::Time(call.p99()))
            .over("HTTP over UNIX socket, p99", Amount::Time(http.p99())),
        Figure::new("HTTP over UNIX socket, p50", Amount::Time(http.p50()))
            .over("raw ping-pong", Amount::Time(ping.p50())),
    ])
}
