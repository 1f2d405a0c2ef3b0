//! A machine whose tasks run here. Its BMC is `ipmi_sim`: `ipmitool` on its `PATH` is a script that turns in-band calls into
//! calls over LAN and notes their words. Its devices are files below a folder, `modprobe` only notes what it is asked for, and
//! pauses are short.

use drp_tests::agent::{Agent, End};
use drp_tests::daemon::{Daemon, binary};
use drp_tests::peers::{IpmiSim, Ipmitool, PASSWORD, USER, find_program, skipped};
use serde_json::{Value, json};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

/// Wanted in every test of this area: none of the tasks writes one.
pub const PWNED: &str = "/tmp/drp-pwned";

pub struct Machine {
    pub daemon: Daemon,
    pub bmc: IpmiSim,
    pub uuid: String,
    root: tempfile::TempDir,
}

impl Machine {
    /// A machine with a BMC that answers. `None` (after saying SKIPPED) when a peer is absent.
    pub async fn start() -> Option<Self> {
        let bmc = IpmiSim::start()?;
        let Some(tool) = find_program("ipmitool") else {
            skipped("ipmitool", "apt-get install ipmitool");
            return None;
        };
        let daemon = Daemon::builder().plugin("ipmi").start();
        daemon.wait_plugin("ipmi").await;
        let machine = json!({"Name": "node-1", "Params": {
            "ipmi/port-ipmitool": bmc.port(), "ipmi/cipher-suite": "3", "ipmi/min-gap": 0, "ipmi/timeout": 2,
        }});
        let made = daemon.expect(201, "POST", "machines", machine).await;
        let uuid = made["Uuid"].as_str().unwrap().to_owned();
        let this = Self { daemon, bmc, uuid, root: tempfile::tempdir().unwrap() };
        this.file("bmc-password", PASSWORD);
        this.file("host/dev/ipmi0", "");
        this.vendor("Nobody");
        this.program("modprobe", "");
        this.program("udevadm", "");
        let lan = format!(
            "[ ! -e {at}/silent ] || {{ case \"$*\" in 'mc reset cold') rm {at}/silent; echo Sent ;; *) exit 1 ;; esac; exit; }}\n\
             [ ! -e {at}/says/\"$*\" ] || {{ cat {at}/says/\"$*\"; exit; }}\n\
             exec {tool} -I lanplus -N 1 -R 1 -H 127.0.0.1 -p {port} -U {USER} -f {at}/bmc-password -C 3 \"$@\"",
            at = this.root.path().display(),
            tool = tool.display(),
            port = this.bmc.port(),
        );
        this.program("ipmitool", &lan);
        Some(this)
    }

    /// Writes a file below the machine's root.
    pub fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.root.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// What a file holds; empty when it is not there.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.root.path().join(name)).unwrap_or_default()
    }

    pub fn remove(&self, name: &str) {
        let _ = std::fs::remove_file(self.root.path().join(name));
    }

    /// A program on the machine's `PATH`, which notes its words in `NAME.log`, one call per line.
    pub fn program(&self, name: &str, body: &str) {
        let base = name.rsplit('/').next().unwrap();
        let log = self.root.path().join(format!("{base}.log"));
        let text = format!("#!/bin/sh\nprintf '%s\\n' \"$*\" >>{}\n{body}\n", log.display());
        let path = self.file(&format!("bin/{name}"), &text);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What `ipmitool WORDS` prints here, in place of what the BMC says.
    pub fn says(&self, words: &str, text: &str) {
        self.file(&format!("says/{words}"), text);
    }

    /// The machine's maker, as DMI has it.
    pub fn vendor(&self, name: &str) {
        self.file("host/sys/class/dmi/id/sys_vendor", &format!("{name}\n"));
    }

    /// Calls of a program so far, and forgets them.
    pub fn calls(&self, program: &str) -> Vec<String> {
        let name = format!("{program}.log");
        let calls = self.read(&name).lines().map(str::to_owned).collect();
        self.remove(&name);
        calls
    }

    /// `ipmitool` as somebody on the network.
    pub fn outside(&self) -> Ipmitool {
        Ipmitool::new(self.bmc.address(), 3).unwrap()
    }

    pub async fn set(&self, name: &str, value: Value) {
        self.daemon.expect(200, "POST", &format!("machines/{}/params/{name}", self.uuid), value).await;
    }

    pub async fn set_all(&self, params: Value) {
        for (name, value) in params.as_object().unwrap() {
            self.set(name, value.clone()).await;
        }
    }

    /// A param of the machine itself, opened; null when it is not set.
    pub async fn param(&self, name: &str) -> Value {
        let path = format!("machines/{}/params/{name}?decode=true", self.uuid);
        self.daemon.get(&path).await
    }

    /// A program of the host in a folder of the machine.
    pub fn link(&self, program: &str, folder: &str) {
        std::fs::create_dir_all(self.root.path().join(folder)).unwrap();
        let real = if program == "drpcli" { Some(binary("drp")) } else { find_program(program) };
        symlink(real.unwrap(), self.root.path().join(folder).join(program)).unwrap();
    }

    /// Runs tasks to their end; gives the end and what the jobs said.
    pub async fn run(&self, tasks: &[&str]) -> (End, String) {
        let agent = self.agent().await;
        self.run_with(agent, tasks).await
    }

    /// The same with nothing on the `PATH` but what is in that folder.
    pub async fn run_with_path(&self, tasks: &[&str], folder: &str) -> (End, String) {
        let path = self.root.path().join(folder);
        let agent = self.agent().await.env("PATH", &path.display().to_string());
        self.run_with(agent, tasks).await
    }

    async fn run_with(&self, agent: Agent<'_>, tasks: &[&str]) -> (End, String) {
        let known = self.jobs().await;
        let mut machine = self.daemon.get(&format!("machines/{}", self.uuid)).await;
        machine["Tasks"] = json!(tasks);
        machine["CurrentTask"] = json!(-1);
        machine["Runnable"] = json!(true);
        self.daemon.expect(200, "PUT", &format!("machines/{}?force=true", self.uuid), machine).await;
        let end = agent.walk().await;
        let mut said = String::new();
        for job in self.jobs().await.into_iter().filter(|job| !known.contains(job)) {
            said += self
                .daemon
                .expect(200, "GET", &format!("jobs/{job}/log"), Value::Null)
                .await
                .as_str()
                .unwrap();
        }
        assert!(!PathBuf::from(PWNED).exists(), "a value was taken for code:\n{said}");
        (end, said)
    }

    /// Runs one task that has to succeed; what it said.
    pub async fn good(&self, task: &str) -> String {
        let (end, said) = self.run(&[task]).await;
        assert_eq!(end, End::Complete, "{said}");
        said
    }

    /// Runs one task that has to fail; what it said.
    pub async fn bad(&self, task: &str) -> String {
        let (end, said) = self.run(&[task]).await;
        assert_eq!(end, End::Stopped, "{said}");
        said
    }

    async fn agent(&self) -> Agent<'_> {
        let _ = std::fs::remove_file(self.root.path().join("bin/drpcli"));
        let agent = Agent::boot(&self.daemon, &self.uuid, self.root.path()).await.with_cli();
        agent.env("IPMI_ROOT", &self.root.path().join("host").display().to_string()).env("IPMI_PAUSE", "0.1")
    }

    async fn jobs(&self) -> Vec<String> {
        let jobs = self.daemon.get(&format!("jobs?Machine={}&sort=StartTime", self.uuid)).await;
        jobs.as_array().unwrap().iter().map(|job| job["Uuid"].as_str().unwrap().to_owned()).collect()
    }
}
