//! The benchmark program. One file for each promise; each measures its floors in the same run, on the same machine,
//! and prints the ratio, because the ratio is what is held.

mod action;
mod bmcs;
mod command_line;
mod contract_check;
mod daemon;
mod durable_writes;
mod events;
mod figure;
mod fleet;
mod floors;
mod http;
mod lists;
mod memory;
mod peer;
mod plugin_alone;
mod plugin_call;
mod plugin_size;
mod plugin_start;
mod power_fleet;
mod power_status;
mod samples;
mod socket;
mod start;

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::Parser;
use figure::{Figure, Outcome};

/// Whatever keeps a promise from being measured.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;
pub(crate) type Result<T> = std::result::Result<T, Error>;

/// Measures the promises of speed and memory, each with its floor in the same run.
#[derive(Parser)]
#[command(name = "drp-bench", bin_name = "drp bench", version)]
struct Arguments {
    /// Only these promises; may be given more than once, or as a list
    #[arg(long, value_name = "N", value_delimiter = ',')]
    only: Vec<u8>,
    /// Fewer repetitions: a look, no figure to quote
    #[arg(long)]
    quick: bool,
    /// One JSON object for each figure and line
    #[arg(long)]
    json: bool,
    /// Be one of the other processes that the floors need
    #[arg(long, hide = true, num_args = 1..)]
    peer: Vec<String>,
}

/// What a promise needs to be measured.
pub(crate) struct Bench {
    /// Fewer repetitions.
    pub(crate) quick: bool,
    /// A directory on a real disk (beside the binaries), removed at the end.
    pub(crate) directory: tempfile::TempDir,
    /// A directory with a short name: that of a socket holds 107 bytes.
    pub(crate) sockets: tempfile::TempDir,
    /// Where the binaries of this build are.
    pub(crate) binaries: PathBuf,
    /// Machines that several promises need.
    pub(crate) fleet: tokio::sync::OnceCell<fleet::Fleet>,
}

impl Bench {
    fn new(quick: bool) -> Result<Bench> {
        let program = std::env::current_exe()?;
        let binaries = program.parent().ok_or("the program lies in no directory")?.to_owned();
        let directory = tempfile::Builder::new().prefix("drp-bench-").tempdir_in(&binaries)?;
        let sockets = tempfile::Builder::new().prefix("drpb").tempdir_in("/tmp")?;
        let fleet = tokio::sync::OnceCell::new();
        Ok(Bench { quick, directory, sockets, binaries, fleet })
    }

    /// `full` repetitions, or a tenth of them.
    pub(crate) fn times(&self, full: usize) -> usize {
        if self.quick { full.div_ceil(10) } else { full }
    }

    /// A binary of this build.
    pub(crate) fn binary(&self, name: &str) -> Result<PathBuf> {
        let path = self.binaries.join(name);
        if path.is_file() {
            Ok(path)
        } else {
            Err(format!("{} is not built; run `make bench`", path.display()).into())
        }
    }
}

type Running<'a> = Pin<Box<dyn Future<Output = Result<Vec<Figure>>> + 'a>>;

/// A promise: its number and title in docs/promises.md, and what measures it.
type Promise = (u8, &'static str, for<'a> fn(&'a Bench) -> Running<'a>);

const PROMISES: &[Promise] = &[
    (1, "action: REST (keep-alive, TLS) to the host, the echo plugin and back", |b| Box::pin(action::run(b))),
    (2, "host to plugin and back alone, kept connection", |b| Box::pin(plugin_call::run(b))),
    (3, "plugin spawned, ready and configured", |b| Box::pin(plugin_start::run(b))),
    (4, "daemon start to ready, 50 providers installed and unchanged", |b| Box::pin(start::run(b))),
    (5, "daemon memory", |b| Box::pin(memory::run(b))),
    (6, "idle SDK plugin (without TLS)", |b| Box::pin(plugin_size::run(b))),
    (7, "list 10,000 machines slim; get one", |b| Box::pin(lists::run(b))),
    (8, "durable writes: acknowledged survives kill -9 and power loss", |b| Box::pin(durable_writes::run(b))),
    (9, "events: 100 followers, 10,000 deliveries a second", |b| Box::pin(events::run(b))),
    (10, "power status of 1,000 simulated BMCs (30 ms each), by one command", |b| {
        Box::pin(power_fleet::all_live(b))
    }),
    (11, "the same with 5 % dead BMCs", |b| Box::pin(power_fleet::some_dead(b))),
    (12, "one power status against one BMC simulator", |b| Box::pin(power_status::run(b))),
    (13, "`drp machines list` as a process of its own", |b| Box::pin(command_line::run(b))),
    (16, "a document checked against a Nickel contract", |b| Box::pin(contract_check::run(b))),
];

/// Runs the program.
pub(crate) fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let outcome = match arguments.peer.split_first() {
        Some((kind, rest)) => peer::serve(kind, rest).map(|()| true),
        None => measure(&arguments),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "drp bench: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Measures and prints; whether everything could be measured.
fn measure(arguments: &Arguments) -> Result<bool> {
    for wanted in &arguments.only {
        if !PROMISES.iter().any(|(number, ..)| number == wanted) {
            let known: Vec<_> = PROMISES.iter().map(|(number, ..)| number.to_string()).collect();
            return Err(
                format!("promise {wanted} is not measured here; known are {}", known.join(", ")).into()
            );
        }
    }
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bench = Bench::new(arguments.quick)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let mut printer = figure::Printer::new(arguments.json, std::io::stdout().is_terminal());
    printer.begin(cfg!(debug_assertions), arguments.quick)?;
    let mut whole = true;
    for (number, title, run) in PROMISES {
        if !arguments.only.is_empty() && !arguments.only.contains(number) {
            continue;
        }
        printer.title(*number, title)?;
        match runtime.block_on(run(&bench)) {
            Ok(figures) => figures.iter().try_for_each(|figure| printer.figure(*number, figure))?,
            Err(error) => {
                whole = false;
                printer.figure(*number, &Figure::outcome(Outcome::Failed(error.to_string())))?;
            }
        }
    }
    printer.end()?;
    Ok(whole)
}
