//! A daemon with the local provider, whose servers boot a small Linux by emulation.

use drp_protocol::ExtensionType;
use drp_tests::daemon::{Answer, Builder, Daemon, answer, processes_under};
use drp_tests::extensions::Assembled;
use drp_tests::peers::GuestImage;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// How long anything in a server may take: it is emulated, on a machine that may be busy.
pub const LIMIT: Duration = Duration::from_secs(240);

pub struct Rig {
    pub daemon: Daemon,
    pub image: GuestImage,
    /// State of the provider, image and keys; short, for the names of sockets.
    pub dir: Place,
    _extensions: Assembled,
}

/// A folder whose servers end with it, also when a test failed.
pub struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::Builder::new().prefix("lp").tempdir_in("/tmp").unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        for line in processes_under(self.path()) {
            let pid = line.split(' ').next().and_then(|pid| pid.parse().ok());
            if let Some(pid) = pid.filter(|_| line.contains("-pidfile")) {
                let _ = kill(Pid::from_raw(pid), Signal::SIGKILL);
            }
        }
    }
}

pub fn builder(extensions: &Assembled) -> Builder {
    let (plugin, launcher) = extensions.launcher(ExtensionType::Provider, "local");
    Daemon::builder().plugin_file(&plugin, launcher)
}

/// Settings by their own names, as params of the plugin.
pub async fn configure(daemon: &Daemon, settings: &Value) {
    daemon.wait_plugin("local-provider").await;
    let named: serde_json::Map<String, Value> = settings
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (format!("local-provider/{name}"), value.clone()))
        .collect();
    daemon.expect(200, "POST", "plugins/local-provider/params", Value::Object(named)).await;
}

/// Runs an operation of the plugin.
pub async fn call(daemon: &Daemon, operation: &str, params: Value) -> Answer {
    let path = format!("/api/v3/plugins/local-provider/actions/{operation}");
    answer(daemon.request("POST", &path).json(&params).timeout(LIMIT)).await
}

impl Rig {
    /// `None` (after saying SKIPPED) when a peer is absent.
    pub async fn start(more: Value) -> Option<Self> {
        let dir = Place::new();
        let image = GuestImage::make(dir.path())?;
        let extensions = Assembled::new(&["providers/local"]);
        let daemon = builder(&extensions).start();
        let rig = Self { daemon, image, dir, _extensions: extensions };
        rig.configure(&more).await;
        Some(rig)
    }

    /// Settings of the rig, and more.
    pub async fn configure(&self, more: &Value) {
        let kernel = json!({
            "kernel": self.image.kernel, "initrd": self.image.initrd, "append": "console=ttyS0 quiet",
        });
        let with = |more: Value| {
            let mut image = kernel.clone();
            image.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            image
        };
        let mut settings = json!({
            "state_dir": self.state(), "accel": "tcg", "ready_timeout": 200, "stop_timeout": 60,
            "plans": [{"name": "tiny", "cpus": 1, "memory_mb": 128}],
            "images": {
                "kernel": kernel,
                "bare": with(json!({"ready": "running", "seed": "none"})),
                "disk": with(json!({"disk": self.dir.path().join("base.raw"), "format": "raw"})),
            },
        });
        settings.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        configure(&self.daemon, &settings).await;
        // The plugin takes them over a moment later.
        let end = Instant::now() + Duration::from_secs(30);
        while !self.good("provider-info", json!({})).await["supported_os"].to_string().contains("bare") {
            assert!(Instant::now() < end, "{}", self.daemon.log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Restarts the daemon on the same data; `how` ends the old one.
    pub async fn restart(self, how: impl FnOnce(Daemon) -> PathBuf) -> Self {
        let Self { daemon, image, dir, _extensions } = self;
        let base = how(daemon);
        let daemon = builder(&_extensions).base(&base).start();
        daemon.wait_plugin("local-provider").await;
        Self { daemon, image, dir, _extensions }
    }

    pub fn state(&self) -> PathBuf {
        self.dir.path().join("state")
    }

    /// An operation that has to succeed.
    pub async fn good(&self, operation: &str, params: Value) -> Value {
        let done = call(&self.daemon, operation, params).await;
        assert_eq!(done.status, 200, "{operation}: {}\n{}", done.text(), self.daemon.log());
        done.json()
    }

    /// One that has to fail so; gives its messages.
    pub async fn bad(&self, operation: &str, params: Value, code: u16, kind: &str) -> String {
        let done = call(&self.daemon, operation, params).await;
        let error = done.json();
        assert_eq!((done.status, error["Type"].as_str()), (code, Some(kind)), "{operation}: {error}");
        error["Messages"].to_string()
    }

    pub async fn create(&self, os: &str, more: Value) -> Value {
        let mut config = json!({"hostname": "web-1", "plan": "tiny", "zone": "local", "os": os});
        config.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.good("create-server", json!({"config": config, "wait": true})).await
    }

    pub async fn info(&self, id: &str) -> Value {
        self.good("get-server-info", json!({"server_id": id})).await
    }

    /// That nothing of any server is left: folders, processes.
    pub async fn is_empty(&self) {
        assert_eq!(self.good("list-servers", json!({})).await, json!([]));
        let left: Vec<_> = std::fs::read_dir(self.state().join("servers"))
            .map(|entries| entries.flatten().map(|e| e.path()).collect())
            .unwrap_or_default();
        assert_eq!(left, Vec::<PathBuf>::new());
        assert_eq!(processes_under(&self.state()), [""; 0]);
    }
}

/// A pair of keys of ssh-keygen; gives the public one.
pub fn key(dir: &Path) -> String {
    let made = Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
        .arg(dir.join("key"))
        .status();
    assert!(made.unwrap().success());
    std::fs::read_to_string(dir.join("key.pub")).unwrap().trim().to_owned()
}

/// Runs a command over SSH, as `get-ssh-access` says; gives what it printed.
pub fn ssh(access: &Value, dir: &Path, command: &str) -> String {
    try_ssh(access, dir, command).unwrap_or_else(|said| panic!("{access}: {said}"))
}

/// Repeats it until it succeeds with an answer that will do.
pub fn wait_ssh(access: &Value, dir: &Path, command: &str, will_do: impl Fn(&str) -> bool) -> String {
    let end = Instant::now() + LIMIT;
    loop {
        match try_ssh(access, dir, command) {
            Ok(said) if will_do(&said) => return said,
            said => assert!(Instant::now() < end, "{command} never got there: {said:?}"),
        }
        std::thread::sleep(Duration::from_secs(1));
    }
}

fn try_ssh(access: &Value, dir: &Path, command: &str) -> Result<String, String> {
    let run = Command::new("ssh")
        .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "BatchMode=yes", "-o", "ConnectTimeout=60", "-o", "IdentitiesOnly=yes", "-i"])
        .arg(dir.join("key"))
        .args(["-p", &access["port"].to_string()])
        .arg(format!("{}@{}", access["user"].as_str().unwrap(), access["host"].as_str().unwrap()))
        .arg(command)
        .output()
        .unwrap();
    if !run.status.success() {
        return Err(String::from_utf8_lossy(&run.stderr).into_owned());
    }
    Ok(String::from_utf8(run.stdout).unwrap().trim().to_owned())
}

/// Types a line at the serial console until the answer comes.
pub fn console(socket: &Path, line: &str, answer: &str) {
    let end = Instant::now() + LIMIT;
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(2))).unwrap();
    let mut said = Vec::new();
    while !String::from_utf8_lossy(&said).contains(answer) {
        assert!(Instant::now() < end, "the console said {}", String::from_utf8_lossy(&said));
        stream.write_all(format!("{line}\n").as_bytes()).unwrap();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            said.extend_from_slice(&buffer[..read]);
        }
    }
}
