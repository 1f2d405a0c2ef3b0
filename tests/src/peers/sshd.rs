//! OpenSSH's `sshd` on a free port of loopback, with keys made for it, for one user: the one who runs the tests.

use super::process::{Running, find_program, free_tcp_port, skipped, wait_until};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, Uid, User};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// A running server.
#[derive(Debug)]
pub struct Sshd {
    running: Option<Running>,
    port: u16,
    dir: tempfile::TempDir,
}

impl Sshd {
    /// Starts it with that folder first in the PATH of its commands. `None` (after saying SKIPPED) when it is absent.
    pub fn start(bin: &Path) -> Option<Self> {
        let (Some(program), Some(keygen)) = (find_program("sshd"), find_program("ssh-keygen")) else {
            skipped("sshd", "apt-get install openssh-server openssh-client");
            return None;
        };
        if Uid::effective().is_root() {
            // Where it separates its privileges; Debian makes it when the service starts.
            std::fs::create_dir_all("/run/sshd").expect("/run/sshd");
        }
        let dir = tempfile::Builder::new().prefix("sshd-").tempdir().expect("a temporary folder");
        for key in ["host", "client", "other"] {
            let mut command = Command::new(&keygen);
            command.args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"]).arg(dir.path().join(key));
            assert!(command.status().expect("ssh-keygen").success(), "a key");
        }
        std::fs::copy(dir.path().join("client.pub"), dir.path().join("authorized_keys"))
            .expect("the allowed key");
        let mut sshd = Self { running: None, port: 0, dir };
        (0..5)
            .find_map(|_| sshd.listen(&program, bin).then_some(()))
            .expect("sshd did not come up on any of five ports");
        Some(sshd)
    }

    fn listen(&mut self, program: &Path, bin: &Path) -> bool {
        let port = free_tcp_port();
        let at = |name: &str| self.dir.path().join(name).display().to_string();
        let settings = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile {}\nAuthorizedKeysFile {}\n\
             PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\n\
             PermitRootLogin prohibit-password\nStrictModes no\nLogLevel VERBOSE\nSetEnv PATH={}:/usr/bin:/bin\n",
            at("host"),
            at("sshd.pid"),
            at("authorized_keys"),
            bin.display()
        );
        std::fs::write(at("sshd_config"), settings).expect("its settings");
        let _ = std::fs::remove_file(at("sshd.pid"));
        let mut command = Command::new(program);
        command.args(["-D", "-e", "-f", &at("sshd_config")]);
        let mut running = Running::start(command, self.dir.path(), "sshd");
        let pid_file = self.dir.path().join("sshd.pid");
        let ready = wait_until(Duration::from_secs(10), || pid_file.exists() || !running.alive());
        if !ready || !running.alive() {
            return false;
        }
        (self.running, self.port) = (Some(running), port);
        true
    }

    /// Where it listens.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The user who may log in.
    pub fn user(&self) -> String {
        User::from_uid(Uid::effective()).expect("users").expect("this user").name
    }

    fn text(&self, name: &str) -> String {
        std::fs::read_to_string(self.dir.path().join(name)).expect("a key")
    }

    /// The private key that is allowed.
    pub fn key(&self) -> String {
        self.text("client")
    }

    /// One that is not.
    pub fn other_key(&self) -> String {
        self.text("other")
    }

    /// The line of `known_hosts` for it.
    pub fn known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.text("host.pub"))
    }

    /// The line with another key in it.
    pub fn wrong_known_hosts(&self) -> String {
        format!("[127.0.0.1]:{} {}", self.port, self.text("other.pub"))
    }

    /// The line with a hashed name, as `ssh-keygen -H` writes it.
    pub fn hashed_known_hosts(&self) -> String {
        let file = self.dir.path().join("known");
        std::fs::write(&file, self.known_hosts()).expect("known_hosts");
        let keygen = find_program("ssh-keygen").expect("ssh-keygen");
        let output = Command::new(keygen).args(["-H", "-f"]).arg(&file).output().expect("ssh-keygen");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        self.text("known")
    }

    /// What it has said.
    pub fn log(&self) -> String {
        self.running.as_ref().map(Running::output).unwrap_or_default()
    }

    /// So many logins it has let in.
    pub fn logins(&self) -> usize {
        self.log().matches("Accepted publickey").count()
    }

    /// Connections that are open: processes of sshd below the one that listens.
    pub fn connections(&self) -> usize {
        self.sessions().len()
    }

    fn sessions(&self) -> Vec<i32> {
        let Some(running) = &self.running else { return Vec::new() };
        children(running.pid())
    }

    /// Kills the processes that serve connections, as a crash would; the listener stays, and so do commands.
    pub fn kill_sessions(&self) {
        for pid in self.sessions() {
            // With privileges separated, each has a child that talks.
            let below = children(u32::try_from(pid).expect("a pid"));
            let talking = below.into_iter().filter(|pid| name_of(*pid).starts_with("sshd"));
            for pid in talking.chain([pid]) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }

    /// Stops it; nothing listens there any more.
    pub fn stop(&mut self) {
        self.kill_sessions();
        self.running = None;
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        self.stop();
    }
}

fn name_of(pid: i32) -> String {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default()
}

/// Direct children of a process.
fn children(parent: u32) -> Vec<i32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let of = |pid: &i32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
        // A dead one that nobody has asked for yet is none.
        (fields.next()? != "Z").then_some(())?;
        fields.next()?.parse::<u32>().ok()
    };
    pids.filter(|pid| of(pid) == Some(parent)).collect()
}
