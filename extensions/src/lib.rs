//! Extensions: providers, task services and clusters that run on the plugin host.
//!
//! A registered extension becomes a plugin provider: the daemon writes a [`launcher`] into its plugin directory, an
//! executable that hands over to whatever hosts the extension (its own plugin program, the Nushell plugin, the cluster
//! engine). This crate launches nothing itself; what has to run a program goes through [`Hosting`].

pub mod archive;
pub mod conformance;
pub mod discovery;
mod error;
mod extension;
mod hosting;
mod identity;
pub mod launcher;
mod lines;
pub mod manifest;
pub mod modules;
mod name;
pub mod packs;
mod problem;
mod registry;
pub mod scaffold;
mod schemas;
mod toml;
mod tree;
mod validate;
mod version;

pub use error::ExtensionError;
pub use extension::Extension;
pub use hosting::{Hosting, HostingError, TestOutcome};
pub use identity::{Identity, is_name, module_name, same_name};
pub use manifest::{Manifest, Module};
pub use name::{LONGEST_NAME, Name, NameError};
pub use problem::{Problem, Rule, Validation};
pub use registry::{Registered, Registry, RegistryError};
pub use schemas::SettingsContract;
pub use toml::toml_as_json;
pub use tree::Tree;
pub use validate::{HostVersions, Known, NICKEL_VERSION, PROVISIONING_VERSION, Surroundings, validate};
pub use version::{VersionError, VersionRange, parse_version};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
