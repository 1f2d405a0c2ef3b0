//! Promises 10 and 11: power status of many BMCs by one command, through the daemon and its ipmi plugin; beside `ipmitool`
//! and `ipmipower` on the same BMCs.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use serde_json::{Value, json};

use super::bmcs::{Bmcs, PASSWORD, USER};
use super::daemon::Daemon;
use super::figure::{Amount, Figure, Outcome};
use super::power_status::installed;
use super::samples::Samples;
use super::{Bench, Result};

/// One in so many is dead in promise 11.
const DEAD: usize = 20;
/// `ipmipower`'s fan-out: as many BMCs as the plugin talks to at a time.
const FANOUT: usize = 256;
/// Processes of `ipmitool` at the same time. With more of them it misses the answers that wait for a processor, and fails.
const PROCESSES: usize = 32;
const CONNECTIONS: usize = 16;

/// BMCs, a machine for each, and where the daemon keeps them.
struct Rack {
    bmcs: Bmcs,
    base: PathBuf,
    all: usize,
    dead: usize,
}

/// One run of the command.
struct Ran {
    /// Until the command ended.
    whole: Duration,
    /// Until the last BMC that answers had been read.
    live: Duration,
    /// Processor time of daemon, plugin and command.
    processor: Duration,
}

/// Promise 10.
pub(crate) async fn all_live(bench: &Bench) -> Result<Vec<Figure>> {
    let mut rack = Rack::make(bench, 0).await?;
    let runs = rack.measure(bench).await?;
    let (tool, power) = rack.others()?;
    let n = rack.all;
    let cold = || Figure::new(format!("{n} BMCs, new sessions"), Amount::Time(runs.cold.p50()));
    let seconds = |n| Amount::Time(Duration::from_secs(n));
    let mut figures = vec![
        match tool {
            Some(time) => cold().over(format!("ipmitool, {PROCESSES} at a time"), Amount::Time(time)),
            None => cold(),
        }
        .at_most(seconds(6)),
        Figure::new(format!("{n} BMCs, warm sessions"), Amount::Time(runs.warm.p50())).at_most(seconds(1)),
        // One core, for as long as the promise allows.
        Figure::new("processor, new sessions", Amount::Time(runs.cold_processor.p50())).at_most(seconds(6)),
        Figure::new("processor, warm sessions", Amount::Time(runs.warm_processor.p50())).at_most(seconds(1)),
        Figure::new("sessions of a BMC at most", Amount::Count(runs.most_sessions)).at_most(Amount::Count(1)),
    ];
    if let Some(time) = power {
        figures.push(cold().over(format!("ipmipower, {FANOUT} at a time"), Amount::Time(time)));
    }
    for (name, time) in [("ipmitool", tool), ("ipmipower", power)] {
        if time.is_none() {
            let why =
                format!("{name} is absent; install it (Debian: apt-get install ipmitool freeipmi-tools)");
            figures.push(Figure::outcome(Outcome::Skipped(why)));
        }
    }
    Ok(figures)
}

/// Promise 11. Its floor is promise 10 with as many live BMCs, measured in the same run.
pub(crate) async fn some_dead(bench: &Bench) -> Result<Vec<Figure>> {
    let floor = Rack::make(bench, 0).await?.measure(bench).await?;
    let mut rack = Rack::make(bench, 1).await?;
    let runs = rack.measure(bench).await?;
    let n = rack.all - rack.dead;
    Ok(vec![
        Figure::new(format!("{n} live of {}, new sessions", rack.all), Amount::Time(runs.cold_live.p50()))
            .over("all of them live", Amount::Time(floor.cold_live.p50()))
            .ratio_at_most(1.2),
        Figure::new(format!("{n} live of {}, warm sessions", rack.all), Amount::Time(runs.warm_live.p50()))
            .over("all of them live", Amount::Time(floor.warm_live.p50()))
            .ratio_at_most(1.2),
        Figure::new("until the dead are given up", Amount::Time(runs.warm.p50())),
    ])
}

/// Times of several runs.
#[derive(Default)]
struct Runs {
    cold: Samples,
    warm: Samples,
    cold_live: Samples,
    warm_live: Samples,
    cold_processor: Samples,
    warm_processor: Samples,
    most_sessions: usize,
}

impl Rack {
    /// BMCs and machines; with `share` 1 one in [`DEAD`] is dead.
    async fn make(bench: &Bench, share: usize) -> Result<Rack> {
        let all = if bench.quick { 200 } else { 1_000 };
        let dead = all / DEAD * share;
        let bmcs = Bmcs::start(all - dead, dead)?;
        let base = bench.sockets.path().join(format!("rack{share}"));
        let _ = std::fs::remove_dir_all(&base);
        let rack = Rack { bmcs, base, all, dead };
        let daemon = daemon(bench, &rack.base).await?;
        let login = json!({"Name": "bmc", "Params": {"ipmi/username": USER, "ipmi/password": PASSWORD}});
        post(&daemon, "profiles", &login).await?;
        // The dead ones among the others, as they come.
        let mut addresses: Vec<SocketAddr> = rack.bmcs.live.clone();
        for (n, dead) in rack.bmcs.dead.iter().enumerate() {
            addresses.insert(n * DEAD, *dead);
        }
        let next = AtomicUsize::new(0);
        let clients = (0..CONNECTIONS).map(|_| async {
            let mut kept = daemon.connect().await?;
            while let Some(bmc) = addresses.get(next.fetch_add(1, Ordering::Relaxed)) {
                let params = json!({"ipmi/address": bmc.ip().to_string(), "ipmi/port-ipmitool": bmc.port()});
                let name = format!("node-{}-{}", bmc.ip(), bmc.port());
                let machine = json!({"Name": name, "Profiles": ["bmc"], "Params": params});
                kept.call(Method::POST, "/api/v3/machines", Bytes::from(machine.to_string())).await?;
            }
            Result::Ok(())
        });
        futures_util::future::try_join_all(clients).await?;
        Ok(rack)
    }

    async fn measure(&mut self, bench: &Bench) -> Result<Runs> {
        let mut runs = Runs::default();
        for _ in 0..bench.times(5) {
            let daemon = daemon(bench, &self.base).await?;
            let cold = self.run(bench, &daemon)?;
            runs.cold.add(cold.whole);
            runs.cold_live.add(cold.live);
            runs.cold_processor.add(cold.processor);
            for _ in 0..bench.times(5) {
                let warm = self.run(bench, &daemon)?;
                runs.warm.add(warm.whole);
                runs.warm_live.add(warm.live);
                runs.warm_processor.add(warm.processor);
            }
            let counts = self.bmcs.counts()?;
            runs.most_sessions = runs.most_sessions.max(usize::try_from(counts.most_sessions)?);
        }
        Ok(runs)
    }

    /// The command, over the local socket. Every machine must have a line, and every live one its power.
    fn run(&self, bench: &Bench, daemon: &Daemon) -> Result<Ran> {
        let processes = tree(daemon.pid());
        let before = processor(&processes)? + of_children()?;
        let begin = Instant::now();
        let mut child = Command::new(bench.binary("drp")?)
            .args(["--base-root"])
            .arg(&self.base)
            .args(["machines", "runaction", "--all", "powerstatus"])
            .env_remove("RS_ENDPOINT")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        let out = child.stdout.take().ok_or("no output of the command")?;
        let (mut lines, mut on, mut live) = (0, 0, Duration::ZERO);
        for line in BufReader::new(out).lines() {
            let line = line?;
            lines += 1;
            if line.contains(r#""state":"on""#) {
                on += 1;
                live = begin.elapsed();
            }
        }
        let mut summary = String::new();
        if let Some(mut err) = child.stderr.take() {
            err.read_to_string(&mut summary)?;
        }
        child.wait()?;
        let whole = begin.elapsed();
        let processor = (processor(&processes)? + of_children()?).saturating_sub(before);
        if (lines, on) != (self.all, self.all - self.dead) {
            return Err(format!("{lines} lines, {on} of them on: {summary}").into());
        }
        Ok(Ran { whole, live, processor })
    }

    /// `ipmitool` and `ipmipower` on the same BMCs: how long each takes for all of them.
    fn others(&self) -> Result<(Option<Duration>, Option<Duration>)> {
        let tool = installed("ipmitool").then(|| self.ipmitool()).transpose()?;
        Ok((tool, installed("ipmipower").then(|| self.ipmipower()).transpose()?))
    }

    fn ipmitool(&self) -> Result<Duration> {
        let next = AtomicUsize::new(0);
        let begin = Instant::now();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(|| self.ask_in_turn(&next))).collect();
            workers.into_iter().try_for_each(|worker| worker.join().map_err(|_| "a worker panicked")?)
        })?;
        Ok(begin.elapsed())
    }

    fn ask_in_turn(&self, next: &AtomicUsize) -> Result<()> {
        while let Some(bmc) = self.bmcs.live.get(next.fetch_add(1, Ordering::Relaxed)) {
            let output = Command::new("ipmitool")
                .args([
                    "-I",
                    "lanplus",
                    "-C",
                    "17",
                    "-H",
                    &bmc.ip().to_string(),
                    "-p",
                    &bmc.port().to_string(),
                ])
                .args(["-U", USER, "-E", "chassis", "power", "status"])
                .env("IPMI_PASSWORD", PASSWORD)
                .output()?;
            if !output.status.success() {
                return Err(format!("ipmitool: {}", String::from_utf8_lossy(&output.stderr)).into());
            }
        }
        Ok(())
    }

    fn ipmipower(&self) -> Result<Duration> {
        let hosts: Vec<String> = self.bmcs.live.iter().map(SocketAddr::to_string).collect();
        let begin = Instant::now();
        let output = Command::new("ipmipower")
            .args(["-D", "LAN_2_0", "-I", "17", "-W", "opensesspriv", "-F", &FANOUT.to_string()])
            .args(["-h", &hosts.join(","), "-u", USER, "-p", PASSWORD, "--stat"])
            .output()?;
        let took = begin.elapsed();
        let text = String::from_utf8_lossy(&output.stdout);
        let on = text.lines().filter(|line| line.ends_with(": on")).count();
        if on == hosts.len() { Ok(took) } else { Err(format!("ipmipower read {on} as on").into()) }
    }
}

/// A daemon on this base root, which is made, with the ipmi plugin, configured.
pub(crate) async fn daemon(bench: &Bench, base: &Path) -> Result<Daemon> {
    std::fs::create_dir_all(base.join("plugins"))?;
    if !base.join("plugins/ipmi").exists() {
        std::fs::copy(bench.binary("ipmi")?, base.join("plugins/ipmi"))?;
    }
    let daemon = Daemon::start(bench, base)?;
    let mut kept = daemon.connect().await?;
    let begin = Instant::now();
    loop {
        let status = kept.call(Method::GET, "/api/v3/system/status", Bytes::new()).await?;
        let status: Value = serde_json::from_slice(&status)?;
        let plugins = status["Plugins"].as_array().map(Vec::as_slice).unwrap_or_default();
        if plugins.iter().any(|plugin| plugin["Name"] == "ipmi" && plugin["State"] == "configured") {
            return Ok(daemon);
        }
        if begin.elapsed() > Duration::from_secs(30) {
            return Err("the ipmi plugin was not configured within 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Makes an object.
pub(crate) async fn post(daemon: &Daemon, set: &str, object: &Value) -> Result<()> {
    let mut kept = daemon.connect().await?;
    kept.call(Method::POST, &format!("/api/v3/{set}"), Bytes::from(object.to_string())).await?;
    Ok(())
}

/// A process and its children.
fn tree(root: u32) -> Vec<u32> {
    let mut tree = vec![root];
    for task in std::fs::read_dir(format!("/proc/{root}/task")).into_iter().flatten().flatten() {
        let children = std::fs::read_to_string(task.path().join("children")).unwrap_or_default();
        tree.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
    }
    tree
}

/// Processor time that these processes took so far.
fn processor(processes: &[u32]) -> Result<Duration> {
    let per_second = nix::unistd::sysconf(nix::unistd::SysconfVar::CLK_TCK)?.ok_or("no clock ticks")?;
    let mut ticks = 0;
    for pid in processes {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
        // The name of the program may hold spaces; it ends with the last parenthesis.
        let fields = stat.rsplit_once(')').map(|(_, rest)| rest).unwrap_or_default();
        let times = fields.split_whitespace().skip(11).take(2);
        ticks += times.filter_map(|time| time.parse::<u64>().ok()).sum::<u64>();
    }
    Ok(Duration::from_secs(ticks) / u32::try_from(per_second)?)
}

/// Processor time of children that ended.
fn of_children() -> Result<Duration> {
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_CHILDREN)?;
    let time = |value: nix::sys::time::TimeVal| {
        let micros = u64::try_from(value.tv_usec()).unwrap_or_default();
        Duration::from_secs(u64::try_from(value.tv_sec()).unwrap_or_default()) + Duration::from_micros(micros)
    };
    Ok(time(usage.user_time()) + time(usage.system_time()))
}
