//! `ipmitool` and FreeIPMI's `ipmipower`: independent clients, and second readers of what ours has done.

use super::process::{find_program, skipped};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A client that hangs is killed after this time.
const LIMIT: &str = "30";

/// What a tool answered.
#[derive(Clone, Debug)]
pub struct Answer {
    /// It ended with status 0.
    pub ok: bool,
    /// Both of its outputs.
    pub text: String,
    /// How long it took.
    pub took: Duration,
}

impl Answer {
    fn run(mut command: Command) -> Self {
        let started = Instant::now();
        let Output { status, stdout, stderr } =
            command.stdin(Stdio::null()).output().expect("coreutils' timeout");
        let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
        Self { ok: status.success(), text, took: started.elapsed() }
    }

    /// The text of an answer that must have been good.
    #[track_caller]
    pub fn good(self) -> String {
        assert!(self.ok, "the tool failed: {}", self.text);
        self.text
    }
}

/// `ipmitool` for one BMC.
#[derive(Clone, Debug)]
pub struct Ipmitool {
    program: PathBuf,
    address: SocketAddr,
    user: String,
    password: String,
    suite: u8,
}

impl Ipmitool {
    /// For this BMC with the usual user and password. `None` (after saying SKIPPED) when it is absent.
    pub fn new(address: SocketAddr, suite: u8) -> Option<Self> {
        let Some(program) = find_program("ipmitool") else {
            skipped("ipmitool", "apt-get install ipmitool");
            return None;
        };
        let (user, password) = (super::USER.to_owned(), super::PASSWORD.to_owned());
        Some(Self { program, address, user, password, suite })
    }

    /// The BMC's address.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// As another user.
    #[must_use]
    pub fn user(self, user: &str) -> Self {
        Self { user: user.to_owned(), ..self }
    }

    /// With another password.
    #[must_use]
    pub fn password(self, password: &str) -> Self {
        Self { password: password.to_owned(), ..self }
    }

    /// Runs it with these words, split at spaces. The suite is named (`-C`), or it would ask for the list first.
    pub fn run(&self, words: &str) -> Answer {
        let mut command = Command::new("timeout");
        command
            .arg(LIMIT)
            .arg(&self.program)
            .args(["-I", "lanplus", "-N", "1", "-R", "1", "-U", &self.user, "-E"])
            .env("IPMI_PASSWORD", &self.password)
            .args(["-H", &self.address.ip().to_string(), "-p", &self.address.port().to_string()])
            .args(["-C", &self.suite.to_string()])
            .args(words.split_whitespace());
        Answer::run(command)
    }
}

/// FreeIPMI's `ipmipower` for one BMC.
#[derive(Clone, Debug)]
pub struct Ipmipower {
    program: PathBuf,
    address: SocketAddr,
    suite: u8,
}

impl Ipmipower {
    /// For this BMC with the usual user and password. `None` (after saying SKIPPED) when it is absent.
    pub fn new(address: SocketAddr, suite: u8) -> Option<Self> {
        let Some(program) = find_program("ipmipower") else {
            skipped("ipmipower", "apt-get install freeipmi-tools");
            return None;
        };
        Some(Self { program, address, suite })
    }

    /// Runs it with these words: `--stat`, `--on`… It asks for its privilege in the open request, which `ipmi_sim` needs.
    pub fn run(&self, words: &str) -> Answer {
        let mut command = Command::new("timeout");
        command
            .arg(LIMIT)
            .arg(&self.program)
            .args(["-D", "LAN_2_0", "-I", &self.suite.to_string(), "-W", "opensesspriv"])
            .args(["-h", &self.address.to_string(), "-u", super::USER, "-p", super::PASSWORD])
            .args(words.split_whitespace());
        Answer::run(command)
    }
}
