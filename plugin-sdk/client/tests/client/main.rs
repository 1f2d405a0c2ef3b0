//! The client against a small daemon in this process, over TLS and over a UNIX socket.
#![cfg(all(feature = "events", feature = "seal"))]
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod calls;
mod daemon;
mod events;
mod trust;
