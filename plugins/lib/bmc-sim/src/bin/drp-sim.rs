//! `drp-sim`: simulators as a program. `drp sim …` runs it.

use clap::{Args, Parser, Subcommand};
use drp_bmc_sim::{
    BmcConfig, Control, ControlAddress, PowerEvent, Rule, SimError, SimEvent, Simulator, read_rules,
};
use drp_ipmi::CipherSuite;
use drp_protocol::Secret;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Simulated hardware for trying things out and for tests.
#[derive(Parser)]
#[command(name = "drp-sim", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// BMCs that speak IPMI 2.0 (RMCP+), each with a machine behind it.
    ///
    /// Prints one JSON line with the addresses when all are ready: {"bmcs": ["127.0.0.1:PORT", …], "control": …}.
    /// Ends on SIGTERM, SIGINT, or the control's {"op":"stop"}.
    Bmc(BmcArgs),
}

#[derive(Args)]
struct BmcArgs {
    /// Address of the first BMC; the others follow on the next ports. Port 0: any free port for each.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// How many BMCs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// User name.
    #[arg(long, default_value = "admin")]
    user: String,
    /// File that holds the password (the first line). Without it: `password`, and only on loopback.
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// Cipher suites on offer.
    #[arg(long, default_value = "3,17", value_delimiter = ',')]
    suite: Vec<u8>,
    /// Machines are on at the start.
    #[arg(long)]
    powered: bool,
    /// From a power command to its effect, in milliseconds.
    #[arg(long, default_value_t = 0)]
    power_delay: u64,
    /// Before every answer, in milliseconds.
    #[arg(long, default_value_t = 0)]
    latency: u64,
    /// Session slots of each BMC.
    #[arg(long, default_value_t = 16)]
    sessions: usize,
    /// JSON file with fault rules: {"rules": [{"on": "chassis-control", "times": 1, "effect": {"kind": "lose-reply"}}]}.
    #[arg(long)]
    faults: Option<PathBuf>,
    /// Append every request to this file, one JSON line each.
    #[arg(long)]
    log: Option<PathBuf>,
    /// Run this command (by the shell) when power changes, with DRP_SIM_EVENT=on|off|reset|interrupt and DRP_SIM_BMC=ADDRESS.
    #[arg(long)]
    on_power: Option<String>,
    /// Take orders here: 127.0.0.1:PORT (0 for any) or unix:PATH; one JSON object per line.
    #[arg(long)]
    control: Option<ControlAddress>,
}

fn main() -> ExitCode {
    let Cli { what: What::Bmc(args) } = Cli::parse();
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .init();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(e) => return fail(&format!("cannot start: {e}")),
    };
    match runtime.block_on(run(args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => fail(&e),
    }
}

fn fail(why: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr(), "drp-sim: {why}");
    ExitCode::FAILURE
}

fn file<T>(path: &PathBuf, read: impl FnOnce(&str) -> Result<T, String>) -> Result<T, String> {
    let named = |e: String| format!("{}: {e}", path.display());
    let text = std::fs::read_to_string(path).map_err(|e| named(e.to_string()))?;
    read(&text).map_err(named)
}

fn config(args: &BmcArgs) -> Result<BmcConfig, String> {
    let password = match &args.password_file {
        Some(path) => file(path, |text| Ok(Secret::new(text.lines().next().unwrap_or_default().to_owned())))?,
        None if args.listen.ip().is_loopback() => Secret::new("password".to_owned()),
        None => {
            return Err(format!(
                "{} is not loopback: give --password-file, or listen on 127.0.0.1",
                args.listen
            ));
        }
    };
    let suite = |id: &u8| {
        CipherSuite::from_id(*id)
            .ok_or_else(|| format!("cipher suite {id} is not simulated; use 3, 17 or 3,17"))
    };
    let rules: Vec<Rule> = match &args.faults {
        Some(path) => file(path, |text| read_rules(text).map_err(|e| e.to_string()))?,
        None => Vec::new(),
    };
    Ok(BmcConfig {
        listen: args.listen,
        suites: args.suite.iter().map(suite).collect::<Result<_, _>>()?,
        sessions: args.sessions,
        powered: args.powered,
        power_delay: Duration::from_millis(args.power_delay),
        latency: Duration::from_millis(args.latency),
        faults: rules,
        ..BmcConfig::new(args.user.clone(), password)
    })
}

async fn run(args: BmcArgs) -> Result<(), String> {
    // Signals first: whoever started us may stop us at any time.
    let mut term = signal(SignalKind::terminate()).map_err(|e| format!("signals: {e}"))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| format!("signals: {e}"))?;
    let config = config(&args)?;
    raise_file_limit(args.count);
    let bmcs = Arc::new(start(&config, args.count).await.map_err(|e| e.to_string())?);

    if let Some(path) = &args.log {
        let out = std::fs::OpenOptions::new().create(true).append(true).open(path);
        let out = Arc::new(out.map_err(|e| format!("{}: {e}", path.display()))?);
        for bmc in bmcs.iter() {
            tokio::spawn(write_log(bmc.subscribe(), bmc.address(), Arc::clone(&out)));
        }
    }
    if let Some(command) = &args.on_power {
        for bmc in bmcs.iter() {
            tokio::spawn(run_hook(bmc.subscribe(), bmc.address(), command.clone()));
        }
    }
    let control = Control::new(Arc::clone(&bmcs));
    let listening = match &args.control {
        Some(address) => Some(control.listen(address).await.map_err(|e| e.to_string())?.to_string()),
        None => None,
    };
    let addresses: Vec<String> = bmcs.iter().map(|b| b.address().to_string()).collect();
    let mut stdout = std::io::stdout().lock();
    let _ = writeln!(stdout, "{}", serde_json::json!({"bmcs": addresses, "control": listening}));
    let _ = stdout.flush();
    drop(stdout);

    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
        () = control.stopped() => tokio::time::sleep(Duration::from_millis(50)).await,
    }
    if let Some(ControlAddress::Unix(path)) = &args.control {
        let _ = std::fs::remove_file(path);
    }
    Ok(())
}

async fn start(config: &BmcConfig, count: u16) -> Result<Vec<Simulator>, SimError> {
    let mut bmcs = Vec::with_capacity(count.into());
    for index in 0..count {
        let mut one = config.clone();
        if let Some(last) = one.guid.last_chunk_mut::<2>() {
            *last = index.to_be_bytes();
        }
        if config.listen.port() != 0 {
            let port = config.listen.port().checked_add(index);
            let port = port.ok_or_else(|| {
                SimError::Setting(format!("{count} BMCs do not fit above port {}", config.listen.port()))
            })?;
            one.listen.set_port(port);
        }
        bmcs.push(Simulator::start(one).await?);
    }
    Ok(bmcs)
}

/// Each BMC has a socket; the soft limit of open files is often 1,024.
fn raise_file_limit(count: u16) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let wanted = u64::from(count) + 64;
    if let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE)
        && soft < wanted
    {
        // When it is refused, binding the sockets says so.
        let _ = setrlimit(Resource::RLIMIT_NOFILE, wanted.min(hard), hard);
    }
}

async fn write_log(mut events: Receiver<SimEvent>, bmc: SocketAddr, out: Arc<std::fs::File>) {
    loop {
        let line = match events.recv().await {
            Ok(SimEvent::Request(entry)) => serde_json::json!({"bmc": bmc.to_string(), "request": entry}),
            Ok(SimEvent::Power(event)) => serde_json::json!({"bmc": bmc.to_string(), "power": event}),
            Err(RecvError::Lagged(n)) => serde_json::json!({"bmc": bmc.to_string(), "lost": n}),
            Err(RecvError::Closed) => return,
        };
        let _ = (&*out).write_all(format!("{line}\n").as_bytes());
    }
}

async fn run_hook(mut events: Receiver<SimEvent>, bmc: SocketAddr, command: String) {
    loop {
        let event = match events.recv().await {
            Ok(SimEvent::Power(event)) => event,
            Ok(SimEvent::Request(_)) | Err(RecvError::Lagged(_)) => continue,
            Err(RecvError::Closed) => return,
        };
        let word = match event {
            PowerEvent::On => "on",
            PowerEvent::Off => "off",
            PowerEvent::Reset => "reset",
            PowerEvent::Interrupt => "interrupt",
        };
        let run = tokio::process::Command::new("sh")
            .args(["-c", &command])
            .env("DRP_SIM_EVENT", word)
            .env("DRP_SIM_BMC", bmc.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .status();
        match tokio::time::timeout(Duration::from_secs(30), run).await {
            Ok(Ok(status)) if status.success() => {}
            other => tracing::warn!(event = word, outcome = ?other, "the power command did not succeed"),
        }
    }
}
