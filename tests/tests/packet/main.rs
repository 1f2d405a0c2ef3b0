//! The plugin packet-ipmi in the real daemon, against a stand-in of the Metal API over HTTP and HTTPS.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, unreachable_pub)]

mod actions;
mod canary;
mod cli;
mod config;
mod content;
mod errors;
mod imported;
mod life;
mod listing;
mod lost;
mod restart;
mod rig;
