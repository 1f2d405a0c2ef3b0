//! Promise 4: start of the daemon with many providers installed.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::daemon::Daemon;
use super::figure::{Amount, Figure, Outcome};
use super::floors::bare_spawn;
use super::samples::Samples;
use super::{Bench, Result};

const PROVIDERS: usize = 50;

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let base = tempfile::Builder::new().prefix("start").tempdir_in(bench.sockets.path())?;
    install(bench, &base.path().join("plugins"))?;
    // A file that has just changed may change again within the resolution of its time stamp, and is not trusted.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    // The first start defines them all; it ends when they are known.
    let first = Daemon::start(bench, base.path())?;
    let first_ready = first.ready_after;
    let mut kept = first.connect().await?;
    let mut known = 0;
    for _ in 0..600 {
        known = providers(&mut kept).await?;
        if known == PROVIDERS {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    if known != PROVIDERS {
        return Err(format!("the daemon knows {known} of {PROVIDERS} providers").into());
    }
    drop((kept, first));

    let (mut ready, mut spawned) = (Samples::default(), Samples::default());
    let mut started_plugins = 0;
    let mut known = PROVIDERS;
    for _ in 0..bench.times(20).max(5) {
        bare_spawn(&mut spawned, 1)?;
        let daemon = Daemon::start(bench, base.path())?;
        ready.add(daemon.ready_after);
        started_plugins += children(daemon.pid())?;
        // They must be there at once, not some time later.
        known = known.min(providers(&mut daemon.connect().await?).await?);
    }
    let limit = Duration::from_millis(60);
    let mut figures = vec![
        Figure::new(format!("start to ready, {PROVIDERS} providers, p50"), Amount::Time(ready.p50()))
            .over("bare spawn", Amount::Time(spawned.p50()))
            .at_most(Amount::Time(limit)),
        Figure::new("the slowest of them", Amount::Time(ready.permille(1000))),
        Figure::new("the first start, definitions unknown", Amount::Time(first_ready)),
    ];
    if started_plugins > 0 {
        let why = format!("{started_plugins} plugin processes ran although no instance exists");
        figures.push(Figure::outcome(Outcome::Failed(why)));
    }
    if known < PROVIDERS {
        let why = format!("only {known} of {PROVIDERS} providers were known when the daemon was ready");
        figures.push(Figure::outcome(Outcome::Failed(why)));
    }
    Ok(figures)
}

/// Copies of one plugin that takes its provider name from its file name. Each ends in its name, behind the end of the
/// program, so that they are different files with definitions of their own.
fn install(bench: &Bench, plugins: &Path) -> Result<()> {
    std::fs::create_dir_all(plugins)?;
    let plugin = bench.binary("drp-bench-plugin")?;
    for n in 0..PROVIDERS {
        let name = format!("bench-{n:02}");
        std::fs::copy(&plugin, plugins.join(&name))?;
        File::options().append(true).open(plugins.join(&name))?.write_all(name.as_bytes())?;
    }
    Ok(())
}

async fn providers(kept: &mut super::http::Kept) -> Result<usize> {
    let answer = kept.call(Method::GET, "/api/v3/plugin_providers", Bytes::new()).await?;
    let providers: Vec<serde_json::Value> = serde_json::from_slice(&answer)?;
    let ours = |provider: &&serde_json::Value| {
        provider["Name"].as_str().is_some_and(|name| name.starts_with("bench-"))
    };
    Ok(providers.iter().filter(ours).count())
}

/// How many children a process has.
fn children(pid: u32) -> Result<usize> {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task"))?;
    let mut count = 0;
    for task in tasks {
        let listed = std::fs::read_to_string(task?.path().join("children")).unwrap_or_default();
        count += listed.split_whitespace().count();
    }
    Ok(count)
}
