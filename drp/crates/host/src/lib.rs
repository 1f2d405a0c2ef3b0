//! Launches plugin executables and talks to them (wire-protocol §1).
//!
//! A [`Host`] keeps a catalogue of providers (executables in a plugin directory) and runs the instances
//! the daemon names. It knows nothing of the API and the store: what it needs from the daemon and what it
//! tells it goes through [`Backend`].

mod backend;
mod config;
mod error;
mod host;
mod status;

pub use backend::{Backend, InstanceChange, InstanceState, Provider, ProviderChange, Removal};
pub use config::{HostConfig, Limits};
pub use error::{Fault, HostError};
pub use host::{Host, Problem, RegisteredAction};
pub use status::InstanceStatus;
