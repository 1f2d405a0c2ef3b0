//! Where the host keeps things, and every bound it holds.

use std::path::PathBuf;
use std::time::Duration;

/// Directories and addresses. All directories are created when absent.
#[derive(Debug, Clone)]
pub struct HostConfig {
    /// Where plugin executables lie, one file per provider, named like the provider.
    pub plugin_dir: PathBuf,
    /// Where sockets and the records of running children go; mode 0700. When a socket path would be
    /// longer than 107 bytes, a short private directory under `/run/user` or `/tmp` is taken instead.
    pub comm_root: PathBuf,
    /// Directory that holds one directory per provider, filled by `unpack`
    /// (`<file root>/files/plugin_providers`, wire-protocol §1.4).
    pub unpack_root: PathBuf,
    /// Where definitions are kept by content hash.
    pub cache_dir: PathBuf,
    /// Working directory of every plugin process (`plugin-tmp`, mode 0700, wire-protocol §1.2).
    pub scratch_dir: PathBuf,
    /// `RS_ENDPOINT`: `https://<ip>:<api port>`.
    pub endpoint: String,
    /// `RS_FILESERVER`: `http://<ip>:<static port>`.
    pub fileserver: String,
    /// `RS_WEBROOT`: file-system path of the static file root.
    pub webroot: PathBuf,
    /// Bounds and deadlines.
    pub limits: Limits,
}

impl HostConfig {
    /// The usual layout under a base root.
    #[must_use]
    pub fn under(base: impl Into<PathBuf>) -> Self {
        let base = base.into();
        Self {
            plugin_dir: base.join("plugins"),
            comm_root: base.join("run"),
            unpack_root: base.join("files/plugin_providers"),
            cache_dir: base.join("cache"),
            scratch_dir: base.join("plugin-tmp"),
            endpoint: "https://127.0.0.1:8092".to_owned(),
            fileserver: "http://127.0.0.1:8091".to_owned(),
            webroot: base,
            limits: Limits::default(),
        }
    }
}

/// Every bound of the host. The defaults suit production; tests shorten them.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Deadline of `define`.
    pub define: Duration,
    /// Deadline of `unpack`.
    pub unpack: Duration,
    /// From spawn to `READY!`.
    pub ready: Duration,
    /// Deadline of `/config`. Generous: a plugin may set up hardware.
    pub config: Duration,
    /// Deadline of one `/publish`.
    pub publish: Duration,
    /// How long a stopping plugin may finish its calls in flight.
    pub drain: Duration,
    /// Deadline of `/stop`.
    pub stop: Duration,
    /// How long after `/stop` the process may take to end before SIGTERM.
    pub exit: Duration,
    /// From SIGTERM to SIGKILL.
    pub term: Duration,
    /// Connect and first byte of the head when forwarding `/plugin-apis`.
    pub forward_head: Duration,
    /// Largest answer of a plugin in bytes.
    pub answer: usize,
    /// Largest output of `define` in bytes.
    pub definition: usize,
    /// Largest body that a plugin may post, in bytes.
    pub from_plugin_body: usize,
    /// Connections a plugin may hold to its from-plugin socket.
    pub from_plugin_connections: usize,
    /// Calls in flight per instance.
    pub in_flight: usize,
    /// Calls that may wait for a free place per instance.
    pub waiting: usize,
    /// Events that may wait for one `HasPublish` instance.
    pub publish_queue: usize,
    /// Longest line taken from a plugin's output, in bytes; the rest of a longer one is cut.
    pub line: usize,
    /// Lines of each output stream kept for diagnosis.
    pub kept_lines: usize,
    /// Log lines a second an instance may write; more are counted and left out.
    pub log_rate: u32,
    /// Largest uploaded executable in bytes.
    pub upload: u64,
    /// `RLIMIT_NOFILE` of plugin processes.
    pub open_files: u64,
    /// First delay before a crashed plugin is started again; doubled each time, with jitter.
    pub backoff_first: Duration,
    /// Longest delay before a crashed plugin is started again.
    pub backoff_most: Duration,
    /// Crashes within [`Limits::crash_window`] that put a plugin into quarantine.
    pub crash_budget: usize,
    /// See [`Limits::crash_budget`].
    pub crash_window: Duration,
    /// How often the plugin directory is looked at.
    pub watch: Duration,
    /// `define` and `unpack` processes at the same time.
    pub define_jobs: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            define: Duration::from_secs(30),
            unpack: Duration::from_secs(120),
            ready: Duration::from_secs(60),
            config: Duration::from_secs(600),
            publish: Duration::from_secs(30),
            drain: Duration::from_secs(10),
            stop: Duration::from_secs(10),
            exit: Duration::from_secs(10),
            term: Duration::from_secs(3),
            forward_head: Duration::from_secs(60),
            answer: 64 << 20,
            definition: 64 << 20,
            from_plugin_body: 8 << 20,
            from_plugin_connections: 256,
            in_flight: 256,
            waiting: 4096,
            publish_queue: 4096,
            line: 16 << 10,
            kept_lines: 200,
            log_rate: 2_000,
            upload: 1 << 30,
            open_files: 4_096,
            backoff_first: Duration::from_millis(500),
            backoff_most: Duration::from_secs(60),
            crash_budget: 5,
            crash_window: Duration::from_secs(300),
            watch: Duration::from_secs(1),
            define_jobs: 4,
        }
    }
}
