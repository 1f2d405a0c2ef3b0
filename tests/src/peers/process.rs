//! Programs that tests need: finding them, saying loudly that they are absent, stopping them by pid.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The folder with the peers' scripts and settings.
pub(super) fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

/// Finds a program on PATH, or where Debian keeps those of administrators.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(name))
        .find(|file| file.is_file())
}

/// Says that a test could not run and how to make it run: on the real stderr, past the test harness that would swallow
/// it, at the start of a line (`tests/run.sh` counts these). With `DRP_REQUIRE_PEERS` set, as in CI, it fails instead.
pub fn skipped(what: &str, how: &str) {
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    assert!(std::env::var_os("DRP_REQUIRE_PEERS").is_none(), "{test}: {what} is absent and required; {how}");
    // In one write: other tests print at the same time.
    let line = format!("\nSKIPPED: {test}: {what} is absent; {how}\n");
    let _ = std::io::stderr().write_all(line.as_bytes());
}

/// A UDP port of loopback that is free now.
pub fn free_udp_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a UDP socket");
    socket.local_addr().expect("its address").port()
}

/// A TCP port of loopback that is free now.
pub fn free_tcp_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a TCP socket");
    socket.local_addr().expect("its address").port()
}

/// Asks until the answer is yes or the time is over; gives the last answer.
pub fn wait_until(limit: Duration, mut ask: impl FnMut() -> bool) -> bool {
    let end = Instant::now() + limit;
    loop {
        if ask() {
            return true;
        }
        if Instant::now() >= end {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A running program. Dropped, it is asked to end, then killed, and reaped.
#[derive(Debug)]
pub(super) struct Running {
    child: Child,
    output: PathBuf,
}

impl Running {
    /// Starts it with its output in `dir/NAME.out`.
    pub(super) fn start(mut command: Command, dir: &Path, name: &str) -> Self {
        let output = dir.join(format!("{name}.out"));
        let file = std::fs::File::create(&output).expect("output file of a peer");
        let errors = file.try_clone().expect("output file of a peer");
        let child = command
            .current_dir(dir)
            .stdin(Stdio::null())
            .stdout(file)
            .stderr(errors)
            .spawn()
            .unwrap_or_else(|e| panic!("cannot start {name}: {e}"));
        Self { child, output }
    }

    /// What it has said so far.
    pub(super) fn output(&self) -> String {
        std::fs::read_to_string(&self.output).unwrap_or_default()
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Whether it still runs.
    pub(super) fn alive(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Sends it a signal.
    pub(super) fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid), signal);
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::SIGCONT);
        self.signal(Signal::SIGTERM);
        if !wait_until(Duration::from_secs(2), || !self.alive()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}
