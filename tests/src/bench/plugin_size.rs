//! Promise 6: what an idle SDK plugin needs.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::figure::{Amount, Figure, Outcome};
use super::plugin_alone::{Alone, echo};
use super::{Bench, Result, memory};

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let mut alone = Alone::start(bench).await?;
    alone.spawn().await?;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let pid = alone.status()?.pid.ok_or("echo has no process")?;
    let resident = memory::resident(pid)?;
    alone.stop().await;

    let plugin = echo(bench)?;
    let stripped = bench.directory.path().join("stripped");
    let size = match strip(&plugin, &stripped) {
        Ok(()) => Figure::new("stripped binary", Amount::Bytes(std::fs::metadata(&stripped)?.len()))
            .at_most(Amount::Bytes(6 << 20)),
        Err(error) => Figure::outcome(Outcome::Skipped(format!("strip: {error}; install binutils"))),
    };
    Ok(vec![
        Figure::new("idle echo, resident", Amount::Bytes(resident)).at_most(Amount::Bytes(8 << 20)),
        size,
    ])
}

fn strip(from: &Path, to: &Path) -> Result<()> {
    let output = Command::new("strip").arg("-o").arg(to).arg(from).output()?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into()) }
}
