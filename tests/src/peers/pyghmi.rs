//! pyghmi's fake BMC: a second implementation, in Python. It answers suite 3 whatever was asked for, its Get Device ID is
//! short, it refuses cycle and identify.

use super::process::{Running, free_udp_port, scripts, skipped, wait_until};
use super::{PASSWORD, USER, python};
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running fake BMC.
#[derive(Debug)]
pub struct PyghmiBmc {
    running: Running,
    port: u16,
    _dir: tempfile::TempDir,
}

impl PyghmiBmc {
    /// Starts it. `None` (after saying SKIPPED) when Python or pyghmi is absent.
    pub fn start() -> Option<Self> {
        let Some(python) = python::with_module("pyghmi.ipmi.bmc") else {
            skipped("pyghmi", "run tests/setup.sh, or set DRP_TEST_PYTHON to a Python that has it");
            return None;
        };
        (0..5).find_map(|_| Self::on_port(free_udp_port(), &python)).or_else(|| {
            panic!("pyghmi's BMC did not come up on any of five ports");
        })
    }

    fn on_port(port: u16, python: &Path) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("pyghmi-").tempdir().expect("a temporary folder");
        let mut command = Command::new(python);
        command.arg(scripts().join("pyghmi_bmc.py")).arg(port.to_string()).envs([
            ("BMC_USER", USER),
            ("BMC_PASSWORD", PASSWORD),
            ("PYTHONDONTWRITEBYTECODE", "1"),
        ]);
        let mut running = Running::start(command, dir.path(), "pyghmi");
        let ready = wait_until(Duration::from_secs(20), || !running.alive() || answers(port));
        (ready && running.alive()).then_some(Self { running, port, _dir: dir })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// UDP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it still runs: hostile input ends some versions.
    pub fn alive(&mut self) -> bool {
        self.running.alive()
    }

    /// What it has printed.
    pub fn output(&self) -> String {
        self.running.output()
    }
}

/// Asks for the channel's authentication capabilities, as any client may without a session.
fn answers(port: u16) -> bool {
    use drp_ipmi::codec::message::Request;
    use drp_ipmi::codec::packet::encode_v15;
    let request = Request { netfn: 0x06, seq: 1, cmd: 0x38, data: vec![0x8e, 0x04] };
    let Ok(socket) = UdpSocket::bind("127.0.0.1:0") else { return false };
    let ready = || -> std::io::Result<bool> {
        socket.set_read_timeout(Some(Duration::from_millis(100)))?;
        socket.connect(("127.0.0.1", port))?;
        socket.send(&encode_v15(&request.encode()))?;
        Ok(socket.recv(&mut [0; 512])? > 0)
    };
    ready().unwrap_or(false)
}
