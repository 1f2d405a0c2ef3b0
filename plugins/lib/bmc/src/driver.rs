//! What a protocol has to offer to be driven by this crate.

use crate::{BmcError, Command, Reply, Target};
use std::future::Future;
use std::pin::Pin;

/// A future in a box.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A session that was just opened.
pub struct Opened {
    /// The session.
    pub session: Box<dyn Session>,
    /// What was tried first and refused, for instance a cipher suite, with the refusal in words. Shown in the
    /// attempts of the verb that opened the session, so that nothing weaker is ever used silently.
    pub refused_first: Vec<String>,
}

/// A protocol, for instance IPMI over RMCP+.
pub trait Driver: Send + Sync + 'static {
    /// Its name in `ipmi/mode`, results and errors.
    fn name(&self) -> &'static str;

    /// The port it uses when the target names none.
    fn default_port(&self) -> u16;

    /// Which of several machines behind the same address is meant, when each is to have a queue of its own.
    fn unit<'a>(&self, _target: &'a Target) -> Option<&'a str> {
        None
    }

    /// Whether it can do this command at all. When it says no, nothing is sent.
    fn can(&self, command: &Command) -> bool;

    /// The request it would send, for plans.
    fn describe(&self, command: &Command) -> String;

    /// Opens a session.
    ///
    /// # Errors
    /// [`crate::Kind::Credentials`], [`crate::Kind::Exhausted`], [`crate::Kind::Silent`] and so on.
    fn open<'a>(&'a self, target: &'a Target) -> BoxFuture<'a, Result<Opened, BmcError>>;
}

/// An open session. It lives in its BMC's lane, which sends one command at a time.
pub trait Session: Send {
    /// Sends one command and waits for its answer. A command whose class is not [`crate::Class::Read`] must
    /// leave at most once.
    ///
    /// # Errors
    /// Everything of [`BmcError`] except what the lane finds itself (conflicts, full queues, stop).
    fn execute<'a>(&'a mut self, command: Command) -> BoxFuture<'a, Result<Reply, BmcError>>;

    /// Ends the session at the BMC, as well as that goes. Must end within a second or two.
    fn close(self: Box<Self>) -> BoxFuture<'static, ()>;
}
