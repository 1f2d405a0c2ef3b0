//! A real `drp serve` on free ports in a temporary base root. It is stopped at drop, and nothing may be left behind.

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// How long a daemon may take to say that it is ready, on a loaded machine.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How long it may take to stop its plugins and itself.
const STOPPED_WITHIN: Duration = Duration::from_secs(30);
/// Name and password that `--well-known-password` makes.
pub const USER: (&str, &str) = ("rocketskates", "r0cketsk8ts");

/// The binary of that name that this build made (`cargo build --workspace --bins` makes all of them).
pub fn binary(name: &str) -> PathBuf {
    let deps = std::env::current_exe().expect("path of the test");
    let dir = deps.parent().and_then(Path::parent).expect("target directory");
    let path = dir.join(name);
    assert!(path.is_file(), "{} is not built; run `cargo build --workspace --bins`", path.display());
    path
}

/// What a daemon is started with.
#[derive(Default)]
pub struct Builder {
    plugins: Vec<(String, PathBuf)>,
    args: Vec<String>,
    env: Vec<(String, String)>,
    base: Option<PathBuf>,
    own_password: bool,
    uid: Option<u32>,
}

impl Builder {
    /// Installs a plugin of this build under its own name.
    #[must_use]
    pub fn plugin(self, name: &str) -> Self {
        let path = binary(name);
        self.plugin_file(name, path)
    }

    /// Installs any executable under a provider name.
    #[must_use]
    pub fn plugin_file(mut self, name: &str, path: impl Into<PathBuf>) -> Self {
        self.plugins.push((name.to_owned(), path.into()));
        self
    }

    /// Adds a command-line argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<String>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Adds an environment variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl Into<String>) -> Self {
        self.env.push((name.to_owned(), value.into()));
        self
    }

    /// Uses a base root that the caller owns, for restarts on the same data.
    #[must_use]
    pub fn base(mut self, base: &Path) -> Self {
        self.base = Some(base.to_owned());
        self
    }

    /// Lets the daemon make its own password instead of the published one.
    #[must_use]
    pub fn own_password(mut self) -> Self {
        self.own_password = true;
        self
    }

    /// Runs the daemon as another user, who gets the base root; only root can do that.
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Starts the daemon and waits until it is ready; panics with its log when it does not get there.
    #[must_use]
    pub fn start(self) -> Daemon {
        self.try_start().unwrap_or_else(|log| panic!("the daemon did not start:\n{log}"))
    }

    /// As [`Builder::start`], but gives back what the daemon printed when it does not get ready.
    ///
    /// # Errors
    /// Everything the daemon wrote to standard error.
    pub fn try_start(self) -> Result<Daemon, String> {
        let _ = rustls::crypto::ring::default_provider().install_default();
        // A short path: a UNIX socket path holds 107 bytes.
        let temp = match &self.base {
            Some(_) => None,
            None => {
                Some(tempfile::Builder::new().prefix("drpt").tempdir_in("/tmp").expect("temporary base root"))
            }
        };
        let base =
            self.base.clone().or_else(|| temp.as_ref().map(|t| t.path().to_owned())).expect("base root");
        let plugins = base.join("plugins");
        std::fs::create_dir_all(&plugins).expect("plugin directory");
        for (name, path) in &self.plugins {
            install(path, &plugins.join(name));
        }
        let mut command = Command::new(binary("drp"));
        command.arg("serve").arg("--base-root").arg(&base);
        for (flag, value) in [
            ("--api-port", "0"),
            ("--static-port", "0"),
            ("--secure-static-port", "0"),
            ("--bind", "127.0.0.1"),
        ] {
            if !self.args.iter().any(|arg| arg == flag || arg.starts_with(&format!("{flag}="))) {
                command.args([flag, value]);
            }
        }
        if !self.own_password {
            command.arg("--well-known-password");
        }
        if let Some(uid) = self.uid {
            for path in [&base, &plugins] {
                std::os::unix::fs::chown(path, Some(uid), Some(uid)).expect("give the base root away");
            }
            command.uid(uid).gid(uid);
        }
        command.args(&self.args).envs(self.env.iter().cloned());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("start drp");
        let log = Log::drain(child.stderr.take().expect("stderr"));
        let out = BufReader::new(child.stdout.take().expect("stdout"));
        let (say, hear) = mpsc::channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                let _ = say.send(line);
            }
        });
        let end = Instant::now() + READY_WITHIN;
        let mut printed = Vec::new();
        let ready = loop {
            match hear.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with("drp ready") => break line,
                Ok(line) => printed.push(line),
                Err(_) => {
                    let _ = child.kill();
                    let status = child.wait().expect("reap");
                    return Err(format!("{}\n{}\n{status}", printed.join("\n"), log.whole()));
                }
            }
        };
        let word = |after: &str| {
            let mut words = ready.split_whitespace().skip_while(|w| *w != after).skip(1);
            words.next().unwrap_or_else(|| panic!("no {after} in {ready:?}")).to_owned()
        };
        let (api, files, socket) = (word("api"), word("files"), PathBuf::from(word("socket")));
        let cert = std::fs::read(base.join("tls/server.crt")).ok();
        let mut http = reqwest::Client::builder().timeout(Duration::from_secs(30));
        http = match cert.and_then(|pem| reqwest::Certificate::from_pem(&pem).ok()) {
            Some(cert) => http.tls_certs_only([cert]),
            None => http.tls_danger_accept_invalid_certs(true),
        };
        let http = http.build().expect("HTTP client");
        Ok(Daemon { child: Some(child), temp, base, api, files, socket, printed, log, http })
    }
}

/// Copies an executable; a hard link would tie the test's file to the build's.
fn install(from: &Path, to: &Path) {
    std::fs::copy(from, to).unwrap_or_else(|e| panic!("install {}: {e}", from.display()));
}

/// Everything a process writes, kept in memory so that its pipe never fills.
#[derive(Clone, Default)]
struct Log(std::sync::Arc<std::sync::Mutex<Vec<u8>>>, std::sync::Arc<std::sync::atomic::AtomicBool>);

impl Log {
    fn drain(mut from: impl Read + Send + 'static) -> Self {
        let log = Self::default();
        let kept = log.clone();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = from.read(&mut buffer) {
                if let Ok(mut bytes) = kept.0.lock() {
                    bytes.extend_from_slice(&buffer[..n]);
                }
            }
            kept.1.store(true, std::sync::atomic::Ordering::Release);
        });
        log
    }

    /// All of it, once the process has ended.
    fn whole(&self) -> String {
        let end = Instant::now() + Duration::from_secs(5);
        while !self.1.load(std::sync::atomic::Ordering::Acquire) && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(2));
        }
        self.text()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().expect("log")).into_owned()
    }
}

/// A running daemon.
pub struct Daemon {
    child: Option<Child>,
    temp: Option<tempfile::TempDir>,
    base: PathBuf,
    /// `https://127.0.0.1:<port>`.
    pub api: String,
    /// `http://127.0.0.1:<port>`.
    pub files: String,
    /// The local socket.
    pub socket: PathBuf,
    /// Lines it printed to standard output before it was ready.
    pub printed: Vec<String>,
    log: Log,
    /// Trusts exactly the daemon's certificate.
    pub http: reqwest::Client,
}

/// An answer, read whole.
#[derive(Debug)]
pub struct Answer {
    /// HTTP status.
    pub status: u16,
    /// Headers.
    pub headers: reqwest::header::HeaderMap,
    /// Body.
    pub bytes: Vec<u8>,
}

impl Answer {
    /// The body as JSON; null when there is none.
    pub fn json(&self) -> Value {
        if self.bytes.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.bytes).unwrap_or_else(|e| panic!("{e} in {:?}", self.text()))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// A header as text, empty when absent.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|v| v.to_str().ok()).unwrap_or_default()
    }
}

impl Daemon {
    /// What a daemon is started with.
    #[must_use]
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// A daemon without plugins.
    #[must_use]
    pub fn start() -> Self {
        Self::builder().start()
    }

    /// Its base root.
    pub fn base(&self) -> &Path {
        &self.base
    }

    /// Its process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().expect("running").id()).expect("pid")
    }

    /// What it logged so far.
    pub fn log(&self) -> String {
        self.log.text()
    }

    /// Waits until it has logged that text.
    pub fn wait_log(&self, text: &str) {
        let end = Instant::now() + Duration::from_secs(10);
        while !self.log().contains(text) {
            assert!(Instant::now() < end, "{text:?} is not in:\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// A request with the well-known account; `path` begins with a slash.
    pub fn request(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        self.anonymous(method, path).basic_auth(USER.0, Some(USER.1))
    }

    /// A request without credentials.
    pub fn anonymous(&self, method: &str, path: &str) -> reqwest::RequestBuilder {
        let method = method.parse::<reqwest::Method>().expect("method");
        self.http.request(method, format!("{}{path}", self.api))
    }

    /// Sends a request of the well-known account and reads the answer; a null body is not sent.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> Answer {
        let mut request = self.request(method, path);
        if !body.is_null() {
            request = request.json(&body);
        }
        answer(request).await
    }

    /// GET `/api/v3/<path>` as JSON; panics on any status but 200.
    pub async fn get(&self, path: &str) -> Value {
        self.expect(200, "GET", path, Value::Null).await
    }

    /// Sends to `/api/v3/<path>` and panics on any status but `status`.
    pub async fn expect(&self, status: u16, method: &str, path: &str, body: Value) -> Value {
        let answer = self.call(method, &format!("/api/v3/{path}"), body).await;
        assert_eq!(answer.status, status, "{method} {path}: {}\n{}", answer.text(), self.log());
        if answer.header("content-type").contains("json") {
            answer.json()
        } else {
            Value::String(answer.text())
        }
    }

    /// Repeats `GET /api/v3/<path>` until `done` says yes; panics after 30 s.
    pub async fn wait_for(&self, path: &str, done: impl Fn(&Answer) -> bool) -> Answer {
        let end = Instant::now() + Duration::from_secs(30);
        loop {
            let answer = self.call("GET", &format!("/api/v3/{path}"), Value::Null).await;
            if done(&answer) {
                return answer;
            }
            assert!(Instant::now() < end, "{path} never got there: {}\n{}", answer.text(), self.log());
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
    }

    /// Waits until a plugin instance is configured: its actions are then registered. Gives the plugin object.
    pub async fn wait_plugin(&self, name: &str) -> Value {
        let configured = |answer: &Answer| {
            let status = answer.json();
            let mut plugins = status["Plugins"].as_array().into_iter().flatten();
            plugins.any(|p| p["Name"] == name && p["State"] == "configured")
        };
        self.wait_for("system/status", configured).await;
        let plugin =
            self.wait_for(&format!("plugins/{name}"), |a| a.json()["PluginErrors"] == json!([])).await;
        plugin.json()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).expect("signal");
    }

    /// Kills it as a crash would.
    pub fn kill9(mut self) -> PathBuf {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
        self.base.clone()
    }

    /// Stops it as an operator would and returns its exit status and its whole log.
    pub fn stop(mut self) -> (std::process::ExitStatus, String) {
        let mut child = self.child.take().expect("running");
        let status = terminate(&mut child);
        (status, self.log.whole())
    }
}

fn terminate(child: &mut Child) -> std::process::ExitStatus {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("pid"));
    let _ = kill(pid, Signal::SIGTERM);
    let end = Instant::now() + STOPPED_WITHIN;
    loop {
        if let Some(status) = child.try_wait().expect("wait for drp") {
            return status;
        }
        if Instant::now() > end {
            let _ = child.kill();
            return child.wait().expect("reap");
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sends a request and reads the answer whole.
pub async fn answer(request: reqwest::RequestBuilder) -> Answer {
    let response = request.send().await.unwrap_or_else(|e| panic!("{e:?}"));
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let bytes = response.bytes().await.unwrap_or_else(|e| panic!("{e:?}")).to_vec();
    Answer { status, headers, bytes }
}

/// Processes whose command line or working directory names the path.
pub fn processes_under(path: &Path) -> Vec<String> {
    let needle = path.to_string_lossy().into_owned();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(Result::ok)
        .filter(|e| e.file_name().to_string_lossy().bytes().all(|b| b.is_ascii_digit()))
        .filter_map(|e| {
            let line =
                String::from_utf8_lossy(&std::fs::read(e.path().join("cmdline")).ok()?).replace('\0', " ");
            let cwd = std::fs::read_link(e.path().join("cwd")).map(|p| p.to_string_lossy().into_owned());
            let hit = line.contains(&needle) || cwd.is_ok_and(|cwd| cwd.starts_with(&needle));
            hit.then(|| format!("{} {line}", e.file_name().to_string_lossy()))
        })
        .collect()
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let mut clean = true;
        if let Some(mut child) = self.child.take() {
            clean = terminate(&mut child).success();
        }
        let end = Instant::now() + Duration::from_secs(2);
        let mut left = processes_under(&self.base);
        while !left.is_empty() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
            left = processes_under(&self.base);
        }
        drop(self.temp.take());
        if !std::thread::panicking() {
            assert!(left.is_empty(), "left behind: {left:#?}");
            assert!(clean, "the daemon did not stop cleanly:\n{}", self.log.text());
        }
    }
}
