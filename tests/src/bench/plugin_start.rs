//! Promise 3: from spawning a plugin to a configured one.

use std::time::Instant;

use std::time::Duration;

use super::figure::{Amount, Figure};
use super::floors::bare_spawn;
use super::plugin_alone::Alone;
use super::samples::Samples;
use super::{Bench, Result};

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let (mut configured, mut spawned) = (Samples::default(), Samples::default());
    let mut alone = Alone::start(bench).await?;
    alone.spawn().await?;
    alone.remove().await;
    for _ in 0..bench.times(100) {
        bare_spawn(&mut spawned, 1)?;
        let begin = Instant::now();
        alone.spawn().await?;
        configured.add(begin.elapsed());
        alone.remove().await;
    }
    alone.stop().await;
    let floor = Amount::Time(spawned.p50());
    Ok(vec![
        Figure::new("spawn to configured, p50", Amount::Time(configured.p50()))
            .over("bare spawn to first byte", floor)
            .at_most(Amount::Time(Duration::from_millis(5))),
        Figure::new("spawn to configured, p99", Amount::Time(configured.p99())),
    ])
}
