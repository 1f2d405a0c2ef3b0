//! The wire formats, without I/O: bytes in, values out, and back. Shared by the client and the simulator.
//!
//! Randomness comes in as values, so that everything here gives the same bytes for the same input.

pub mod app;
pub mod boot;
pub mod chassis;
pub mod command;
pub mod crypto;
pub mod handshake;
pub mod lan;
pub mod message;
pub mod packet;
pub mod reading;
pub mod sdr;
pub mod sel;
pub mod user;
pub mod window;

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod records_tests;

/// Why bytes could not be read as what they should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub &'static str);

/// Two bytes at `at`, little-endian.
fn u16_at(data: &[u8], at: usize) -> Option<u16> {
    data.get(at..)?.first_chunk::<2>().map(|b| u16::from_le_bytes(*b))
}

/// Four bytes at `at`, little-endian, as all numbers of IPMI are.
fn u32_at(data: &[u8], at: usize) -> Option<u32> {
    data.get(at..)?.first_chunk::<4>().map(|b| u32::from_le_bytes(*b))
}

/// Sixteen bytes at `at`.
fn block_at(data: &[u8], at: usize) -> Option<[u8; 16]> {
    data.get(at..)?.first_chunk::<16>().copied()
}
