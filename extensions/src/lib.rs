//! Extensions: providers, task services and clusters that run on the plugin host.
//!
//! A registered extension becomes a plugin provider: the daemon writes a [`launcher`] into its plugin directory, an
//! executable that hands over to whatever hosts the extension (its own plugin program, the Nushell plugin, the cluster
//! engine). This crate launches nothing itself; what has to run a program goes through [`Hosting`].

pub mod archive;
mod hosting;
pub mod launcher;

pub use hosting::{Hosting, HostingError};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
