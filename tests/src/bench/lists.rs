//! Promise 7: listing many machines, and getting one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;

use super::daemon::Daemon;
use super::figure::{Amount, Figure};
use super::fleet::{Fleet, name};
use super::samples::Samples;
use super::{Bench, Result};

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let fleet = Fleet::make(bench).await?;
    let daemon = Daemon::start(bench, &fleet.base)?;
    let mut kept = daemon.connect().await?;
    let slim = "/api/v3/machines?slim=Params,Meta";
    let listed = kept.call(Method::GET, slim, Bytes::new()).await?;
    let objects: Vec<serde_json::Value> = serde_json::from_slice(&listed)?;
    if objects.len() != fleet.machines {
        return Err(format!("{} machines were listed, {} were made", objects.len(), fleet.machines).into());
    }
    let mut serialise = Samples::default();
    serialise.block(bench.times(50), || Ok(serde_json::to_vec(&objects)?))?;
    drop(objects);
    let mut list = Samples::default();
    get(&mut list, &mut kept, bench.times(50), |_| slim.to_owned()).await?;
    let mut whole = Samples::default();
    get(&mut whole, &mut kept, bench.times(20), |_| "/api/v3/machines".to_owned()).await?;
    let mut one = Samples::default();
    let machine = |n: usize| format!("/api/v3/machines/Name:{}", name(n * 7919 % fleet.machines));
    get(&mut one, &mut kept, bench.times(5_000), machine).await?;
    #[allow(clippy::cast_precision_loss)]
    let megabytes = listed.len() as f64 / f64::from(1 << 20);
    Ok(vec![
        Figure::new(
            format!("list {} slim ({megabytes:.1} MB), p50", fleet.machines),
            Amount::Time(list.p50()),
        )
        .over("serialising the same in memory", Amount::Time(serialise.p50()))
        .at_most(Amount::Time(Duration::from_millis(80))),
        Figure::new(format!("list {} whole, p50", fleet.machines), Amount::Time(whole.p50())),
        Figure::new("get one by name, p50", Amount::Time(one.p50())),
        Figure::new("get one by name, p99", Amount::Time(one.p99()))
            .at_most(Amount::Time(Duration::from_millis(1))),
        Figure::new("create, 16 connections", Amount::Rate(fleet.made_per_second)),
    ])
}

async fn get(
    samples: &mut Samples,
    kept: &mut super::http::Kept,
    times: usize,
    path: impl Fn(usize) -> String,
) -> Result<()> {
    for n in 0..times {
        let path = path(n);
        let begin = Instant::now();
        kept.call(Method::GET, &path, Bytes::new()).await?;
        samples.add(begin.elapsed());
    }
    Ok(())
}
