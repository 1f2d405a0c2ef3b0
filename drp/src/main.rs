//! The one binary: the daemon, the command line, and programs `drp-WORD`. It only dispatches.

mod daemon;
mod standalone;

use std::process::ExitCode;

fn main() -> ExitCode {
    // The daemon renders templates of strangers in processes of its own making.
    if let Some(done) = drp_server::template_worker(std::env::args_os()) {
        return done;
    }
    ExitCode::from(drp_cli::run(std::env::args_os(), &daemon::Daemon).code())
}
