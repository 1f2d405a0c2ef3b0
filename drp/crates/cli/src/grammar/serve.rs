//! Flags of `drp serve`. Their names are those of the settings file; values are checked where the settings are.

use clap::{Args, ValueHint};
use std::path::PathBuf;

/// What the daemon is told on the command line, by the names of the settings.
#[derive(Debug, Clone, Default)]
pub struct Flags {
    /// Name and value of each setting that was given.
    pub values: Vec<(&'static str, String)>,
    /// The settings file that was named.
    pub settings_file: Option<PathBuf>,
}

macro_rules! serve_args {
    ($($(#[$meta:meta])* $field:ident = $name:literal),* $(,)?) => {
        /// Flags of `drp serve`; each is also a key of the settings file and a variable `DRP_<NAME>`.
        #[derive(Debug, Clone, Default, Args)]
        #[command(next_help_heading = "Settings")]
        pub(crate) struct ServeArgs {
            /// Settings file (TOML) [default: /etc/drp/drp.toml when it is there]; also DRP_SETTINGS
            #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
            pub(crate) settings: Option<PathBuf>,
            $($(#[$meta])* #[arg(long = $name)] pub(crate) $field: Option<String>,)*
            /// Make the first account with the published default password
            #[arg(long, num_args = 0..=1, default_missing_value = "true", require_equals = true, value_name = "BOOL")]
            pub(crate) well_known_password: Option<String>,
        }

        impl ServeArgs {
            /// The settings that were given.
            pub(crate) fn flags(&self) -> Flags {
                let mut values = Vec::new();
                $(if let Some(value) = &self.$field { values.push(($name, value.clone())); })*
                if let Some(value) = &self.well_known_password {
                    values.push(("well-known-password", value.clone()));
                }
                Flags { values, settings_file: self.settings.clone() }
            }
        }
    };
}

serve_args! {
    /// IP address the API and the file server listen on
    #[arg(value_name = "IP")]
    bind = "bind",
    /// TCP port of the HTTPS API; 0 takes a free one
    #[arg(value_name = "PORT")]
    api_port = "api-port",
    /// TCP port of the HTTP file server; 0 takes a free one
    #[arg(value_name = "PORT")]
    static_port = "static-port",
    /// TCP port of the HTTPS file server; 0 takes a free one
    #[arg(value_name = "PORT")]
    secure_static_port = "secure-static-port",
    /// IP address told to plugins and machines, and named in the certificate
    #[arg(value_name = "IP")]
    static_ip = "static-ip",
    /// Directory of plugin executables [default: <base-root>/plugins]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    plugin_root = "plugin-root",
    /// Directory of plugin sockets; keep it short [default: <base-root>/run]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    plugin_comm_root = "plugin-comm-root",
    /// Directory of registered extensions [default: <base-root>/extensions]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    extension_root = "extension-root",
    /// Directory of the programs that run extensions: nushell, cluster, taskserv [default: beside drp]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    extension_programs = "extension-programs",
    /// The program `nu` for extensions in Nushell [default: on PATH]
    #[arg(value_name = "PATH", value_hint = ValueHint::ExecutablePath)]
    nu = "nu",
    /// Directory of the file server [default: <base-root>]
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    file_root = "file-root",
    /// Id of this endpoint [default: made once and kept]
    #[arg(value_name = "ID")]
    drp_id = "drp-id",
    /// Store: a path, or memory:/// [default: <base-root>/drp.db]
    #[arg(value_name = "STORE")]
    backend = "backend",
    /// File or directory of content that everything else may hide, read at start
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    default_content = "default-content",
    /// File or directory of content that stands above what is uploaded, read at start
    #[arg(value_name = "PATH", value_hint = ValueHint::AnyPath)]
    local_content = "local-content",
    /// PEM file of the API certificate [default: made at first start]
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_cert = "tls-cert",
    /// PEM file of its private key
    #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_key = "tls-key",
    /// Events a slow listener may fall behind before it loses the oldest [default: 8192]
    #[arg(value_name = "NUMBER")]
    event_queue = "event-queue",
    /// Address of metrics without credentials, such as 127.0.0.1:8080 [default: none]
    #[arg(value_name = "ADDRESS")]
    metrics = "metrics",
    /// Wrong passwords a minute of one user from one address; 0 does not count them [default: 10]
    #[arg(value_name = "NUMBER")]
    login_failures = "login-failures",
    /// Wrong passwords a minute from one address, whatever the user [default: 30]
    #[arg(value_name = "NUMBER")]
    login_failures_source = "login-failures-source",
    /// Wrong passwords a minute of one user; beyond it each address has one try [default: 100]
    #[arg(value_name = "NUMBER")]
    login_failures_user = "login-failures-user",
    /// Megabytes of audit log that are kept; 0 keeps none [default: 64]
    #[arg(value_name = "NUMBER")]
    audit_size = "audit-size",
    /// Events kept for listeners that come back [default: 10000]
    #[arg(value_name = "NUMBER")]
    event_history = "event-history",
    /// trace, debug, info, warn or error, or a tracing filter
    #[arg(value_name = "LEVEL")]
    log_level = "log-level",
    /// text or json
    #[arg(value_name = "SHAPE")]
    log_format = "log-format",
}
