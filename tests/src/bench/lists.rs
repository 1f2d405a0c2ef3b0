//! Promise 7: listing many machines, and getting one.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;

use super::daemon::Daemon;
use super::figure::{Amount, Figure};
use super::fleet::{Fleet, RACKS, ZONES, address, name};
use super::floors::HttpsEcho;
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
    let asked = queries(bench, fleet, &mut kept).await?;
    #[allow(clippy::cast_precision_loss)]
    let megabytes = listed.len() as f64 / f64::from(1 << 20);
    let mut figures = vec![
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
    ];
    figures.extend(asked);
    figures.push(Figure::new("create, 16 connections", Amount::Rate(fleet.made_per_second)));
    Ok(figures)
}

/// What a list is asked for, how many objects match, and how long it may take.
struct Asked {
    what: &'static str,
    query: String,
    matches: usize,
    within: Duration,
}

/// Lists of few among many: each over an HTTPS echo of as many bytes.
async fn queries(bench: &Bench, fleet: &Fleet, kept: &mut super::http::Kept) -> Result<Vec<Figure>> {
    let all = fleet.machines;
    let (from, to) = (all / 2, all / 2 + 99);
    let by_index = Duration::from_millis(2);
    // Each object is looked at, none is parsed.
    let by_text = Duration::from_millis(20);
    let asked = |what, query, matches, within| Asked { what, query, matches, within };
    let all_asked = [
        asked("one by address", format!("Address={}", address(all / 3)), 1, by_index),
        asked(
            "100 by a range of names",
            format!("Name=Between({},{})&slim=Meta,Params", name(from), name(to)),
            100,
            by_index,
        ),
        asked("3 by In", format!("Name=In({},{},{})", name(1), name(7), name(all - 1)), 3, by_index),
        asked(
            "page of 20 in the order of addresses",
            format!("sort=Address&offset={from}&limit=20"),
            all,
            by_index,
        ),
        asked(
            "page of 20, filtered and sorted",
            "Runnable=true&sort=Address&sort=Name&limit=20".to_owned(),
            all,
            Duration::from_millis(10),
        ),
        asked("page of 20 by meta data", "Meta.rack=r17&limit=20".to_owned(), all / RACKS, by_text),
        asked("page of 20 by an own param", format!("bench/number=Gte({})&limit=20", all - 50), 50, by_text),
        asked("page of 20 by a profile's param", "bench/zone=z3&limit=20".to_owned(), all / ZONES, by_text),
    ];
    let mut echo = HttpsEcho::start(bench).await?;
    let mut figures = Vec::new();
    for Asked { what, query, matches, within } in all_asked {
        let path = format!("/api/v3/machines?{query}");
        let answer = kept.call(Method::GET, &path, Bytes::new()).await?;
        let listed = serde_json::from_slice::<Vec<serde_json::Value>>(&answer)?.len();
        let expected = if query.contains("limit=20") { matches.min(20) } else { matches };
        if listed != expected {
            return Err(format!("{what}: {listed} machines were listed, {expected} match").into());
        }
        let (mut floor, mut samples) = (Samples::default(), Samples::default());
        echo.take(&mut floor, bench.times(200), &answer).await?;
        get(&mut samples, kept, bench.times(200), |_| path.clone()).await?;
        figures.push(
            Figure::new(format!("{what}, p50"), Amount::Time(samples.p50()))
                .over("HTTPS echo of as much", Amount::Time(floor.p50()))
                .at_most(Amount::Time(within)),
        );
    }
    Ok(figures)
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
