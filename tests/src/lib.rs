//! What the end-to-end tests share.
#![allow(clippy::unwrap_used, clippy::expect_used)]

pub mod agent;
pub mod canary;
pub mod cli;
pub mod daemon;
pub mod events;
pub mod extensions;
pub mod guide;
pub mod pack;
pub mod peers;
pub mod stream;
