//! What every out-of-band driver needs between "a person asked for power on" and "a packet leaves": one queue,
//! one kept session and one breaker per BMC, bounds over all of them, and verbs that succeed only when the
//! effect has been read back.
//!
//! A [`Fleet`] runs a [`Verb`] on a [`Target`] through a [`Driver`] and answers an [`Outcome`] or a [`BmcError`].

mod boot;
mod breaker;
mod clock;
mod command;
mod driver;
mod error;
#[cfg(test)]
mod fake;
mod fleet;
mod flow;
mod job;
mod lane;
mod limits;
mod outcome;
mod power;
mod target;
mod verb;

pub use boot::{BootDevice, BootState};
pub use clock::{Clock, FakeClock, SystemClock};
pub use command::{BmcInfo, Chassis, Class, Command, Identify, Reply};
pub use driver::{BoxFuture, Driver, Opened, Session};
pub use error::{BmcError, Fault, Kind};
pub use fleet::{Fleet, Settings};
pub use outcome::{Attempt, Outcome};
pub use power::{Power, PowerControl};
pub use target::{CipherChoice, Target};
pub use verb::{PlanStep, Verb, VerbOptions};
