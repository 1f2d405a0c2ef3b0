//! A simulated BMC: the server half of the codec in `drp-ipmi` and a Redfish service, with sessions, one chassis behind
//! both, and faults on demand.
//!
//! ```no_run
//! # async fn demo() -> Result<(), drp_bmc_sim::SimError> {
//! use drp_bmc_sim::{BmcConfig, Effect, On, Rule, Simulator};
//!
//! let bmc = Simulator::start(BmcConfig::new("admin", "secret".to_owned())).await?;
//! bmc.set_faults([Rule::new(On::Command(0, 2), Effect::LoseReply).times(1)]);
//! // … talk to bmc.address(), then:
//! assert_eq!(bmc.counts().resets, 1);
//! # Ok(())
//! # }
//! ```
//!
//! It answers as the IPMI 2.0 specification says a BMC should, and is strict where real ones are: it does not remember
//! request sequence numbers, so a command that is sent twice is carried out twice.

mod chassis;
mod config;
mod control;
mod engine;
mod fault;
mod log;
mod login;
pub mod redfish;
mod scenario;
mod server;
mod sessions;
mod shelf;
mod shelf_records;

pub use chassis::PowerEvent;
pub use config::{BmcConfig, RedfishConfig, User};
pub use control::{Control, ControlAddress};
pub use fault::{Effect, On, Rule};
pub use log::{Counts, LogEntry};
pub use redfish::{Identity, Op, Profile};
pub use scenario::{Scenario, Settings};
pub use server::{SimEvent, Simulator};
pub use shelf::Shelf;

/// What can go wrong with a simulator itself.
#[derive(Debug, thiserror::Error)]
pub enum SimError {
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}; choose a free port, or port 0 for any")]
    Listen {
        /// The address.
        address: String,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A setting that makes no sense.
    #[error("{0}")]
    Setting(String),
}
