//! The one binary: the daemon, the command line, and programs `drp-WORD`. It only dispatches.

mod daemon;
mod standalone;

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(drp_cli::run(std::env::args_os(), &daemon::Daemon).code())
}
