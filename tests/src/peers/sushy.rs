//! sushy-tools with its fake driver: an independent Redfish service, with and without TLS and Basic. It has no sessions,
//! answers 204 without a body, and shows a change of power after 1 to 11 seconds.

use super::process::{Running, free_tcp_port, skipped, wait_until};
use super::python::with_module;
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// bcrypt of [`super::PASSWORD`], cost 4: made once, since nothing here hashes that way.
const PASSWORD_HASH: &str = "$2b$04$JAcMs92LpfaadMoi7pCbgOFrin79CAwxrzgeqU2ypbZmBjzuWVnfO";

/// How the service is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// HTTP, anybody.
    Open,
    /// HTTP with Basic.
    Basic,
    /// HTTPS with Basic and a certificate of its own.
    TlsBasic,
}

/// UUIDs of the machines it pretends to manage.
pub const SYSTEMS: [&str; 2] =
    ["27946b59-9e44-4fa7-8e91-f3527a1ef094", "358d1b5d-3b6b-4d4e-9d2c-6b8a3a1f0c11"];

/// A running service.
#[derive(Debug)]
pub struct Sushy {
    running: Running,
    port: u16,
    certificate: Option<String>,
    _dir: tempfile::TempDir,
}

/// The emulator, beside the Python that has its package.
fn program() -> Option<PathBuf> {
    let beside = with_module("sushy_tools")?.with_file_name("sushy-emulator");
    beside.is_file().then_some(beside)
}

impl Sushy {
    /// Starts it with one or two machines. `None` (after saying SKIPPED) when it is absent.
    pub fn start(access: Access, systems: usize) -> Option<Self> {
        let Some(program) = program() else {
            skipped("sushy-tools", "run tests/setup.sh, or set DRP_TEST_PYTHON to a Python that has it");
            return None;
        };
        (0..5).find_map(|_| Self::on_port(free_tcp_port(), &program, access, systems)).or_else(|| {
            panic!("sushy-emulator did not come up on any of five ports");
        })
    }

    fn on_port(port: u16, program: &Path, access: Access, systems: usize) -> Option<Self> {
        let dir = tempfile::Builder::new().prefix("sushy-").tempdir().expect("a temporary folder");
        let at = |name: &str| dir.path().join(name).display().to_string();
        let machines: Vec<String> = SYSTEMS[..systems]
            .iter()
            .enumerate()
            .map(|(n, uuid)| {
                format!(
                    "{{'uuid': '{uuid}', 'name': 'fake{n}', 'power_state': 'Off', 'external_notifier': False, \
                     'nics': [{{'mac': '00:5c:52:31:3a:9{n}', 'ip': '172.22.0.10{n}'}}]}}"
                )
            })
            .collect();
        let mut settings = format!(
            "SUSHY_EMULATOR_LISTEN_IP = '127.0.0.1'\nSUSHY_EMULATOR_LISTEN_PORT = {port}\n\
             SUSHY_EMULATOR_STATE_DIR = '{}'\nSUSHY_EMULATOR_FAKE_DRIVER = True\n\
             SUSHY_EMULATOR_FAKE_SYSTEMS = [{}]\n",
            at("state"),
            machines.join(", ")
        );
        std::fs::create_dir(dir.path().join("state")).expect("its state folder");
        let mut certificate = None;
        if access != Access::Open {
            std::fs::write(at("users"), format!("{}:{PASSWORD_HASH}\n", super::USER)).expect("its users");
            settings += &format!("SUSHY_EMULATOR_AUTH_FILE = '{}'\n", at("users"));
        }
        if access == Access::TlsBasic {
            let made =
                rcgen::generate_simple_self_signed(vec!["127.0.0.1".to_owned()]).expect("a certificate");
            std::fs::write(at("crt"), made.cert.pem()).expect("its certificate");
            std::fs::write(at("key"), made.signing_key.serialize_pem()).expect("its key");
            settings += &format!(
                "SUSHY_EMULATOR_SSL_CERT = '{}'\nSUSHY_EMULATOR_SSL_KEY = '{}'\n",
                at("crt"),
                at("key")
            );
            certificate = Some(made.cert.pem());
        }
        std::fs::write(at("fake.conf"), settings).expect("its settings");
        let mut command = Command::new(program);
        command.args(["--config", &at("fake.conf")]).env("PYTHONDONTWRITEBYTECODE", "1");
        let mut running = Running::start(command, dir.path(), "sushy");
        let up = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        let ready = wait_until(Duration::from_secs(30), || !running.alive() || up());
        (ready && running.alive()).then_some(Self { running, port, certificate, _dir: dir })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// Its certificate (PEM), when it has TLS.
    pub fn certificate(&self) -> &str {
        self.certificate.as_deref().unwrap_or_default()
    }

    /// What it has printed: one line for each request.
    pub fn output(&self) -> String {
        self.running.output()
    }
}
