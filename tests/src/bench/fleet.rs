//! A base root with many machines in it, made once and used by several promises.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::json;

use super::daemon::Daemon;
use super::memory::resident;
use super::{Bench, Result};

/// What a machine takes as JSON, in bytes.
const MACHINE: usize = 2048;
const CONNECTIONS: usize = 16;

/// Where the machines are.
#[derive(Debug, Clone)]
pub(crate) struct Fleet {
    /// Base root.
    pub(crate) base: PathBuf,
    /// How many machines.
    pub(crate) machines: usize,
    /// Memory of the daemon that made them, in bytes, right after.
    pub(crate) resident_when_made: u64,
    /// How many were made in a second.
    pub(crate) made_per_second: f64,
}

impl Fleet {
    /// Makes the machines through the API of a real daemon, or gives those that were made before.
    pub(crate) async fn make(bench: &Bench) -> Result<&Fleet> {
        bench.fleet.get_or_try_init(|| Fleet::made(bench)).await
    }

    async fn made(bench: &Bench) -> Result<Fleet> {
        let base = bench.sockets.path().join("fleet");
        std::fs::create_dir_all(&base)?;
        let machines = if bench.quick { 1_000 } else { 10_000 };
        let daemon = Daemon::start(bench, &base)?;
        let mut kept = daemon.connect().await?;
        for (path, object) in around() {
            kept.call(Method::POST, path, Bytes::from(object.to_string())).await?;
        }
        let next = AtomicUsize::new(0);
        let begin = Instant::now();
        let clients = (0..CONNECTIONS).map(|_| async {
            let mut kept = daemon.connect().await?;
            loop {
                let n = next.fetch_add(1, Ordering::Relaxed);
                if n >= machines {
                    return Result::Ok(());
                }
                kept.call(Method::POST, "/api/v3/machines", machine(n)?).await?;
            }
        });
        futures_util::future::try_join_all(clients).await?;
        #[allow(clippy::cast_precision_loss)]
        let made_per_second = machines as f64 / begin.elapsed().as_secs_f64();
        tokio::time::sleep(Duration::from_secs(1)).await;
        let resident_when_made = resident(daemon.pid())?;
        Ok(Fleet { base, machines, resident_when_made, made_per_second })
    }
}

/// Zones that profiles put the machines in.
pub(crate) const ZONES: usize = 10;
/// Racks that the machines' meta data names.
pub(crate) const RACKS: usize = 100;

/// What the machines refer to: definitions of their params, and profiles that hold one more.
fn around() -> Vec<(&'static str, serde_json::Value)> {
    let param = |name: &str, kind: &str| json!({"Name": name, "Schema": {"type": kind}});
    let zone = |n: usize| json!({"Name": format!("zone{n}"), "Params": {"bench/zone": format!("z{n}")}});
    [param("bench/number", "integer"), param("bench/zone", "string")]
        .map(|param| ("/api/v3/params", param))
        .into_iter()
        .chain((0..ZONES).map(|n| ("/api/v3/profiles", zone(n))))
        .collect()
}

/// A machine whose stored form is about [`MACHINE`] bytes.
pub(crate) fn machine(n: usize) -> Result<Bytes> {
    // Empty fields that the daemon adds take about 700 bytes.
    let filler = "x".repeat(MACHINE - 1_050);
    let machine = json!({
        "Name": name(n),
        "Description": "a machine of the benchmark",
        "Address": address(n),
        "Profiles": [format!("zone{}", n % ZONES)],
        "Meta": {"rack": format!("r{}", n % RACKS)},
        "Params": {"bench/number": n, "bench/filler": filler},
    });
    Ok(serde_json::to_vec(&machine)?.into())
}

/// Address of a machine.
pub(crate) fn address(n: usize) -> String {
    format!("10.{}.{}.{}", n >> 16, (n >> 8) & 255, n & 255)
}

/// Name of a machine.
pub(crate) fn name(n: usize) -> String {
    format!("bench-{n:05}")
}
