//! What this process may use.

use nix::sys::prctl;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::Signal;
use nix::unistd::{Pid, getppid};

/// Applies `--memory BYTES` (address space) and `--parent PID` (it ends when that process does).
///
/// # Errors
/// A sentence, when an argument is missing or the system refuses a limit.
pub(crate) fn apply(mut arguments: impl Iterator<Item = String>) -> Result<(), String> {
    let mut memory = None;
    let mut parent = None;
    while let Some(name) = arguments.next() {
        let number = arguments.next().and_then(|text| text.parse::<u64>().ok());
        match name.as_str() {
            "--memory" => memory = number,
            "--parent" => parent = number.and_then(|n| i32::try_from(n).ok()),
            _ => return Err(format!("{name} is not an argument of it")),
        }
    }
    let (Some(memory), Some(parent)) = (memory, parent) else {
        return Err("it needs --memory BYTES --parent PID".into());
    };
    prctl::set_pdeathsig(Signal::SIGKILL).map_err(|error| format!("cannot tie it to its parent: {error}"))?;
    if getppid() != Pid::from_raw(parent) {
        return Err("its parent has ended".into());
    }
    setrlimit(Resource::RLIMIT_AS, memory, memory)
        .map_err(|error| format!("cannot limit its memory: {error}"))?;
    setrlimit(Resource::RLIMIT_CORE, 0, 0).map_err(|error| format!("cannot switch off core files: {error}"))
}
