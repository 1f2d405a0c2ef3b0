//! Promise 13: how long one command takes, from its process being made to its end.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Method;

use super::daemon::Daemon;
use super::figure::{Amount, Figure, Outcome};
use super::fleet::Fleet;
use super::samples::Samples;
use super::{Bench, Result};

/// Machines in the short list: a screenful.
const MACHINES: usize = 25;
/// What the promise gives a command besides the transfer.
const LIMIT: Duration = Duration::from_millis(15);

pub(crate) async fn run(bench: &Bench) -> Result<Vec<Figure>> {
    let base = tempfile::Builder::new().prefix("cli").tempdir_in(bench.sockets.path())?;
    let daemon = Daemon::start(bench, base.path())?;
    let mut kept = daemon.connect().await?;
    for n in 0..MACHINES {
        let machine =
            serde_json::json!({ "Name": format!("web{n:02}"), "Address": format!("10.1.0.{}", n + 1) });
        kept.call(Method::POST, "/api/v3/machines", serde_json::to_vec(&machine)?.into()).await?;
    }
    drop(kept);
    let mut figures = pair(bench, &daemon, base.path(), &format!("{MACHINES} machines"), 60, true).await?;
    drop(daemon);
    let fleet = Fleet::make(bench).await?;
    let daemon = Daemon::start(bench, &fleet.base)?;
    figures
        .extend(pair(bench, &daemon, &fleet.base, &format!("{} machines", fleet.machines), 10, false).await?);
    Ok(figures)
}

/// The command and curl by turns, over HTTPS and over the local socket.
async fn pair(
    bench: &Bench,
    daemon: &Daemon,
    base: &Path,
    what: &str,
    times: usize,
    held: bool,
) -> Result<Vec<Figure>> {
    let token = daemon.token().await?;
    let certificate = base.join("tls/server.crt");
    let socket = base.join("drp.sock");
    let header = bench.directory.path().join("header");
    std::fs::write(&header, format!("Authorization: Bearer {token}\n"))?;
    let mut figures = Vec::new();
    for over_tls in [true, false] {
        let (mut ours, mut floor) = (Samples::default(), Samples::default());
        for _ in 0..bench.times(times).max(5) {
            let mut drp = Command::new(bench.binary("drp")?);
            drp.args(["machines", "list", "--format", "json"]).env_clear();
            let mut curl = Command::new("curl");
            curl.args(["--silent", "--show-error", "--fail", "--header"]).env("NO_PROXY", "127.0.0.1");
            if over_tls {
                drp.env("RS_ENDPOINT", daemon.url()).env("RS_TOKEN", &token).env("DRP_PIN", &certificate);
                curl.arg(format!("@{}", header.display())).arg("--cacert").arg(&certificate);
                curl.arg(format!("{}/api/v3/machines", daemon.url()));
            } else {
                drp.env("DRP_SOCKET", &socket);
                curl.arg("Accept: application/json").arg("--unix-socket").arg(&socket);
                curl.arg("http://localhost/api/v3/machines");
            }
            ours.block(1, || listed(&mut drp))?;
            match floor.block(1, || listed(&mut curl)) {
                Err(error) if error.downcast_ref::<std::io::Error>().is_some() => {
                    return Ok(vec![Figure::outcome(Outcome::Skipped("curl is not installed".into()))]);
                }
                other => other?,
            }
        }
        let way = if over_tls { "HTTPS" } else { "socket" };
        let (ours, floor) = (ours.p50(), floor.p50());
        let figure =
            Figure::new(format!("{what}, {way}, p50"), Amount::Time(ours)).over("curl", Amount::Time(floor));
        figures.push(if held {
            figure.at_most(Amount::Time(LIMIT))
        } else {
            // curl's time is that of the transfer, and of a little more.
            figure.target("≤ 15 ms + transfer", ours <= floor + LIMIT)
        });
    }
    Ok(figures)
}

/// Runs it to its end and takes all that it prints.
fn listed(command: &mut Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).output()?;
    let printed = Bytes::from(output.stdout);
    if output.status.success() && printed.starts_with(b"[") {
        return Ok(());
    }
    Err(format!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr)).into())
}
