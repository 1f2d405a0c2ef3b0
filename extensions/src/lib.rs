//! Extensions: providers, task services and clusters that run on the plugin host.
//!
//! A registered extension becomes a plugin provider: the daemon writes a [`launcher`] into its plugin directory, an
//! executable that hands over to whatever hosts the extension (its own plugin program, the Nushell plugin, the cluster
//! engine). This crate launches nothing itself; what has to run a program goes through [`Hosting`].

pub mod archive;
pub mod discovery;
mod hosting;
mod identity;
pub mod launcher;
pub mod modules;

pub use hosting::{Hosting, HostingError};
pub use identity::{Identity, is_name, module_name, same_name};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
