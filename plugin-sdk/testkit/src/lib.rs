//! Tests for both ends of the plugin protocol (wire-protocol §1).
//!
//! * [`FakeDaemon`] drives a plugin executable the way a daemon does and records what comes back: define, unpack,
//!   listen, config, actions, events, stop, log lines, and an HTTPS API with params and a WebSocket.
//! * [`check_define`] keeps what `define` prints as a golden file, [`check_page`] keeps the tables of a documentation page true to `define`.
//! * [`Script`] is a plugin that does exactly what a test tells it, faults included, for tests of hosts.
//!
//! ```no_run
//! # async fn demo() -> Result<(), drp_plugin_testkit::TestkitError> {
//! use drp_plugin_testkit::{Example, FakeDaemon};
//! use serde_json::json;
//!
//! let daemon = FakeDaemon::start().await?;
//! let mut echo = daemon.launch("target/debug/echo", "echo-1").await?;
//! echo.config(json!({"echo/greeting": "hi"})).await?.success()?;
//! Example::system("echogreeting").gives("hi").run(&echo).await?;
//! assert!(echo.stop().await?.success());
//! # Ok(())
//! # }
//! ```

mod answer;
mod api;
mod daemon;
mod error;
mod example;
mod golden;
mod kernel;
mod page;
mod plugin;
mod recorder;
mod script;
mod script_run;
mod this_binary;
mod verbs;

pub use answer::Answer;
pub use api::FakeApi;
pub use daemon::FakeDaemon;
pub use error::TestkitError;
pub use example::Example;
pub use golden::check_define;
pub use page::check_page;
pub use plugin::RunningPlugin;
pub use script::{Installed, Reply, Script, Start, Step};
pub use script_run::run_if_scripted;
pub use this_binary::{install_this_binary, plugin_arguments};
pub use verbs::{Output, define, run, unpack};
