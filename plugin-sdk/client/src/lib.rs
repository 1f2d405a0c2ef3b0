//! Typed async client of the drp API (wire-protocol §3 to §6).
//!
//! It speaks HTTPS to an endpoint or plain HTTP to the daemon's local UNIX socket, with the same calls.
//! Connection errors are retried a bounded number of times, everything has a deadline, and an error says
//! whose fault it is. Proxies from the environment are ignored for loopback addresses and the socket.
//!
//! ```no_run
//! use drp_client::{Client, Query};
//! use drp_protocol::Machine;
//!
//! # async fn demo() -> Result<(), drp_client::ClientError> {
//! let client = Client::builder().socket("/var/lib/drp/drp.sock").build()?;
//! let machines = client.list::<Machine>("machines", &Query::new().eq("Runnable", "true")).await?;
//! for machine in machines.items {
//!     println!("{} {}", machine.uuid, machine.name);
//! }
//! # Ok(())
//! # }
//! ```

mod actions;
mod builder;
mod credentials;
mod error;
#[cfg(feature = "events")]
mod events;
mod files;
mod objects;
mod params;
mod patch;
mod path;
mod providers;
mod query;
#[cfg(feature = "seal")]
mod seal;
mod stream;
mod system;
mod tls;
mod transport;
mod users;
#[cfg(feature = "events")]
mod websocket;

pub use builder::{Builder, RETRY_WAITS};
pub use credentials::Credentials;
pub use error::{ClientError, Fault};
#[cfg(feature = "events")]
pub use events::{EventStream, Incoming};
pub use objects::{Counts, List, Poll};
pub use params::ParamQuery;
pub use patch::{Patch, PatchOp};
pub use path::path;
pub use providers::Download;
pub use query::Query;
#[cfg(feature = "seal")]
pub use seal::seal;
pub use stream::{Resumable, ResumableEvents};
pub use tls::Trust;
pub use transport::Client;
pub use users::TokenQuery;
