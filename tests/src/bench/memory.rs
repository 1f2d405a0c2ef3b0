//! Promise 5: memory of the daemon.

use std::time::Duration;

use super::daemon::Daemon;
use super::figure::{Amount, Figure};
use super::fleet::Fleet;
use super::{Bench, Result};

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let idle = {
        let base = tempfile::Builder::new().prefix("idle").tempdir_in(bench.sockets.path())?;
        let daemon = Daemon::start(bench, base.path())?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        resident(daemon.pid())?
    };
    let fleet = Fleet::make(bench).await?;
    let made = fleet.resident_when_made;
    let daemon = Daemon::start(bench, &fleet.base)?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = resident(daemon.pid())?;
    drop(daemon);
    let limit = Amount::Bytes(150 << 20);
    let what = |when: &str| format!("{} machines of 2 KB, {when}", fleet.machines);
    Ok(vec![
        Figure::new("idle", Amount::Bytes(idle)).at_most(Amount::Bytes(25 << 20)),
        Figure::new(what("after a start"), Amount::Bytes(started)).at_most(limit),
        Figure::new(what("as they are made"), Amount::Bytes(made)).at_most(limit),
    ])
}

/// Resident memory of a process in bytes.
pub(crate) fn resident(pid: u32) -> Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes << 10)
}
