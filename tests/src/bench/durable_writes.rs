//! Promise 8: durable writes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use drp_store::{Batch, Op, Options, Store, open};

use super::figure::{Amount, Figure};
use super::floors::Append;
use super::samples::Samples;
use super::{Bench, Result};

/// Size of an object in bytes: a small machine.
const OBJECT: usize = 1800;
const CLIENTS: usize = 64;

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let path = bench.directory.path().join("durable.db");
    let store = open(&path.to_string_lossy(), Options::default())?;
    let mut append = Append::start(bench)?;
    let (mut floor, mut one) = (Samples::default(), Samples::default());
    let bytes = vec![b'x'; OBJECT];
    let rounds = 10;
    for round in 0..rounds {
        append.take(&mut floor, bench.times(300), &bytes)?;
        let mut n = 0;
        one.take(bench.times(300), || {
            n += 1;
            put(store.clone(), format!("one/{:08x}", scatter(round * 1_000_000 + n)), bytes.clone())
        })
        .await?;
    }
    let before = store.stats()?;
    let (rate, many) = clients(&store, Duration::from_millis(if bench.quick { 500 } else { 3000 })).await?;
    let stats = store.stats()?;
    store.close();

    let limit = floor.p50() + Duration::from_micros(300);
    let flush = || ("append + fdatasync", Amount::Time(floor.p50()));
    #[allow(clippy::cast_precision_loss)]
    let grouped = (stats.commits - before.commits) as f64 / (stats.groups - before.groups).max(1) as f64;
    Ok(vec![
        Figure::new("one writer, p50", Amount::Time(one.p50()))
            .over(flush().0, flush().1)
            .target("≤ floor + 300 µs", one.p50() <= limit),
        Figure::new("one writer, p99", Amount::Time(one.p99()))
            .over("append + fdatasync, p99", Amount::Time(floor.p99())),
        Figure::new(format!("{CLIENTS} writers ({grouped:.1} a flush)"), Amount::Rate(rate))
            .over("append + fdatasync", Amount::Rate(1.0 / floor.p50().as_secs_f64()))
            .at_least(Amount::Rate(8000.0)),
        Figure::new(format!("{CLIENTS} writers, p99"), Amount::Time(many.p99())),
    ])
}

/// Keys in no order, as identifiers are.
fn scatter(n: u32) -> u32 {
    n.wrapping_mul(2_654_435_761)
}

async fn put(store: Arc<dyn Store>, key: String, value: Vec<u8>) -> Result<u64> {
    let name = key.clone();
    Ok(store.submit(Batch::new(vec![Op::put("machines", key, value).unique("Name", name)])).await?)
}

/// Writers that each wait for their acknowledgement before the next write.
async fn clients(store: &Arc<dyn Store>, time: Duration) -> Result<(f64, Samples)> {
    let begin = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut samples = Samples::default();
                let mut n = 0;
                while begin.elapsed() < time {
                    n += 1;
                    let key = format!("{client:02}/{:08x}", scatter(n));
                    samples.take(1, || put(store.clone(), key.clone(), vec![b'x'; OBJECT])).await?;
                }
                Result::Ok(samples)
            })
        })
        .collect();
    let mut all = Samples::default();
    for client in clients {
        all.extend(client.await??);
    }
    #[allow(clippy::cast_precision_loss)]
    let rate = all.count() as f64 / begin.elapsed().as_secs_f64();
    Ok((rate, all))
}
