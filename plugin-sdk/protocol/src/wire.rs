//! Paths and words of the plugin protocol (wire-protocol §1).

/// Daemon to plugin: configure.
pub const CONFIG: &str = "/api-plugin/v4/config";
/// Daemon to plugin: run an action.
pub const ACTION: &str = "/api-plugin/v4/action";
/// Daemon to plugin: an event happened.
pub const PUBLISH: &str = "/api-plugin/v4/publish";
/// Daemon to plugin: stop.
pub const STOP: &str = "/api-plugin/v4/stop";

/// Plugin to daemon: prefix of all paths, as the Go wrapper's code has it.
pub const SERVER_PREFIX: &str = "/api-server-plugin/v4";
/// Plugin to daemon: prefix as the Go wrapper's documentation has it.
pub const SERVER_PREFIX_DOCUMENTED: &str = "/api-plugin-server/v4";

/// The line a plugin prints when it listens.
pub const READY: &str = "READY!";
/// The line a plugin prints when it cannot listen.
pub const FAILED: &str = "Failed";

/// Request header: log level for this request.
pub const LOG_REQUEST: &str = "X-Log-Request";
/// Request header: text that ties the log lines of a request together.
pub const LOG_TOKEN: &str = "X-Log-Token";
/// Header of requests and answers: names an API request. It goes with `/action` to the plugin and comes back in the
/// field `request` of the `Data` of log lines.
pub const REQUEST_ID: &str = "X-Request-Id";
/// Longest request id in bytes.
pub const REQUEST_ID_MAX: usize = 128;

/// Whether a text names a request: 1 to [`REQUEST_ID_MAX`] letters, digits and `. _ : / + = @ -`, which neither logs nor
/// headers nor shells take for something else.
#[must_use]
pub fn is_request_id(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._:/+=@-".contains(&byte);
    (1..=REQUEST_ID_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Environment: `https://<ip>:<port>` of the API.
pub const ENV_ENDPOINT: &str = "RS_ENDPOINT";
/// Environment: bearer token of the plugin.
pub const ENV_TOKEN: &str = "RS_TOKEN";
/// Environment: `http://<ip>:<port>` of the file server.
pub const ENV_FILESERVER: &str = "RS_FILESERVER";
/// Environment: file-system path of the file server's root.
pub const ENV_WEBROOT: &str = "RS_WEBROOT";
/// Environment of a program that a plugin started and left on purpose, such as a virtual machine: with the value `1` it goes on
/// when plugin and daemon end. It has to be in a session of its own and must not have [`ENV_TOKEN`].
pub const ENV_STAYS: &str = "DRP_STAYS";
/// Value of [`ENV_TOKEN`] that asks `define` for the static definition without API access.
pub const TOKEN_CATALOG: &str = "catalog";
/// Value of [`ENV_TOKEN`] that says that there is no daemon behind the host: one action of a plugin is tried out.
pub const TOKEN_NO_DAEMON: &str = "no-daemon";

/// Longest path of a UNIX socket in bytes, without the final NUL (`unix(7)`).
pub const SOCKET_PATH_MAX: usize = 107;
