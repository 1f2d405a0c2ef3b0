//! Launches plugin executables and talks to them (wire-protocol §1).
//!
//! A [`Host`] keeps a catalogue of providers (executables in a plugin directory) and runs the instances
//! the daemon names. It knows nothing of the API and the store: what it needs from the daemon and what it
//! tells it goes through [`Backend`].

mod backend;
mod cache;
mod catalogue;
mod config;
mod core;
mod diagnose;
mod environment;
mod error;
mod forward;
mod from_plugin;
mod host;
mod inbox;
mod instance;
mod kernel;
mod lines;
mod link;
mod once;
mod proc;
mod process;
mod publisher;
mod records;
mod sockets;
mod spawner;
mod standalone;
mod status;

pub use backend::{Backend, InstanceChange, InstanceState, Provider, ProviderChange, Removal};
pub use config::{HostConfig, Limits};
pub use environment::INHERITED;
pub use error::{Fault, HostError};
pub use host::{Host, Problem, RegisteredAction};
pub use standalone::{NoDaemon, PluginRun, define};
pub use status::InstanceStatus;

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
