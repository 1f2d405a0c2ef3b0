#![doc = include_str!("../README.md")]

pub mod codec;

mod client;
mod error;

pub use client::{Client, DEFAULT_PORT, Job, Login, shown_certificate};
pub use codec::{JobState, JobStatus, Partition};
pub use error::Error;
