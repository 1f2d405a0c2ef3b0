//! `drp stop`: asks the daemon behind the local socket to stop, and waits for it.

use crate::grammar::{Globals, StopArgs};
use crate::printer::Printer;
use crate::{Exit, Failure, connect};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use nix::unistd::Pid;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

/// How often to look whether it is gone.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The kernel says who serves the socket; that process gets SIGTERM. So no file with a process number can be
/// stale, and only who may signal the daemon can stop it.
pub(crate) fn run(globals: &Globals, args: &StopArgs, printer: &Printer) -> Result<(), Failure> {
    if globals.endpoint.is_some() {
        return Err(Failure::usage("only a local daemon can be stopped")
            .hint("leave --endpoint out, name its --base-root"));
    }
    let path = connect::socket(globals);
    let socket = UnixStream::connect(&path).map_err(|e| {
        if e.kind() == std::io::ErrorKind::PermissionDenied {
            return Failure::new(Exit::Denied, format!("{}: {e}", path.display()))
                .hint("the socket belongs to another user: stop the daemon as that user or as root");
        }
        Failure::new(Exit::Unreachable, format!("no daemon serves {}: {e}", path.display()))
            .hint("name its base root with --base-root DIR or DRP_BASE_ROOT")
    })?;
    let trouble = |what: &str, e: Errno| Failure::new(Exit::General, format!("{what}: {}", e.desc()));
    let peer =
        getsockopt(&socket, PeerCredentials).map_err(|e| trouble("the daemon's process is unknown", e))?;
    drop(socket);
    let pid = Pid::from_raw(peer.pid());
    if peer.pid() <= 1 {
        return Err(Failure::new(
            Exit::General,
            "the daemon runs where its process cannot be seen from here",
        )
        .hint("stop it where it runs"));
    }
    if globals.dry_run {
        return printer.value(&serde_json::json!({ "Signal": "SIGTERM", "Process": peer.pid() }));
    }
    kill(pid, Signal::SIGTERM).map_err(|e| match e {
        Errno::EPERM => Failure::new(Exit::Denied, format!("process {pid} belongs to another user"))
            .hint("stop it as the user it runs as, or as root"),
        other => trouble("the daemon cannot be signalled", other),
    })?;
    let end = Instant::now() + Duration::from_secs(args.wait);
    while alive(peer.pid()) {
        if Instant::now() > end {
            return Err(Failure::new(
                Exit::Timeout,
                format!("process {pid} still runs after {} s", args.wait),
            )
            .hint("it may wait for a plugin; `drp stop --wait SECONDS` waits longer"));
        }
        std::thread::sleep(LOOK_EVERY);
    }
    printer.remark(&format!("stopped (process {pid})"));
    Ok(())
}

/// The process runs. One that ended and was not yet collected by its parent does not.
fn alive(pid: i32) -> bool {
    match std::fs::read_to_string(format!("/proc/{pid}/stat")) {
        Ok(stat) => !stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with(['Z', 'X'])),
        Err(_) => kill(Pid::from_raw(pid), None).is_ok() && !std::path::Path::new("/proc/self").exists(),
    }
}
