//! VirtualBox through its command line, `VBoxManage`, on this host or over SSH (plugins §2.4).
//!
//! [`Vbox`] runs one command: with a deadline, a bound on what it may print, and never through a shell of this host.
//! The typed commands on it ([`Vbox::info`], [`Vbox::start`], …) read the machine-readable forms ([`text`]) and turn
//! refusals into a [`VboxError`] that says whose fault it is and whether the command may have been carried out.
//!
//! ```no_run
//! use drp_vbox::{Place, Vbox};
//!
//! # async fn demo() -> Result<(), drp_vbox::VboxError> {
//! let vbox = Vbox::new(Place::Local);
//! for vm in vbox.list().await? {
//!     println!("{} {}", vm.uuid, vm.name);
//! }
//! # Ok(())
//! # }
//! ```

mod commands;
mod error;
mod kernel;
mod local;
mod machine;
mod output;
mod refusal;
mod ssh;
pub mod text;
mod vbox;

pub use commands::{Boot, Hardware, is_uuid};
pub use drp_ssh::{KnownHosts, Verdict};
pub use error::{Fault, Kind, VboxError};
pub use local::own_user;
pub use machine::{Info, Power};
pub use output::Output;
pub use refusal::refusal;
pub use ssh::{SshKey, SshTarget};
pub use vbox::{Place, Vbox};
