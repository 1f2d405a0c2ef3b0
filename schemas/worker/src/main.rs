//! `drp-nickel`: reads requests as JSON lines from standard input, evaluates them with Nickel, and writes one JSON
//! line each. It is made to be killed: whoever started it sets the deadline, the kernel the limit of memory.

mod describe;
mod diagnose;
mod limits;
mod schema;
mod session;

use drp_schemas::Request;
use session::Session;
use std::io::{BufRead, Write, stdin, stdout};
use std::process::ExitCode;

/// Nickel recurses on the stack; with this much, its own errors come before the stack ends.
const STACK_BYTES: usize = 64 << 20;

fn main() -> ExitCode {
    if let Err(error) = limits::apply(std::env::args().skip(1)) {
        let _ = writeln!(std::io::stderr(), "drp-nickel: {error}; it is started by drp, not by hand");
        return ExitCode::from(2);
    }
    // A value never leaves the thread it was made in.
    let served =
        std::thread::Builder::new().stack_size(STACK_BYTES).spawn(serve).map(std::thread::JoinHandle::join);
    match served {
        Ok(Ok(Ok(()))) => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}

fn serve() -> std::io::Result<()> {
    let mut session = Session::default();
    for line in stdin().lock().lines() {
        let request: Request = serde_json::from_str(&line?)?;
        let mut answer = serde_json::to_vec(&session.answer(&request))?;
        answer.push(b'\n');
        let mut out = stdout().lock();
        out.write_all(&answer)?;
        out.flush()?;
    }
    Ok(())
}
