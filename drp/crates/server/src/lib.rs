//! The daemon: REST API, WebSocket events, TLS, local socket and static files over the object engine
//! (`drp-objects`) and the plugin host (`drp-host`).

mod admin;
mod allocator;
mod app;
mod audit;
mod backend;
mod content_files;
mod controller;
mod daemon;
mod error;
mod explode;
mod extensions;
mod hosting;
mod http;
mod job_logs;
mod life;
mod limits;
mod listen;
mod logging;
mod logins;
mod metrics;
mod openapi;
mod providers;
mod restore;
mod routes;
mod settings;
mod static_files;
mod sums;
mod ws;

pub use error::ServeError;
pub use extensions::template_worker;
pub use hosting::ExtensionHost;
pub use logins::LoginLimits;
pub use restore::restore;
pub use settings::{
    API_PORT, AUDIT_SIZE, BASE_ROOT, Backend, EVENT_QUEUE, KEYS, Key, Loaded, LogFormat, Origin, Overrides,
    SETTINGS_FILE, STATIC_PORT, Settings, SettingsError, TlsFiles,
};

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT, or POST `/api/v3/system/shutdown` over the local
/// socket); builds its own runtime and blocks.
///
/// Once everything is up it prints one line on standard output: `drp ready api <url> files <url> socket <path>`.
/// Its log goes to standard error.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub fn serve(settings: Settings) -> Result<(), ServeError> {
    let _ = rustls::crypto::ring::default_provider().install_default();
    allocator::give_memory_back();
    logging::start(&settings);
    limits::raise_open_files();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| ServeError::System { what: "runtime", error })?;
    let result = runtime.block_on(daemon::run(settings));
    // Requests that were cut off are not waited for.
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    result
}

/// The name of this host, when it has one.
fn hostname() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|n| !n.is_empty())
}
