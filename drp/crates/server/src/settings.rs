//! What an operator can set, and where each value came from.
//!
//! Lowest first: built-in defaults, the settings file (TOML), the environment (`RS_*`, the names operators of
//! Digital Rebar know, then `DRP_*`), flags. Every bad value is reported, not only the first.

use crate::LoginLimits;
use figment::providers::{Env, Format, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Source};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// TCP port of the API (wire-protocol §3.1).
pub const API_PORT: u16 = 8092;
/// TCP port of the HTTP file server (wire-protocol §3.1).
pub const STATIC_PORT: u16 = 8091;
/// TCP port of the HTTPS file server (wire-protocol §3.1).
pub(crate) const SECURE_STATIC_PORT: u16 = 8090;
/// Events a slow listener may fall behind when nothing else is said.
pub const EVENT_QUEUE: usize = 8192;
/// Megabytes of audit log when nothing else is said.
pub const AUDIT_SIZE: u64 = 64;
/// Events kept for listeners that come back when nothing else is said.
pub(crate) const EVENT_HISTORY: usize = 10_000;
/// Where everything lives when nothing else is said.
pub const BASE_ROOT: &str = "/var/lib/drp";
/// The settings file that is read when none is named; it may be absent.
pub const SETTINGS_FILE: &str = "/etc/drp/drp.toml";

/// One setting as operators see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key {
    /// Name in the settings file and, with two dashes before it, on the command line.
    pub name: &'static str,
    /// What it does, one line.
    pub help: &'static str,
}

/// Every setting, in the order in which help and `drp config show` list them.
pub const KEYS: &[Key] = &[
    Key { name: "base-root", help: "Directory of everything the daemon keeps" },
    Key { name: "bind", help: "IP address the API and the file server listen on" },
    Key { name: "api-port", help: "TCP port of the HTTPS API; 0 takes a free one" },
    Key { name: "static-port", help: "TCP port of the HTTP file server; 0 takes a free one" },
    Key { name: "secure-static-port", help: "TCP port of the HTTPS file server; 0 takes a free one" },
    Key { name: "static-ip", help: "IP address told to plugins and machines, and named in the certificate" },
    Key { name: "plugin-root", help: "Directory of plugin executables (default <base-root>/plugins)" },
    Key {
        name: "plugin-comm-root",
        help: "Directory of plugin sockets; keep it short (default <base-root>/run)",
    },
    Key {
        name: "extension-root",
        help: "Directory of registered extensions (default <base-root>/extensions)",
    },
    Key {
        name: "extension-programs",
        help: "Directory of the programs that run extensions: nushell, cluster, taskserv (default beside drp)",
    },
    Key { name: "nu", help: "The program `nu` for extensions in Nushell (default on PATH)" },
    Key { name: "file-root", help: "Directory of the file server (default <base-root>)" },
    Key { name: "socket", help: "Local socket of the command line (default <base-root>/drp.sock)" },
    Key { name: "drp-id", help: "Id of this endpoint (default made once and kept)" },
    Key { name: "backend", help: "Store: a path, or memory:/// (default <base-root>/drp.db)" },
    Key {
        name: "default-content",
        help: "File or directory of content that everything else may hide, read at start (layer DefaultStore)",
    },
    Key {
        name: "local-content",
        help: "File or directory of content that stands above what is uploaded, read at start (layer LocalStore)",
    },
    Key { name: "tls-cert", help: "PEM file of the API certificate (default made at first start)" },
    Key { name: "tls-key", help: "PEM file of its private key" },
    Key { name: "well-known-password", help: "Make the first account with the published default password" },
    Key { name: "event-queue", help: "Events a slow listener may fall behind before it loses the oldest" },
    Key {
        name: "metrics",
        help: "Address of metrics without credentials, such as 127.0.0.1:8080 (default none)",
    },
    Key {
        name: "login-failures",
        help: "Wrong passwords a minute of one user from one address; 0 does not count them",
    },
    Key {
        name: "login-failures-source",
        help: "Wrong passwords a minute from one address, whatever the user",
    },
    Key {
        name: "login-failures-user",
        help: "Wrong passwords a minute of one user; beyond it each address has one try",
    },
    Key { name: "audit-size", help: "Megabytes of audit log that are kept; 0 keeps none" },
    Key { name: "event-history", help: "Events kept for listeners that come back" },
    Key { name: "log-level", help: "trace, debug, info, warn or error, or a tracing filter" },
    Key { name: "log-format", help: "text or json" },
];

/// Values given on the command line, by the names of [`KEYS`]; they win over everything.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    values: Vec<(&'static str, String)>,
    file: Option<PathBuf>,
}

impl Overrides {
    /// Sets one value; a name outside [`KEYS`] is reported by [`Settings::load`].
    #[must_use]
    pub fn set(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.values.push((name, value.into()));
        self
    }

    /// Sets one value when there is one.
    #[must_use]
    pub fn set_if(self, name: &'static str, value: Option<impl Into<String>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// Names the settings file; it must then exist.
    #[must_use]
    pub fn settings_file(mut self, path: Option<PathBuf>) -> Self {
        self.file = path;
        self
    }
}

/// Everything the daemon was told, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Directory of everything the daemon keeps.
    pub base_root: PathBuf,
    /// Address the API and the file server listen on.
    pub bind: IpAddr,
    /// TCP port of the API; 0 takes a free one.
    pub api_port: u16,
    /// TCP port of the file server; 0 takes a free one.
    pub static_port: u16,
    /// TCP port of the HTTPS file server; 0 takes a free one.
    pub secure_static_port: u16,
    /// Address told to plugins and machines; `None` means 127.0.0.1 for plugins.
    pub static_ip: Option<IpAddr>,
    /// Directory of plugin executables.
    pub plugin_root: PathBuf,
    /// Directory of plugin sockets.
    pub plugin_comm_root: PathBuf,
    /// Directory of registered extensions.
    pub extension_root: PathBuf,
    /// Directory of the programs that run extensions, when they are not beside this one.
    pub extension_programs: Option<PathBuf>,
    /// The program `nu`; else it is looked for on `PATH`.
    pub nu: Option<PathBuf>,
    /// Directory of the file server; holds `files/` and `isos/`.
    pub file_root: PathBuf,
    /// Path of the local socket.
    pub socket: PathBuf,
    /// Id of this endpoint; empty means made once and kept.
    pub drp_id: String,
    /// Where objects are stored.
    pub backend: Backend,
    /// Bundle of the layer `DefaultStore`.
    pub default_content: Option<PathBuf>,
    /// Bundle of the layer `LocalStore`.
    pub local_content: Option<PathBuf>,
    /// Certificate and key given by the operator.
    pub tls: Option<TlsFiles>,
    /// Make the first account with the published default password.
    pub well_known_password: bool,
    /// Events a slow listener may fall behind before it loses the oldest.
    pub event_queue: usize,
    /// Where metrics are served without credentials, over HTTP.
    pub metrics: Option<SocketAddr>,
    /// How many wrong passwords are let pass.
    pub login_limits: LoginLimits,
    /// Megabytes of audit log that are kept.
    pub audit_size: u64,
    /// Events kept for listeners that come back.
    pub event_history: usize,
    /// Filter of the daemon's own log.
    pub log_level: String,
    /// Shape of the daemon's own log.
    pub log_format: LogFormat,
}

/// Where objects are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Backend {
    /// In memory only; gone when the daemon stops.
    Memory,
    /// In a database file.
    File(PathBuf),
}

/// A certificate and its key as files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// PEM file with the certificate, its chain after it.
    pub cert: PathBuf,
    /// PEM file with the private key.
    pub key: PathBuf,
}

/// Shape of the daemon's own log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// One line a record, for people.
    Text,
    /// One JSON object a record.
    Json,
}

/// One effective value and who set it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name as in [`KEYS`].
    pub name: &'static str,
    /// The value as text.
    pub value: String,
    /// `default`, `file PATH`, `environment NAME`, or `flag --NAME`.
    pub origin: String,
}

/// Settings with the origin of every value.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The checked values.
    pub settings: Settings,
    /// Every value with its origin, in the order of [`KEYS`].
    pub origins: Vec<Origin>,
}

/// Everything that is wrong with the settings, one text each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsError {
    /// Each names the setting, its origin, the bad value and what is accepted.
    pub problems: Vec<String>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.problems.as_slice() {
            [one] => f.write_str(one),
            many => {
                write!(f, "{} settings are wrong:", many.len())?;
                many.iter().try_for_each(|p| write!(f, "\n  {p}"))
            }
        }
    }
}

impl std::error::Error for SettingsError {}

impl Settings {
    /// Reads the settings file and the environment, and lays the overrides over them.
    ///
    /// # Errors
    /// Everything that is wrong, at once: values that do not parse, unknown names, an unreadable or broken file.
    pub fn load(overrides: &Overrides) -> Result<Loaded, SettingsError> {
        let mut problems = Vec::new();
        let file = settings_file(overrides, &mut problems);
        let mut figment = Figment::new();
        if let Some(path) = &file {
            figment = figment.merge(Toml::file_exact(path));
        }
        figment = figment.merge(environment("RS_")).merge(environment("DRP_"));
        let mut flags = Dict::new();
        for (name, value) in &overrides.values {
            flags.insert((*name).to_owned(), Value::from(value.clone()));
            if !KEYS.iter().any(|key| key.name == *name) {
                problems.push(format!("--{name}: no such setting"));
            }
        }
        figment = figment.merge(Serialized::defaults(flags));
        if let Some(path) = &file {
            check_file(path, &mut problems);
        }
        let mut reader = Reader { figment, problems, origins: Vec::new() };
        let settings = reader.read();
        if reader.problems.is_empty() {
            return Ok(Loaded { settings, origins: reader.origins });
        }
        Err(SettingsError { problems: reader.problems })
    }
}

/// The file to read: the named one (which must exist), `DRP_SETTINGS`, or the usual one when it is there.
fn settings_file(overrides: &Overrides, problems: &mut Vec<String>) -> Option<PathBuf> {
    let named = overrides.file.clone().or_else(|| std::env::var_os("DRP_SETTINGS").map(PathBuf::from));
    match named {
        Some(path) if path.is_file() => Some(path),
        Some(path) => {
            problems.push(format!(
                "settings file {}: not found or not a file; create it or leave out --settings",
                path.display()
            ));
            None
        }
        None => Some(PathBuf::from(SETTINGS_FILE)).filter(|path| path.is_file()),
    }
}

/// The variables of one prefix that name settings; other variables of the same prefix are none of our business.
fn environment(prefix: &'static str) -> Env {
    Env::prefixed(prefix)
        .filter(|name| {
            KEYS.iter().any(|key| name.as_str().to_ascii_lowercase().replace('_', "-") == key.name)
        })
        .map(|name| name.as_str().to_ascii_lowercase().replace('_', "-").into())
}

/// A broken file and unknown names in it are reported on their own, so that the other sources are still checked.
fn check_file(path: &Path, problems: &mut Vec<String>) {
    match Figment::from(Toml::file_exact(path)).extract::<Dict>() {
        Err(error) => problems
            .extend(error.into_iter().map(|e| format!("settings file {}: {}", path.display(), e.kind))),
        Ok(dict) => {
            for name in dict.keys().filter(|name| !KEYS.iter().any(|key| key.name == name.as_str())) {
                let known: Vec<&str> = KEYS.iter().map(|key| key.name).collect();
                problems.push(format!(
                    "settings file {}: no setting is called {name:?}; known are {}",
                    path.display(),
                    known.join(", ")
                ));
            }
        }
    }
}

/// Reads value after value and collects what is wrong.
struct Reader {
    figment: Figment,
    problems: Vec<String>,
    origins: Vec<Origin>,
}

impl Reader {
    fn read(&mut self) -> Settings {
        let base_root = self.path("base-root", Path::new(BASE_ROOT));
        let under = |name: &str| base_root.join(name);
        let bind = self.parsed("bind", IpAddr::from([0, 0, 0, 0]), "an IP address");
        let api_port = self.parsed("api-port", API_PORT, "a port number from 0 to 65535");
        let static_port = self.parsed("static-port", STATIC_PORT, "a port number from 0 to 65535");
        let secure_static_port =
            self.parsed("secure-static-port", SECURE_STATIC_PORT, "a port number from 0 to 65535");
        let static_ip = self.optional("static-ip", "an IP address");
        let plugin_root = self.path("plugin-root", &under("plugins"));
        let plugin_comm_root = self.path("plugin-comm-root", &under("run"));
        let extension_root = self.path("extension-root", &under("extensions"));
        let extension_programs = self.optional_path("extension-programs");
        let nu = self.optional_path("nu");
        let file_root = self.path("file-root", &base_root);
        let socket = self.path("socket", &under("drp.sock"));
        let drp_id = self.text("drp-id", "");
        let backend = self.backend(&under("drp.db"));
        let default_content = self.content("default-content");
        let local_content = self.content("local-content");
        let cert = self.text("tls-cert", "");
        let key = self.text("tls-key", "");
        let tls = match (cert.is_empty(), key.is_empty()) {
            (true, true) => None,
            (false, false) => Some(TlsFiles { cert: cert.into(), key: key.into() }),
            (false, true) => {
                self.refuse("tls-key: missing; --tls-cert needs the private key of the certificate")
            }
            (true, false) => self.refuse("tls-cert: missing; --tls-key needs the certificate it belongs to"),
        };
        let well_known_password = self.parsed("well-known-password", false, "true or false");
        let event_queue = self.parsed("event-queue", EVENT_QUEUE, "a number of events");
        if !(16..=1 << 20).contains(&event_queue) {
            self.complain("event-queue", &event_queue.to_string(), "a number of events from 16 to 1048576");
        }
        let metrics = self.optional("metrics", "an address with a port, such as 127.0.0.1:8080");
        let usual = LoginLimits::default();
        let number = "a number of failures a minute";
        let login_limits = LoginLimits {
            pair: self.parsed("login-failures", usual.pair, number),
            source: self.parsed("login-failures-source", usual.source, number),
            user: self.parsed("login-failures-user", usual.user, number),
        };
        let audit_size = self.parsed("audit-size", AUDIT_SIZE, "a number of megabytes");
        let event_history = self.parsed("event-history", EVENT_HISTORY, "a number of events");
        if event_history > 1 << 20 {
            self.complain("event-history", &event_history.to_string(), "a number of events up to 1048576");
        }
        let log_level = self.text("log-level", "info");
        if !is_filter(&log_level) {
            let wanted = "trace, debug, info, warn, error, or a tracing filter as in info,drp_server=debug";
            self.complain("log-level", &log_level, wanted);
        }
        let log_format = match self.text("log-format", "text").as_str() {
            "text" => LogFormat::Text,
            "json" => LogFormat::Json,
            other => {
                self.problems.push(format!("log-format: {other:?} is not text or json"));
                LogFormat::Text
            }
        };
        let ports = [
            ("api-port", api_port),
            ("static-port", static_port),
            ("secure-static-port", secure_static_port),
        ];
        for (at, (name, port)) in ports.into_iter().enumerate().filter(|(_, (_, port))| *port != 0) {
            if let Some((other, _)) = ports[..at].iter().find(|(_, taken)| *taken == port) {
                self.problems.push(format!("{name}: {port} is the {other} too; give them different ones"));
            }
        }
        Settings {
            base_root,
            bind,
            api_port,
            static_port,
            secure_static_port,
            static_ip,
            plugin_root,
            plugin_comm_root,
            extension_root,
            extension_programs,
            nu,
            file_root,
            socket,
            drp_id,
            backend,
            tls,
            well_known_password,
            event_queue,
            default_content,
            local_content,
            metrics,
            login_limits,
            audit_size,
            event_history,
            log_level,
            log_format,
        }
    }

    fn refuse<T>(&mut self, problem: &str) -> Option<T> {
        self.problems.push(problem.to_owned());
        None
    }

    /// The value as text, with its origin noted. `name` is one of [`KEYS`].
    fn text(&mut self, name: &'static str, default: &str) -> String {
        let (value, origin) = match self.figment.find_value(name) {
            Err(_) => (default.to_owned(), "default".to_owned()),
            Ok(value) => {
                let origin = self.origin(name, &value);
                match plain(&value) {
                    Some(text) => (text, origin),
                    None => {
                        self.problems
                            .push(format!("{name} ({origin}): a list or table where one value belongs"));
                        (default.to_owned(), origin)
                    }
                }
            }
        };
        self.origins.push(Origin { name, value: value.clone(), origin });
        value
    }

    fn origin(&self, name: &str, value: &Value) -> String {
        let Some(metadata) = self.figment.get_metadata(value.tag()) else { return format!("flag --{name}") };
        if let Some(Source::File(path)) = &metadata.source {
            return format!("file {}", path.display());
        }
        let variable = name.to_ascii_uppercase().replace('-', "_");
        match metadata.name.as_ref() {
            text if text.contains("DRP_") => format!("environment DRP_{variable}"),
            text if text.contains("RS_") => format!("environment RS_{variable}"),
            _ => format!("flag --{name}"),
        }
    }

    /// The value parsed; a bad one is reported and the default stands in so that reading goes on.
    fn parsed<T: std::str::FromStr + fmt::Display>(
        &mut self,
        name: &'static str,
        default: T,
        wanted: &str,
    ) -> T {
        let text = self.text(name, &default.to_string());
        text.trim().parse().unwrap_or_else(|_| {
            self.complain(name, &text, wanted);
            default
        })
    }

    fn optional<T: std::str::FromStr>(&mut self, name: &'static str, wanted: &str) -> Option<T> {
        let text = self.text(name, "");
        if text.is_empty() {
            return None;
        }
        let parsed = text.trim().parse().ok();
        if parsed.is_none() {
            self.complain(name, &text, wanted);
        }
        parsed
    }

    fn complain(&mut self, name: &str, text: &str, wanted: &str) {
        let origin = self.origins.iter().rfind(|o| o.name == name).map_or("default", |o| o.origin.as_str());
        self.problems.push(format!("{name} ({origin}): {text:?} is not {wanted}"));
    }

    fn path(&mut self, name: &'static str, default: &Path) -> PathBuf {
        let text = self.text(name, &default.display().to_string());
        let path = PathBuf::from(&text);
        if path.is_absolute() {
            return path;
        }
        if text.is_empty() {
            self.complain(name, &text, "a path");
            return default.to_owned();
        }
        std::path::absolute(&path).unwrap_or(path)
    }

    fn optional_path(&mut self, name: &'static str) -> Option<PathBuf> {
        let text = self.text(name, "");
        (!text.is_empty()).then(|| std::path::absolute(&text).unwrap_or_else(|_| text.into()))
    }

    fn content(&mut self, name: &'static str) -> Option<PathBuf> {
        let text = self.text(name, "");
        if text.is_empty() {
            return None;
        }
        let path = crate::content_files::path_of(&text);
        if path.is_none() {
            self.complain(name, &text, "a path, file://PATH or directory://PATH");
        }
        path
    }

    fn backend(&mut self, default: &Path) -> Backend {
        let text = self.text("backend", &default.display().to_string());
        if matches!(text.as_str(), "memory:///" | "memory://" | "memory:") {
            return Backend::Memory;
        }
        let path = text.strip_prefix("file://").unwrap_or(&text);
        if path.is_empty() || path.contains("://") {
            self.complain("backend", &text, "a path or memory:///");
            return Backend::Memory;
        }
        Backend::File(std::path::absolute(path).unwrap_or_else(|_| path.into()))
    }
}

/// Whether the text filters a log. A bare word that is no level would be taken for a target and silence the rest.
fn is_filter(text: &str) -> bool {
    let level = |word: &str| word.parse::<tracing_subscriber::filter::LevelFilter>().is_ok();
    let bare = |part: &&str| !part.contains('=');
    text.parse::<tracing_subscriber::EnvFilter>().is_ok()
        && (text.contains('[') || text.split(',').map(str::trim).filter(bare).all(level))
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(_, text) => Some(text.clone()),
        Value::Char(_, c) => Some(c.to_string()),
        Value::Bool(_, b) => Some(b.to_string()),
        Value::Num(_, n) => n
            .to_i128()
            .map(|n| n.to_string())
            .or_else(|| n.to_u128().map(|n| n.to_string()))
            .or_else(|| n.to_f64().map(|n| n.to_string())),
        Value::Empty(..) => Some(String::new()),
        Value::Dict(..) | Value::Array(..) => None,
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
