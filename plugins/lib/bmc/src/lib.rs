#![doc = include_str!("../README.md")]

mod boot;
#[cfg(test)]
mod bounds_tests;
mod breaker;
mod clock;
mod command;
mod driver;
mod error;
#[cfg(test)]
mod fake;
mod fleet;
#[cfg(test)]
mod fleet_tests;
mod flow;
mod ipmi_driver;
mod ipmi_read;
mod job;
mod kernel;
mod lane;
mod limits;
mod local_driver;
mod lpar_driver;
mod outcome;
mod power;
mod racadm;
pub mod reading;
mod redfish_driver;
mod redfish_read;
mod target;
mod verb;

pub use boot::{BootDevice, BootState};
pub use clock::{Clock, FakeClock, SystemClock};
pub use command::{BmcInfo, Chassis, Class, Command, Identify, Part, Reply};
pub use driver::{BoxFuture, Driver, Opened, Session};
pub use drp_redfish::{Fingerprint, Trust};
pub use error::{BmcError, Fault, Kind};
pub use fleet::{Fleet, Settings};
pub use ipmi_driver::IpmiDriver;
pub use local_driver::LocalDriver;
pub use lpar_driver::LparDriver;
pub use outcome::{Attempt, Outcome};
pub use power::{Power, PowerControl};
pub use racadm::RacadmDriver;
pub use redfish_driver::RedfishDriver;
pub use target::{CipherChoice, Target};
pub use verb::{PlanStep, Verb, VerbOptions};
