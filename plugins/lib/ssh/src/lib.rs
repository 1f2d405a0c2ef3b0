//! Commands and files of another host over one kept SSH connection (RFC 4252, 4254).
//!
//! * [`Ssh::run`] runs one command to its end: with a deadline, bounds on what it may print, text for its standard input;
//!   many may run at once over the one connection.
//! * [`Ssh::upload`] writes a file: beside, whole, with its mode, then renamed into place.
//! * [`Ssh::hold`] keeps a command running that ends with the connection, such as a lock.
//!
//! Only hosts whose key is in the list of [`KnownHosts`] are believed; nothing is learned. A key or password that was refused
//! is not tried again until [`Ssh::unlock`], so that nobody is locked out. Words of a command are quoted ([`quote`]), so that
//! the shell there gives them back as they were. [`SshError::sent`] says whether a command may have been carried out.

mod error;
mod hold;
mod host_keys;
mod key;
mod known_hosts;
mod output;
pub mod quote;
mod run;
mod ssh;
mod target;
mod told;
mod upload;

pub use error::{Kind, SshError};
pub use hold::Held;
pub use key::{KeyError, SshKey};
pub use known_hosts::{KnownHosts, Verdict};
pub use output::{MAX_OUTPUT, Output};
pub use run::Run;
pub use ssh::Ssh;
pub use target::{Login, Names, Target};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
