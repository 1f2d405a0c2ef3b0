//! The client: opens a session, sends commands, closes it on every path.

mod log;
mod network;
mod open;
mod records;
mod session;
mod target;
mod wire;

pub use log::Sel;
pub use network::User;
pub use records::Repository;
pub use session::Session;
pub use target::{DEFAULT_PORT, MAX_PASSWORD, MAX_USER, Target, Timeouts};
pub use wire::Counters;

use crate::Error;

/// Opens sessions.
#[derive(Clone, Copy, Debug)]
pub struct Client;

impl Client {
    /// Opens a session: Open Session with the explicit suite and privilege (the suite of the reply is checked), RAKP
    /// messages 1 to 4, Set Session Privilege Level. There is no ASF ping and no asking for cipher suites first.
    /// Dropping the future gives the session back to the BMC.
    ///
    /// # Errors
    /// Any [`Error`]; wrong credentials are [`Error::Refused`].
    pub async fn connect(target: &Target, timeouts: Timeouts) -> Result<Session, Error> {
        target.check()?;
        open::open(target, timeouts).await
    }
}
