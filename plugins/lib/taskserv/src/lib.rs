//! Task services of data and templates (extensions §2, §12): software that is installed, watched, upgraded and removed on a
//! machine over SSH.
//!
//! What is installed says a version record (`drp/taskserv.ncl`, `TaskservVersion`); what its configuration and its unit look
//! like, Jinja2 templates. [`Taskserv`] makes a plugin with all operations of a task service of that. The program `taskserv`
//! is [`host`] and nothing else, so an extension needs no code; one that does something more has a program of its own:
//!
//! ```no_run
//! use drp_plugin_sdk::protocol::{ExtensionType, HostedExtension};
//! use drp_taskserv::{Taskserv, TaskservError};
//! use serde_json::{from_value, json};
//! use std::process::ExitCode;
//!
//! fn taskserv() -> Result<Taskserv, Box<dyn std::error::Error>> {
//!     let extension: HostedExtension = from_value(json!({
//!         "type": "taskserv", "name": "my-service", "version": "1.0.0", "root": "/usr/share/my-service",
//!         "settings": [{"name": "host"}, {"name": "ssh_key", "secure": true}, {"name": "known_hosts"}],
//!         "taskserv": {
//!             "name": "my-service", "version": "1.2.0",
//!             "source": {"type": "github", "repository": "example/my-service", "checksum_asset": "{asset}.sha256"},
//!             "install": {"binary_name": "my-service", "config_path": "/etc/my-service"},
//!             "health_check": {"type": "tcp", "port": 8080},
//!         },
//!     }))?;
//!     Ok(Taskserv::new(extension)?)
//! }
//!
//! fn main() -> ExitCode {
//!     match taskserv() {
//!         Ok(taskserv) => taskserv.run(std::env::args_os().skip(1)),
//!         Err(_) => ExitCode::FAILURE,
//!     }
//! }
//! ```
//!
//! **At most once.** A command is sent to the machine at most once; only making the connection is tried again. What was there
//! before a change is kept on the machine until the change is done and the service well; when something fails, it is put
//! back. When the connection breaks, the error says which steps were done, and the next install or uninstall first puts back.
//! One change of a service on a machine runs at a time: it holds a lock there that ends with its connection.

mod apply;
mod definition;
mod error;
mod fetch;
mod health;
mod journal;
mod look;
mod machine;
mod plan;
mod record;
mod remove;
mod scripts;
mod settings;
mod state;
mod taskserv;
mod unit;

pub use definition::host;
pub use error::TaskservError;
pub use taskserv::Taskserv;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
