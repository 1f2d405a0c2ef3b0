//! The client: opens a session, sends commands, closes it on every path.

mod session;
mod target;

pub use session::Session;
pub use target::{DEFAULT_PORT, MAX_PASSWORD, MAX_USER, Target, Timeouts};

use crate::Error;

/// Opens sessions.
#[derive(Clone, Copy, Debug)]
pub struct Client;

impl Client {
    /// Opens a session: Open Session with the explicit suite and privilege (the suite of the reply is checked), RAKP
    /// messages 1 to 4, Set Session Privilege Level. Dropping the future gives the session back to the BMC.
    ///
    /// # Errors
    /// Any [`Error`]; wrong credentials are [`Error::Refused`].
    pub async fn connect(target: &Target, timeouts: Timeouts) -> Result<Session, Error> {
        target.check()?;
        Session::open(target, timeouts).await
    }
}
