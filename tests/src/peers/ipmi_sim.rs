//! `ipmi_sim` of OpenIPMI: a BMC in C that shares nothing with ours. Cipher suites 1 to 3; no SHA-256.

use super::process::{Running, find_program, free_udp_port, scripts, skipped, wait_until};
use super::{PASSWORD, USER};
use nix::sys::signal::Signal;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// A running `ipmi_sim` with one BMC and a machine that is a script (`chassis.sh`) or a QEMU machine (`vm.sh`).
#[derive(Debug)]
pub struct IpmiSim {
    running: Running,
    port: u16,
    dir: tempfile::TempDir,
}

impl IpmiSim {
    /// A BMC whose machine is files in a folder. `None` (after saying SKIPPED) when `ipmi_sim` is absent.
    pub fn start() -> Option<Self> {
        Self::with("chassis.sh", &[])
    }

    /// A BMC whose machine is a real one in QEMU; `bootfile` is the URL that its iPXE fetches when it boots from the
    /// network (`http://10.0.2.2:PORT/…` is the host's loopback). `None` (after saying SKIPPED) when something is absent.
    pub fn start_vm(bootfile: Option<&str>) -> Option<Self> {
        if find_program("qemu-system-x86_64").is_none() {
            skipped("qemu-system-x86_64", "apt-get install qemu-system-x86");
            return None;
        }
        Self::with("vm.sh", &bootfile.map(|url| ("BOOTFILE", url)).into_iter().collect::<Vec<_>>())
    }

    fn with(script: &str, env: &[(&str, &str)]) -> Option<Self> {
        let Some(program) = find_program("ipmi_sim") else {
            skipped("ipmi_sim", "apt-get install openipmi");
            return None;
        };
        // The port is free when it is chosen; another test may be quicker.
        (0..5).find_map(|_| Self::on_port(free_udp_port(), &program, script, env)).or_else(|| {
            panic!("ipmi_sim did not come up on any of five ports");
        })
    }

    fn on_port(port: u16, program: &Path, script: &str, env: &[(&str, &str)]) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("ipmi-sim-").tempdir().expect("a temporary folder");
        let template = std::fs::read_to_string(scripts().join("lan.conf.in")).expect("lan.conf.in");
        let settings = template
            .replace("@PORT@", &port.to_string())
            .replace("@CHASSIS@", &scripts().join(script).display().to_string())
            .replace("@DIR@", &dir.path().join("chassis").display().to_string())
            .replace("@USER@", USER)
            .replace("@PASSWORD@", PASSWORD);
        std::fs::write(dir.path().join("lan.conf"), settings).expect("lan.conf");
        std::fs::create_dir(dir.path().join("state")).expect("state folder");
        let mut command = Command::new(program);
        command
            .args(["-c", "lan.conf", "-s", "state", "-n", "-f"])
            .arg(scripts().join("bmc.emu"))
            .envs(env.iter().copied());
        let mut running = Running::start(command, dir.path(), "ipmi_sim");
        let ready = wait_until(Duration::from_secs(10), || !running.alive() || bound(running.pid(), port));
        (ready && running.alive()).then_some(Self { running, port, dir })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The machine's folder.
    pub fn chassis_dir(&self) -> PathBuf {
        self.dir.path().join("chassis")
    }

    /// Calls of the chassis program so far, one per line: `set power 1`, `get power`…
    pub fn chassis_log(&self) -> Vec<String> {
        let log = std::fs::read_to_string(self.chassis_dir().join("log")).unwrap_or_default();
        log.lines().map(str::to_owned).collect()
    }

    /// How often the chassis program was called exactly so.
    pub fn chassis_calls(&self, line: &str) -> usize {
        self.chassis_log().iter().filter(|l| *l == line).count()
    }

    /// A file in the machine's folder (`power`, `boot`, `identify`, `pid`), without its line end.
    pub fn chassis_file(&self, name: &str) -> Option<String> {
        let text = std::fs::read_to_string(self.chassis_dir().join(name)).ok()?;
        Some(text.trim().to_owned())
    }

    /// Writes a file in the machine's folder: `delay` (seconds) or `fail` (text) for `chassis.sh`.
    pub fn set_chassis_file(&self, name: &str, text: &str) {
        std::fs::create_dir_all(self.chassis_dir()).expect("chassis folder");
        std::fs::write(self.chassis_dir().join(name), text).expect("chassis file");
    }

    /// What `ipmi_sim` has printed.
    pub fn output(&self) -> String {
        self.running.output()
    }

    /// Stops answering, or goes on (SIGSTOP, SIGCONT).
    pub fn pause(&self, paused: bool) {
        self.running.signal(if paused { Signal::SIGSTOP } else { Signal::SIGCONT });
    }

    /// The pid of the QEMU machine, when it is on.
    pub fn vm_pid(&self) -> Option<u32> {
        let pid = self.chassis_file("pid")?.parse().ok()?;
        Path::new(&format!("/proc/{pid}/exe")).exists().then_some(pid)
    }
}

impl Drop for IpmiSim {
    fn drop(&mut self) {
        if let Some(pid) = self.vm_pid().and_then(|pid| i32::try_from(pid).ok()) {
            let pid = nix::unistd::Pid::from_raw(pid);
            let _ = nix::sys::signal::kill(pid, Signal::SIGKILL);
        }
    }
}

/// Whether this process holds the UDP port of loopback: the ready sign of `ipmi_sim`, which is silent.
fn bound(pid: u32, port: u16) -> bool {
    let table = std::fs::read_to_string(format!("/proc/{pid}/net/udp")).unwrap_or_default();
    let wanted = format!("0100007F:{port:04X}");
    table
        .lines()
        .filter(|line| line.contains(&wanted))
        .filter_map(|line| line.split_whitespace().nth(9).map(|inode| format!("socket:[{inode}]")))
        .any(|socket| {
            let fds = std::fs::read_dir(format!("/proc/{pid}/fd"));
            fds.into_iter().flatten().flatten().any(|fd| {
                std::fs::read_link(fd.path()).is_ok_and(|target| target.as_os_str() == socket.as_str())
            })
        })
}
