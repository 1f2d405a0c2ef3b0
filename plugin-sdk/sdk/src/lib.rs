//! What a plugin author compiles: declare what the plugin offers, write async hooks, call
//! [`Definition::run`]. Sub-commands, sockets, logging, stop and crash handling of the plugin protocol
//! (wire-protocol §1, §7) are done here.
//!
//! ```no_run
//! use drp_plugin_sdk::{Action, Actor, Command, Context, Definition, Error, Plugin, Value, json};
//!
//! struct Lamp;
//!
//! impl Plugin for Lamp {}
//!
//! impl Actor for Lamp {
//!     async fn action(&self, _: &Context, action: Action) -> Result<Value, Error> {
//!         Ok(json!(format!("{} on {}", action.command, action.plugin)))
//!     }
//! }
//!
//! fn main() -> std::process::ExitCode {
//!     Definition::new("lamp", env!("CARGO_PKG_VERSION")).action(Command::on("machines", "blink")).run(Lamp)
//! }
//! ```
//!
//! Capabilities are traits, so that wrong combinations do not compile: [`Definition::action`] wants an
//! [`Actor`], [`Definition::all_events`] a [`Publisher`], [`Definition::selected_events`] a [`Selector`]
//! (which is a [`Publisher`]), and only one of the last two can be called.
//!
//! Actions without an action hook:
//! ```compile_fail,E0277
//! # use drp_plugin_sdk::{Command, Definition, Plugin};
//! struct Mute;
//! impl Plugin for Mute {}
//! let definition: Definition<Mute> = Definition::new("mute", "1.0.0").action(Command::system("speak"));
//! ```
//! All events and selected events together (wire-protocol §1.7 makes it a config error; here it has no type):
//! ```compile_fail,E0599
//! # use drp_plugin_sdk::{Context, Definition, Error, Event, Params, Plugin, Publisher, Selector};
//! struct Both;
//! impl Plugin for Both {}
//! impl Publisher for Both {
//!     async fn publish(&self, _: &Context, _: Event) -> Result<(), Error> { Ok(()) }
//! }
//! impl Selector for Both {
//!     async fn select_events(&self, _: &Context) -> Vec<String> { vec![] }
//! }
//! Definition::<Both>::new("both", "1.0.0").all_events().selected_events();
//! ```
//! A selector without a publish hook:
//! ```compile_fail,E0277
//! # use drp_plugin_sdk::{Context, Plugin, Selector};
//! struct Deaf;
//! impl Plugin for Deaf {}
//! impl Selector for Deaf {
//!     async fn select_events(&self, _: &Context) -> Vec<String> { vec![] }
//! }
//! ```

mod action;
mod cli;
mod command;
mod context;
mod definition;
mod depth;
mod endpoint;
mod error;
#[cfg(feature = "client")]
mod events;
mod host_link;
mod kernel;
mod listen;
mod log;
mod operations;
mod param;
mod params;
mod plugin;
mod scope;

pub use action::Action;
pub use command::Command;
pub use context::Context;
pub use definition::{AllEvents, Definition, NoEvents, SelectedEvents};
pub use error::SdkError;
pub use operations::{Operation, Operations};
pub use param::{Param, SecretText};
pub use params::Params;
#[cfg(feature = "client")]
pub use plugin::Selector;
pub use plugin::{Actor, Plugin, Publisher};

pub use axum;
#[cfg(feature = "client")]
pub use drp_client as client;
pub use drp_protocol as protocol;
pub use drp_protocol::{BundleMeta, Error, Event, Machine, PluginProvider, Secret};
/// The derive of [`JsonSchema`] wants this name in scope.
pub use schemars;
pub use schemars::JsonSchema;
pub use serde_json::{Value, json};
pub use tokio_util::sync::CancellationToken;
pub use tracing;

/// The content bundle that the package's build script made from its `content/` directory with
/// `drp_content::build::bundle()`, as text for [`Definition::content`].
#[macro_export]
macro_rules! content {
    () => {
        include_str!(concat!(env!("OUT_DIR"), "/drp-content.json"))
    };
}
