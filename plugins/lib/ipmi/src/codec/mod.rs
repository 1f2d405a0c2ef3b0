//! The wire formats, without I/O: bytes in, values out, and back. Shared by the client and the simulator.

pub mod app;
pub mod boot;
pub mod chassis;
pub mod command;

/// Why bytes could not be read as what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);
