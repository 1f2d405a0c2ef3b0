//! Many simulated BMCs, in a process of their own so that their work is not counted as ours.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use drp_bmc_sim::{BmcConfig, Simulator};
use serde::{Deserialize, Serialize};

use super::Result;

/// User of every BMC.
pub(crate) const USER: &str = "admin";
/// Its password.
pub(crate) const PASSWORD: &str = "bench-password";
/// Time before every answer.
pub(crate) const LATENCY: Duration = Duration::from_millis(30);
/// BMCs in a subnet (/24): management networks are filled like this, and clients hold bounds for each.
const SUBNET: usize = 250;

/// What the BMCs counted together.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Counts {
    /// The most sessions that any of them had at one time.
    pub(crate) most_sessions: u64,
    /// Logins that succeeded.
    pub(crate) logins: u64,
    /// Commands carried out.
    pub(crate) commands: u64,
}

/// The process with the BMCs; it ends when this is dropped.
pub(crate) struct Bmcs {
    child: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// Those that answer.
    pub(crate) live: Vec<SocketAddr>,
    /// Those that take packets and are silent.
    pub(crate) dead: Vec<SocketAddr>,
}

impl Bmcs {
    /// Starts so many that answer, and so many that do not.
    pub(crate) fn start(live: usize, dead: usize) -> Result<Bmcs> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--peer", "bmcs", &live.to_string(), &dead.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let orders = child.stdin.take().ok_or("no input of the peer")?;
        let answers = BufReader::new(child.stdout.take().ok_or("no output of the peer")?);
        let mut bmcs = Bmcs { child, orders, answers, live: Vec::new(), dead: Vec::new() };
        (bmcs.live, bmcs.dead) = serde_json::from_str(&bmcs.answer()?)?;
        Ok(bmcs)
    }

    /// What they counted since they were asked the last time. Sessions that are open are forgotten.
    pub(crate) fn counts(&mut self) -> Result<Counts> {
        writeln!(self.orders, "counts")?;
        Ok(serde_json::from_str(&self.answer()?)?)
    }

    fn answer(&mut self) -> Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        if line.is_empty() { Err("the simulated BMCs ended".into()) } else { Ok(line) }
    }
}

impl Drop for Bmcs {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the peer process does, until its input ends.
pub(crate) fn serve(arguments: &[String]) -> Result<()> {
    let [live, dead] = arguments else { return Err("bmcs wants two numbers".into()) };
    let (live, dead): (usize, usize) = (live.parse()?, dead.parse()?);
    open_files(live + dead)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let (bmcs, silent) = runtime.block_on(async {
        let mut bmcs = Vec::with_capacity(live);
        for n in 0..live {
            bmcs.push(Simulator::start(config(n)).await?);
        }
        let silent: std::io::Result<Vec<_>> =
            (live..live + dead).map(|n| std::net::UdpSocket::bind((address(n), 0))).collect();
        Result::Ok((bmcs, silent?))
    })?;
    let live: Vec<_> = bmcs.iter().map(Simulator::address).collect();
    let dead = silent.iter().map(std::net::UdpSocket::local_addr).collect::<std::io::Result<Vec<_>>>()?;
    let mut out = std::io::stdout();
    writeln!(out, "{}", serde_json::to_string(&(live, dead))?)?;
    for order in std::io::stdin().lines() {
        if order? == "counts" {
            writeln!(out, "{}", serde_json::to_string(&counts(&bmcs))?)?;
        }
    }
    Ok(())
}

fn counts(bmcs: &[Simulator]) -> Counts {
    let mut all = Counts { most_sessions: 0, logins: 0, commands: 0 };
    for bmc in bmcs {
        let counts = bmc.counts();
        all.most_sessions = all.most_sessions.max(counts.most_sessions);
        all.logins += counts.logins;
        all.commands += counts.commands;
        bmc.forget_sessions();
        bmc.clear_log();
    }
    all
}

/// 127.20.0.1 and so on.
fn address(n: usize) -> Ipv4Addr {
    let [high, low] = [n / SUBNET, n % SUBNET + 1].map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    Ipv4Addr::new(127, 20, high, low)
}

fn config(n: usize) -> BmcConfig {
    let mut config = BmcConfig::new(USER, PASSWORD.to_owned());
    config.listen = SocketAddr::from((address(n), 0));
    config.latency = LATENCY;
    config.powered = true;
    config
}

/// Each BMC has a socket; the soft limit is often 1,024.
fn open_files(count: usize) -> Result<()> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    let wanted = u64::try_from(count)? + 64;
    Ok(setrlimit(Resource::RLIMIT_NOFILE, soft.max(wanted.min(hard)), hard)?)
}
