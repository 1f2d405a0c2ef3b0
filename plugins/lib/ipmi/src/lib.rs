//! IPMI 2.0 over LAN (RMCP+): a pure codec and a client for tokio.
//!
//! [`codec`] turns packets into values and back without any I/O; the client here and the BMC simulator
//! (`drp-bmc-sim`) are its two users. [`Client::connect`] opens one authenticated and encrypted [`Session`]
//! with exactly the cipher suite and the privilege it was asked for, or fails: there is no fallback.
//!
//! Facts are cited as "IPMI 2.0 §x", which is the *Intelligent Platform Management Interface Specification,
//! Second Generation, v2.0, revision 1.1*.
//!
//! # Retransmission, and what may run twice
//!
//! UDP loses packets, so a request that is not answered is sent again, with the same request sequence number
//! (IPMI 2.0 §13.8 and §6.12.13 let a BMC recognise it) in a fresh session packet. Nothing obliges a BMC to
//! remember requests, though, and some do not. So each command carries an [`Idempotency`]: what may be repeated
//! is repeated until its deadline; what may not ([`ChassisControl::PowerCycle`], `HardReset`, `PowerDown`,
//! `SoftShutdown`, `DiagnosticInterrupt`) is sent **once**, and when its answer is lost the call ends in
//! [`Error::Silent`] with `maybe_done = true`. The caller then reads the state back before it decides.

pub mod codec;

mod client;
mod completion;
mod error;
mod status;
mod suite;

pub use client::{
    Client, Counters, DEFAULT_PORT, MAX_PASSWORD, MAX_USER, Repository, Sel, Session, Target, Timeouts, User,
};
pub use codec::app::{AuthCapabilities, DeviceId, SystemGuid};
pub use codec::boot::{BootDevice, BootFlags};
pub use codec::chassis::{ChassisControl, ChassisStatus, Identify, RestorePolicy};
pub use codec::command::{Command, Idempotency};
pub use completion::CompletionCode;
pub use error::{Error, Fault, Refusal};
pub use status::RakpStatus;
pub use suite::{CipherSuite, Privilege};
