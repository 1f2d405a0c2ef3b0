//! `drp-sim`: simulators as a program. `drp sim …` runs it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use drp_bmc_sim::{
    BmcConfig, Control, ControlAddress, Identity, PowerEvent, Profile, RedfishConfig, Scenario, SimError,
    SimEvent, Simulator,
};
use drp_ipmi::CipherSuite;
use drp_protocol::Secret;
use serde_json::{Value, json};
use std::io::{IsTerminal, Write};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitCode, Stdio};
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::{Receiver, error::RecvError};

/// Simulated hardware for trying things out and for tests.
///
/// Everything listens on loopback unless told otherwise. Nothing here is real, and nothing real is touched.
#[derive(Parser)]
#[command(name = "drp-sim", bin_name = "drp sim", version)]
struct Cli {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// BMCs that speak IPMI 2.0 (RMCP+), Redfish, or both, each with one machine behind it.
    ///
    /// Says where they are when all are ready, then runs until SIGTERM, SIGINT, or the control's {"op":"stop"}.
    /// Faults, the control and the request log: docs/simulator.md.
    #[command(after_help = EXAMPLES)]
    Bmc(BmcArgs),
}

const EXAMPLES: &str = "\
Examples:
  drp sim bmc                                               one BMC, IPMI, any free port
  drp sim bmc --protocol both --profile idrac --powered     one machine through IPMI and Redfish
  drp sim bmc --count 1000 --protocol redfish --plain --latency 30 --output lines
  drp sim bmc --protocol both --faults faults.yaml --control unix:/tmp/sim.sock --log requests.jsonl";

/// What a BMC speaks.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Ipmi,
    Redfish,
    Both,
}

/// How the addresses are shown.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A table for people.
    Table,
    /// One JSON object with all addresses, on one line.
    Json,
    /// One JSON object for each BMC, with params that lead the ipmi plugin to it; a last line says that all are ready.
    Lines,
}

#[derive(Args)]
struct BmcArgs {
    /// How many BMCs.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    count: u16,
    /// What they speak. With `both`, IPMI and Redfish are two ways to the same machine.
    #[arg(long, value_enum, default_value_t = Protocol::Ipmi)]
    protocol: Protocol,
    /// Whose firmware the Redfish service is like: generic, idrac, ilo, supermicro, or a path to a YAML file.
    /// By default generic. Only with a protocol that includes Redfish.
    #[arg(long)]
    profile: Option<String>,
    /// Address of the first BMC; the others follow on the next ports. Port 0: any free port for each.
    /// IPMI listens on UDP, Redfish on TCP.
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Redfish over plain HTTP. Without it: HTTPS with a certificate that is made at the start and signed by nobody.
    #[arg(long)]
    plain: bool,
    /// Write that certificate to this file (PEM).
    #[arg(long)]
    certificate: Option<PathBuf>,
    /// User name.
    #[arg(long, default_value = "admin")]
    user: String,
    /// File that holds the password (the first line). Without it: `password`, and only on loopback.
    #[arg(long)]
    password_file: Option<PathBuf>,
    /// IPMI cipher suites on offer.
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
    /// Session slots of each BMC and protocol.
    #[arg(long, default_value_t = 16)]
    sessions: usize,
    /// Seconds after which a silent session is forgotten.
    #[arg(long, default_value_t = 60)]
    session_idle: u64,
    /// YAML or JSON file with settings and fault rules for both protocols.
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
    /// How the addresses are shown: by default a table on a terminal, else one JSON object.
    #[arg(long, value_enum)]
    output: Option<Output>,
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
    let scenario = match &args.faults {
        Some(path) => file(path, Scenario::read)?,
        None => Scenario::default(),
    };
    let redfish = match args.protocol {
        Protocol::Ipmi => {
            if let Some(profile) = &args.profile {
                // An unknown one is the first mistake to tell.
                named_profile(profile)?;
                return Err("--profile is about Redfish: give --protocol redfish or both, too".to_owned());
            }
            None
        }
        Protocol::Redfish | Protocol::Both => Some(redfish(args)?),
    };
    let mut config = BmcConfig {
        listen: args.listen,
        suites: args.suite.iter().map(suite).collect::<Result<_, _>>()?,
        sessions: args.sessions,
        session_idle: Duration::from_secs(args.session_idle),
        powered: args.powered,
        power_delay: Duration::from_millis(args.power_delay),
        latency: Duration::from_millis(args.latency),
        ipmi: args.protocol != Protocol::Redfish,
        redfish,
        faults: scenario.rules,
        ..BmcConfig::new(args.user.clone(), password)
    };
    let named = |e| format!("{}: {e}", args.faults.as_deref().unwrap_or(std::path::Path::new("")).display());
    scenario.settings.apply(&mut config).map_err(named)?;
    Ok(config)
}

/// The profile of that name, or in that file.
fn named_profile(profile: &str) -> Result<Profile, String> {
    if profile.contains(['/', '.']) {
        file(&PathBuf::from(profile), Profile::read)
    } else {
        Profile::named(profile).map_err(|e| e.to_string())
    }
}

fn redfish(args: &BmcArgs) -> Result<RedfishConfig, String> {
    let profile = named_profile(args.profile.as_deref().unwrap_or("generic"))?;
    let identity = if args.plain {
        None
    } else {
        Some(Identity::generate(args.listen.ip()).map_err(|e| e.to_string())?)
    };
    if let Some(path) = &args.certificate {
        let identity = identity.as_ref().ok_or("there is no certificate without TLS: leave out --plain")?;
        std::fs::write(path, identity.pem()).map_err(|e| format!("{}: {e}", path.display()))?;
    }
    Ok(RedfishConfig { listen: args.listen, identity, profile: Arc::new(profile) })
}

async fn run(args: BmcArgs) -> Result<(), String> {
    // Signals first: whoever started us may stop us at any time.
    let mut term = signal(SignalKind::terminate()).map_err(|e| format!("signals: {e}"))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| format!("signals: {e}"))?;
    let config = config(&args)?;
    raise_file_limit(args.count, args.protocol);
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
    show(&args, &config, &bmcs, listening)?;

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

/// Says where they are.
fn show(
    args: &BmcArgs,
    config: &BmcConfig,
    bmcs: &[Simulator],
    control: Option<String>,
) -> Result<(), String> {
    let mut stdout = std::io::stdout().lock();
    let output = args.output.unwrap_or(if stdout.is_terminal() { Output::Table } else { Output::Json });
    let fingerprint = config.redfish.as_ref().and_then(|r| r.identity.as_ref()).map(Identity::fingerprint);
    let ipmi = |bmc: &Simulator| config.ipmi.then(|| bmc.address().to_string());
    let mut text = String::new();
    match output {
        Output::Json => {
            let addresses: Vec<String> = bmcs.iter().map(|bmc| bmc.address().to_string()).collect();
            let mut all = json!({ "bmcs": addresses, "control": control });
            if config.redfish.is_some() {
                all["redfish"] = bmcs.iter().map(Simulator::redfish_url).collect();
                all["fingerprint"] = json!(fingerprint);
            }
            text = format!("{all}\n");
        }
        Output::Lines => {
            for (index, bmc) in bmcs.iter().enumerate() {
                let params = params(args, bmc, fingerprint, config);
                let line = json!({
                    "bmc": index, "ipmi": ipmi(bmc), "redfish": bmc.redfish_url(), "params": params,
                });
                text.push_str(&format!("{line}\n"));
            }
            let ready = json!({ "ready": bmcs.len(), "control": control, "fingerprint": fingerprint });
            text.push_str(&format!("{ready}\n"));
        }
        Output::Table => {
            text.push_str(&format!("{:<5} {:<22} {}\n", "BMC", "IPMI", "REDFISH"));
            for (index, bmc) in bmcs.iter().enumerate() {
                let (ipmi, redfish) =
                    (ipmi(bmc).unwrap_or("-".into()), bmc.redfish_url().unwrap_or("-".into()));
                text.push_str(&format!("{index:<5} {ipmi:<22} {redfish}\n"));
            }
            let password = if args.password_file.is_some() { "as in its file" } else { "password" };
            text.push_str(&format!("\nUser {}, password {password}.", args.user));
            if let Some(fingerprint) = fingerprint {
                text.push_str(&format!(" Certificate {fingerprint}."));
            }
            if let Some(control) = control {
                text.push_str(&format!(" Control on {control}."));
            }
            text.push_str(" Ctrl-C ends.\n");
        }
    }
    let written = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    written.map_err(|e| format!("standard output: {e}"))
}

/// Params of a machine whose BMC this is, all but the password.
fn params(args: &BmcArgs, bmc: &Simulator, fingerprint: Option<&str>, config: &BmcConfig) -> Value {
    let mut params = json!({ "ipmi/address": bmc.address().ip().to_string(), "ipmi/username": args.user });
    if config.ipmi {
        params["ipmi/port-ipmitool"] = json!(bmc.address().port());
    }
    if let Some(address) = bmc.redfish_address() {
        params["ipmi/port-redfish"] = json!(address.port());
        match fingerprint {
            Some(pin) => params["ipmi/tls-fingerprint"] = json!(pin),
            None => params["ipmi/tls-verify"] = json!("plain"),
        }
    }
    params["ipmi/mode"] = json!(match args.protocol {
        Protocol::Ipmi => "ipmi",
        Protocol::Redfish => "redfish",
        Protocol::Both => "auto",
    });
    params
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
            if let Some(redfish) = &mut one.redfish {
                redfish.listen.set_port(port);
            }
        }
        bmcs.push(Simulator::start(one).await?);
    }
    Ok(bmcs)
}

/// Each BMC has a socket, and with Redfish one for each connection; the soft limit of open files is often 1,024.
fn raise_file_limit(count: u16, protocol: Protocol) {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let each = if protocol == Protocol::Ipmi { 1 } else { 4 };
    let wanted = u64::from(count) * each + 128;
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
