//! The daemon: REST API, WebSocket events, TLS, local socket and static files over the object engine
//! (`drp-objects`) and the plugin host (`drp-host`).

mod error;
mod listen;
mod settings;

pub use error::ServeError;
pub use settings::{
    API_PORT, BASE_ROOT, Backend, KEYS, Key, Loaded, LogFormat, Origin, Overrides, SETTINGS_FILE,
    STATIC_PORT, Settings, SettingsError, TlsFiles,
};

/// Runs the daemon until it is told to stop (SIGTERM, SIGINT, or `drp stop`); builds its own runtime and blocks.
///
/// # Errors
/// Whatever keeps it from starting, with what to do about it.
pub fn serve(settings: Settings) -> Result<(), ServeError> {
    let _ = settings;
    Ok(())
}

/// The name of this host, when it has one.
fn hostname() -> Option<String> {
    std::fs::read_to_string("/proc/sys/kernel/hostname")
        .ok()
        .map(|name| name.trim().to_owned())
        .filter(|n| !n.is_empty())
}
